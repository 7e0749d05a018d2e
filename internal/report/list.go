package report

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

// Summary is what a list shows of a campaign; its Info has no spec.
type Summary = ledger.Summary

// ListQuery says which campaigns to list.
type ListQuery struct {
	States  []campaign.Phase // none: all
	Text    string           // must stand in the ID
	Account string           // of this account; empty: of any
	Since   time.Time        // made then or later; zero: at any time
	Until   time.Time        // made before; likewise
	After   campaign.ID      // only those that are older; empty: from the newest on
	Limit   int              // how many at most; 0: no limit
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
			found, err := q.summaries(ctx, batch)
			if err != nil {
				return nil, err
			}
			for _, s := range found {
				if !o.Since.IsZero() && s.CreatedAt.Before(o.Since) {
					return list, nil // the others are older
				}
				if !o.Until.IsZero() && !s.CreatedAt.Before(o.Until) {
					continue
				}
				if o.Account != "" && s.Account != o.Account {
					continue
				}
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

// summaries reads those campaigns that the caller may see.
func (q *Reader) summaries(ctx context.Context, ids []campaign.ID) ([]Summary, error) {
	all, err := q.ledger.Summaries(ctx, ids)
	key := access.Caller(ctx)
	return slices.DeleteFunc(all, func(s Summary) bool { return !key.Owns(s.Owner, s.Account) }), err
}

// ListPage reads up to n campaigns from a position on, the newest first, and
// returns how many there are.
func (q *Reader) ListPage(ctx context.Context, from, n int) ([]Summary, int, error) {
	ids, all, err := q.ledger.CampaignsAt(ctx, from, n)
	if err != nil {
		return nil, 0, err
	}
	list, err := q.summaries(ctx, ids)
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
	return q.summaries(ctx, ids)
}

// Active lists the campaigns in which handout may have work left.
func (q *Reader) Active(ctx context.Context) ([]campaign.ID, error) { return q.ledger.Active(ctx) }

// PaceOf is Pace for a campaign of a list.
func (q *Reader) PaceOf(ctx context.Context, s *Summary) (*Pace, error) {
	if s.Phase != campaign.Running {
		return NewPace(&Situation{Phase: s.Phase, Reason: s.Reason, StartAt: s.StartAt, Balance: &s.Balance}, nil, time.Now()), nil
	}
	info, err := q.info(ctx, s.ID)
	if err != nil {
		return nil, err
	}
	return q.Pace(ctx, info, &s.Balance)
}

// each yields campaigns part by part, however many there are.
func (q *Reader) each(ctx context.Context, o ListQuery, yield func(part []Summary) error) error {
	for {
		list, err := q.List(ctx, o)
		if err != nil {
			return err
		}
		if err := yield(list.Campaigns); err != nil || list.Next == "" {
			return err
		}
		o.After = list.Next
	}
}

type listed struct {
	Campaign  campaign.ID    `json:"campaign"`
	Account   string         `json:"account,omitempty"` // left out: the default
	State     campaign.Phase `json:"state"`
	Reason    string         `json:"reason"` // why it is held, paused or canceled
	Total     int            `json:"total"`
	Delivered int            `json:"delivered"`
	CreatedAt time.Time      `json:"created_at"`
}

// WriteListJSON writes campaigns as a JSON array, one on each line.
func (q *Reader) WriteListJSON(ctx context.Context, o ListQuery, w io.Writer) error {
	out, before := bufio.NewWriter(w), "["
	err := q.each(ctx, o, func(part []Summary) error {
		for i := range part {
			s := &part[i]
			text, err := json.Marshal(listed{s.ID, campaign.StoredAccount(s.Account), s.Phase, s.Reason, s.Total, s.Balance.Of(campaign.Delivered), s.CreatedAt})
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n%s", before, text)
			before = ","
		}
		return out.Flush()
	})
	if err != nil {
		return err
	}
	end := "\n]\n"
	if before == "[" {
		end = "[]\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// WriteList writes campaigns as a table. It aligns each part, no narrower than the
// part before. Where there are several accounts, it names each campaign's.
func (q *Reader) WriteList(ctx context.Context, o ListQuery, w io.Writer) error {
	several := len(q.rates) > 1
	head := []string{"campaign", "state", "people", "delivered", "why"}
	if several {
		head = slices.Insert(head, 4, "account")
	}
	rows, wide := [][]string{head}, make([]int, len(head))
	return q.each(ctx, o, func(part []Summary) error {
		for i := range part {
			s := &part[i]
			row := []string{string(s.ID), string(s.Phase), campaign.Number(s.Total), campaign.Number(s.Balance.Of(campaign.Delivered)), Printable(s.Reason)}
			if several {
				row = slices.Insert(row, 4, s.Account)
			}
			rows = append(rows, row)
		}
		err := writeRows(w, "", wide, rows, 2, 3)
		rows = rows[:0]
		return err
	})
}
