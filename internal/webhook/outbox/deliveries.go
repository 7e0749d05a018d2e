package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// maxDeliveries is how many deliveries an endpoint's log keeps, the latest.
const maxDeliveries = 100

// Delivery is a line of an endpoint's log. It holds no recipient's data.
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

// LogDelivery adds a line to an endpoint's log.
func (l *Store) LogDelivery(ctx context.Context, endpoint string, d Delivery) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.LPush(ctx, l.keys.deliveries(endpoint), line)
		p.LTrim(ctx, l.keys.deliveries(endpoint), 0, maxDeliveries-1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("write the log of webhook %s: %w", endpoint, err)
	}
	return nil
}

// Deliveries reads an endpoint's deliveries, the latest first.
func (l *Store) Deliveries(ctx context.Context, endpoint string) ([]Delivery, error) {
	lines, err := l.rdb.LRange(ctx, l.keys.deliveries(endpoint), 0, maxDeliveries-1).Result()
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

// Failing returns which endpoints are failing, and since when.
func (l *Store) Failing(ctx context.Context) (map[string]time.Time, error) {
	all, err := l.rdb.HGetAll(ctx, l.keys.failing()).Result()
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

// SetFailing marks an endpoint as failing; first reports whether it wasn't yet.
func (l *Store) SetFailing(ctx context.Context, endpoint string, since time.Time) (first bool, err error) {
	first, err = l.rdb.HSetNX(ctx, l.keys.failing(), endpoint, since.UnixMilli()).Result()
	if err != nil {
		return false, fmt.Errorf("mark webhook %s as failing: %w", endpoint, err)
	}
	return first, nil
}

// ClearFailing removes the mark of SetFailing.
func (l *Store) ClearFailing(ctx context.Context, endpoint string) error {
	if err := l.rdb.HDel(ctx, l.keys.failing(), endpoint).Err(); err != nil {
		return fmt.Errorf("mark webhook %s as not failing: %w", endpoint, err)
	}
	return nil
}
