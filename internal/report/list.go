package report

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// Summary is what a list shows of a campaign; its Info has no spec.
type Summary = ledger.Summary

// ListQuery says which campaigns to list.
type ListQuery struct {
	States []campaign.Phase // none: all
	Text   string           // must stand in the ID
	After  campaign.ID      // only those that are older; empty: from the newest on
	Limit  int              // how many at most; 0: no limit
}

// List is a part of all campaigns, the newest first.
type List struct {
	Campaigns []Summary
	Next      campaign.ID // the After of the next part; empty: there is none
}

// maxListed is how many campaigns one question reads: a list may be short, or
// empty, and have a next part.
const maxListed = 1000

// List reads a part of all campaigns. ErrNotFound when the one to go on after isn't
// there any more.
func (q *Reader) List(ctx context.Context, o ListQuery) (*List, error) {
	list, read := new(List), 0
	for next := o.After; ; {
		ids, err := q.ledger.CampaignsAfter(ctx, next, maxListed)
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 {
			return list, nil
		}
		next = ids[len(ids)-1]
		fitting := slices.DeleteFunc(ids, func(id campaign.ID) bool { return !strings.Contains(string(id), o.Text) })
		for batch := range slices.Chunk(fitting, 200) {
			found, err := q.ledger.Summaries(ctx, batch)
			if err != nil {
				return nil, err
			}
			for _, s := range found {
				if len(o.States) > 0 && !slices.Contains(o.States, s.Phase) {
					continue
				}
				if o.Limit > 0 && len(list.Campaigns) == o.Limit {
					list.Next = list.Campaigns[o.Limit-1].ID
					return list, nil
				}
				list.Campaigns = append(list.Campaigns, s)
			}
			if read += len(batch); read >= maxListed {
				list.Next = batch[len(batch)-1]
				return list, nil
			}
		}
	}
}

// ListPage reads up to n campaigns from a position on, the newest first, and
// returns how many there are.
func (q *Reader) ListPage(ctx context.Context, from, n int) ([]Summary, int, error) {
	ids, all, err := q.ledger.CampaignsAt(ctx, from, n)
	if err != nil {
		return nil, 0, err
	}
	list, err := q.ledger.Summaries(ctx, ids)
	return list, all, err
}

// Current reads the newest campaigns, up to n, and all active ones.
func (q *Reader) Current(ctx context.Context, n int) ([]Summary, error) {
	ids, err := q.ledger.Campaigns(ctx, n)
	if err != nil {
		return nil, err
	}
	active, err := q.ledger.Active(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[campaign.ID]bool, len(ids))
	for _, id := range ids {
		known[id] = true
	}
	slices.Sort(active)
	for _, id := range active {
		if !known[id] {
			ids = append(ids, id)
		}
	}
	return q.ledger.Summaries(ctx, ids)
}

// Active lists the campaigns in which handout may have work left.
func (q *Reader) Active(ctx context.Context) ([]campaign.ID, error) { return q.ledger.Active(ctx) }

// PaceOf is Pace for a campaign of a list.
func (q *Reader) PaceOf(ctx context.Context, s *Summary) (*Pace, error) {
	if s.Phase != campaign.Running {
		return NewPace(&Situation{Phase: s.Phase, Reason: s.Reason, Balance: &s.Balance}, nil, time.Now()), nil
	}
	info, err := q.info(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	return q.Pace(ctx, info, &s.Balance)
}
