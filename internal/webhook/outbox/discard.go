package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Discarded is what an endpoint isn't told any more of a campaign, since more waited
// for it than may.
type Discarded struct {
	Recipients int `json:"recipients,omitempty"` // outcomes; somebody's may count several times
	Changes    int `json:"changes,omitempty"`    // of the campaign's state
	// From is a moment when the endpoint had been told everything: nothing from
	// before it was dropped. Nor was anything from after To, when
	// the last were. Whole seconds.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// MaxDiscarded is how many entries are dropped in one go: what Redis does within a
// few milliseconds.
const MaxDiscarded = 10_000

// Discard has an endpoint not be told the oldest entries of a campaign, at most so
// many and at most [MaxDiscarded], and in the same step told that it isn't, under a
// new message ID; a batch that was on its way is among them. The last entry stays:
// by it the outbox is found. It returns how many were dropped; 0 also when the
// endpoint was told something meanwhile. Who is as in SetTold.
func (l *Store) Discard(ctx context.Context, c *campaign.Info, to *Endpoint, most int, message string, who []Endpoint) (int, error) {
	u, err := l.undelivered(ctx, c.ID, to.ID, min(most, MaxDiscarded)+1)
	if err != nil || len(u.Entries) < 2 {
		return 0, err
	}
	batch := Batch{Dropped: &Discarded{}}
	if u.Batch != nil { // how it fails goes on
		batch = *u.Batch
		if batch.Dropped == nil {
			batch.Dropped = &Discarded{}
		}
	}
	d := batch.Dropped
	if d.From.IsZero() {
		if d.From, err = l.caughtUp(ctx, c, to); err != nil {
			return 0, err
		}
	}
	now, err := l.rdb.Time(ctx).Result()
	if err != nil {
		return 0, fmt.Errorf("read Redis's clock: %w", err)
	}
	d.To = now.UTC().Truncate(time.Second).Add(time.Second)
	gone := u.Entries[:len(u.Entries)-1]
	for _, e := range gone {
		if e.Happening != nil {
			d.Changes++
		} else {
			d.Recipients++
		}
	}
	batch.Message, batch.Count = message, 0
	text, err := json.Marshal(batch)
	if err != nil {
		return 0, fmt.Errorf("write a batch of campaign %s: %w", c.ID, err)
	}
	// Counted first: rather too many than too few.
	if err := l.rdb.HIncrBy(ctx, keyDiscarded, to.ID, int64(len(gone))).Err(); err != nil {
		return 0, fmt.Errorf("count what webhook %s isn't told: %w", to.ID, err)
	}
	if moved, err := l.advance(ctx, c.ID, to.ID, u, len(gone), string(text), who); err != nil || !moved {
		return 0, err
	}
	return len(gone), nil
}

// caughtUp is the latest known moment when an endpoint had been told everything of
// a campaign.
func (l *Store) caughtUp(ctx context.Context, c *campaign.Info, to *Endpoint) (time.Time, error) {
	at := c.CreatedAt
	if to.CreatedAt.After(at) {
		at = to.CreatedAt
	}
	fields, err := l.rdb.HMGet(ctx, KeyProgress(c.ID), to.ID+fieldAll).Result()
	if err != nil {
		return at, fmt.Errorf("read what was told of campaign %s: %w", c.ID, err)
	}
	if text, ok := fields[0].(string); ok {
		if told := time.Unix(number(text), 0); told.After(at) {
			at = told
		}
	}
	return at.UTC().Truncate(time.Second), nil
}

// EndpointsDropped is how much each endpoint was never told, since it was added.
func (l *Store) CountDiscarded(ctx context.Context) (map[string]int, error) {
	fields, err := l.rdb.HGetAll(ctx, keyDiscarded).Result()
	if err != nil {
		return nil, fmt.Errorf("read what webhooks weren't told: %w", err)
	}
	all := make(map[string]int, len(fields))
	for id, n := range fields {
		all[id] = int(number(n))
	}
	return all, nil
}
