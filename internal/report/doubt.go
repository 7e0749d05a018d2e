package report

import (
	"context"
	"errors"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// Doubt is a campaign with people in doubt, and the first of them.
type Doubt struct {
	Info   *campaign.Info
	Count  int
	People []Found
	Unread bool // the list wasn't read to the end of what was asked for
}

// Doubts are the campaigns with people in doubt, the newest first.
type Doubts struct {
	Campaigns []Doubt
	Left      int // campaigns beyond those, with LeftCount people in doubt
	LeftCount int
}

// Doubts reads who is in doubt: of at most so many campaigns, and of each at most
// so many people. Lists are read until over reports that it took long enough.
func (q *Reader) Doubts(ctx context.Context, maxCampaigns, maxPeople int, over func() bool) (*Doubts, error) {
	ids, err := q.ledger.Campaigns(ctx, maxSearched)
	if err != nil {
		return nil, err
	}
	summaries, err := q.ledger.Summaries(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := new(Doubts)
	for _, s := range summaries {
		if s.InDoubt == 0 || s.Phase == campaign.Draft {
			continue
		}
		info, err := q.ledger.Info(ctx, s.ID)
		if errors.Is(err, ledger.ErrNotFound) || (err == nil && info.Gone() != nil) {
			continue // their data is gone
		}
		if err != nil {
			return nil, err
		}
		if len(all.Campaigns) == maxCampaigns {
			all.Left++
			all.LeftCount += s.InDoubt
			continue
		}
		d := Doubt{Info: info, Count: s.InDoubt, Unread: over()}
		if !d.Unread {
			filter := &Filter{State: campaign.InDoubt.String()}
			d.People, _, err = q.People(ctx, info, filter, campaign.Place{}, maxPeople, func(int) bool { return over() })
			if errors.Is(err, campaign.ErrPurged) { // just now
				continue
			}
			if err != nil {
				return nil, err
			}
			d.Unread = len(d.People) < min(s.InDoubt, maxPeople) && over()
		}
		all.Campaigns = append(all.Campaigns, d)
	}
	return all, nil
}
