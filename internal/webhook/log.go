package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// mostLog is how many deliveries an endpoint's log keeps, the latest.
const mostLog = 100

// Delivery is a line of an endpoint's log. It says nothing of anybody.
type Delivery struct {
	At       time.Time   `json:"at"`
	Message  string      `json:"message"`
	Type     string      `json:"type"`
	Campaign campaign.ID `json:"campaign,omitempty"`
	Count    int         `json:"count"`  // recipients
	Status   int         `json:"status"` // HTTP; 0: no answer
	Error    string      `json:"error,omitempty"`
	TookMS   int64       `json:"took_ms"`
	Attempt  int         `json:"attempt"` // from 1
}

// note adds a line to an endpoint's log.
func note(ctx context.Context, rdb redis.UniversalClient, endpoint string, d Delivery) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.LPush(ctx, ledger.KeyWebhookLog(endpoint), line)
		p.LTrim(ctx, ledger.KeyWebhookLog(endpoint), 0, mostLog-1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the log of webhook %s: %w", endpoint, err)
	}
	return nil
}

// Log reads an endpoint's deliveries, the latest first.
func Log(ctx context.Context, rdb redis.UniversalClient, endpoint string) ([]Delivery, error) {
	lines, err := rdb.LRange(ctx, ledger.KeyWebhookLog(endpoint), 0, mostLog-1).Result()
	if err != nil {
		return nil, fmt.Errorf("read the log of webhook %s: %w", endpoint, err)
	}
	all := make([]Delivery, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &all[i]); err != nil {
			return nil, fmt.Errorf("read the log of webhook %s: line %d: %w", endpoint, i, err)
		}
	}
	return all, nil
}

// Failing reads which endpoints take nothing any more, and since when.
func Failing(ctx context.Context, rdb redis.UniversalClient) (map[string]time.Time, error) {
	all, err := rdb.HGetAll(ctx, ledger.KeyWebhookFailing).Result()
	if err != nil {
		return nil, fmt.Errorf("read which webhooks are failing: %w", err)
	}
	failing := make(map[string]time.Time, len(all))
	for id, ms := range all {
		var n int64
		if _, err := fmt.Sscan(ms, &n); err == nil {
			failing[id] = time.UnixMilli(n).UTC()
		}
	}
	return failing, nil
}

// Test sends an endpoint an event that says nothing, once, and logs it.
func Test(ctx context.Context, rdb redis.UniversalClient, c *Client, to *ledger.Endpoint, now time.Time) (Delivery, error) {
	message := newMessage()
	a := c.post(ctx, to, message, event{typeTest, now.UTC().Truncate(time.Second), struct{}{}}.encode())
	d := Delivery{At: now.UTC(), Message: message, Type: typeTest, Status: a.status, Error: a.fault(), TookMS: a.took.Milliseconds(), Attempt: 1}
	return d, note(ctx, rdb, to.ID, d)
}
