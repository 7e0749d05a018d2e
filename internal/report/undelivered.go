package report

import (
	"context"

	"github.com/handout-dev/handout/campaign"
)

// Undelivered is what webhooks haven't taken.
type Undelivered struct {
	Waiting   int            // outcomes and changes
	Failing   int            // webhooks that have taken nothing for three days
	Discarded map[string]int // what was dropped, by webhook; each has an entry
}

// Undelivered reads what webhooks haven't taken, of these campaigns.
func (q *Reader) Undelivered(ctx context.Context, campaigns []campaign.ID) (*Undelivered, error) {
	outbox := q.ledger.Outbox()
	endpoints, err := outbox.Endpoints(ctx)
	if err != nil || len(endpoints.All) == 0 {
		return new(Undelivered), err
	}
	u := &Undelivered{Discarded: make(map[string]int, len(endpoints.All))}
	if u.Waiting, err = outbox.Length(ctx, campaigns); err != nil {
		return nil, err
	}
	if u.Failing, err = outbox.CountFailing(ctx); err != nil {
		return nil, err
	}
	dropped, err := outbox.CountDiscarded(ctx)
	for _, e := range endpoints.All {
		u.Discarded[e.ID] = dropped[e.ID]
	}
	return u, err
}
