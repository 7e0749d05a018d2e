package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Discarded counts the undelivered entries of one campaign that were dropped for an
// endpoint, since too many were pending.
type Discarded struct {
	Recipients int `json:"recipients,omitempty"` // outcomes; a recipient may have several
	Changes    int `json:"changes,omitempty"`    // of the campaign's state
	// All of them happened between From, when the endpoint had received everything,
	// and To, when the last were dropped. Whole seconds.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// MaxDiscarded is how many entries are dropped in one step: Redis takes a few
// milliseconds for them.
const MaxDiscarded = 10_000

// Discard drops the oldest undelivered entries of a campaign, up to limit and
// [MaxDiscarded], and replaces the pending batch with a notice of what was dropped,
// under a new message ID, in one step. It keeps the last entry, by which a scan finds
// the outbox. It returns how many it dropped: 0 also after a delivery meanwhile.
// subscribers are as in [Store.Acknowledge].
func (l *Store) Discard(ctx context.Context, c *campaign.Info, to *Endpoint, limit int, message string, subscribers []Endpoint) (int, error) {
	u, err := l.undelivered(ctx, c.ID, to.ID, min(limit, MaxDiscarded)+1)
	if err != nil || len(u.Entries) < 2 {
		return 0, err
	}
	var batch Batch
	if u.Batch != nil {
		batch = *u.Batch // its failures count on
	}
	if batch.Discarded == nil {
		batch.Discarded = &Discarded{}
	}
	d := batch.Discarded
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
		if e.Change != nil {
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
	// Counted first: if the process dies here, too many are counted, and none is
	// dropped silently.
	if err := l.rdb.HIncrBy(ctx, l.keys.discarded(), to.ID, int64(len(gone))).Err(); err != nil {
		return 0, fmt.Errorf("count discarded entries of webhook %s: %w", to.ID, err)
	}
	if moved, err := l.advance(ctx, c.ID, to.ID, u, len(gone), string(text), subscribers); err != nil || !moved {
		return 0, err
	}
	return len(gone), nil
}

// caughtUp returns the latest known moment when an endpoint had received everything
// of a campaign.
func (l *Store) caughtUp(ctx context.Context, c *campaign.Info, to *Endpoint) (time.Time, error) {
	at := c.CreatedAt
	if to.CreatedAt.After(at) {
		at = to.CreatedAt
	}
	fields, err := l.rdb.HMGet(ctx, l.keys.progress(c.ID), to.ID+fieldAll).Result()
	if err != nil {
		return at, fmt.Errorf("read the progress in the outbox of campaign %s: %w", c.ID, err)
	}
	if text, ok := fields[0].(string); ok {
		if all := time.Unix(number(text), 0); all.After(at) {
			at = all
		}
	}
	return at.UTC().Truncate(time.Second), nil
}

// CountDiscarded returns how many entries of each endpoint were discarded since it
// was added.
func (l *Store) CountDiscarded(ctx context.Context) (map[string]int, error) {
	fields, err := l.rdb.HGetAll(ctx, l.keys.discarded()).Result()
	if err != nil {
		return nil, fmt.Errorf("read how much webhooks discarded: %w", err)
	}
	all := make(map[string]int, len(fields))
	for id, n := range fields {
		all[id] = int(number(n))
	}
	return all, nil
}
