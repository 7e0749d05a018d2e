package orderhistory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/producer"
)

// usualRate is the account's in messages per second, before anything is known of
// it: Telesign's default.
const usualRate = 10

// outlive refuses links that end while the campaign may still need them.
func (r *run) outlive(ctx context.Context, e *state.Export, expire time.Time) error {
	needed, err := r.needed(ctx, e, r.rows(ctx, e))
	return r.judgeLinks(needed, expire, err)
}

// judgeLinks refuses links that end before they are needed no longer.
func (r *run) judgeLinks(needed time.Duration, expire time.Time, err error) error {
	switch {
	case err != nil:
		return err
	case needed < 0:
		return refuse(Check, "the campaign would take over a year, by its rate and hours")
	case expire.Sub(r.now()) < needed-time.Minute: // making them took a while
		return refuse(Check, "the links hold for %s, and have to for %s: until the last customer is sent to at the campaign's rate and hours, the fallback times are over, and an hour more",
			campaign.FormatDuration(r.LinkLife), campaign.FormatDuration((needed + time.Minute - 1).Truncate(time.Minute)))
	}
	return nil
}

// check refuses before the first file is written what the campaign file and the plan
// show already: a column that isn't there, a value that Telesign would refuse, links
// that end too early.
func (r *run) check(ctx context.Context, e *state.Export) error {
	needed, err := r.needed(ctx, e, r.plannedRows(ctx, e))
	return r.judgeLinks(needed, r.now().Add(r.LinkLife), err)
}

// plannedRows returns the rows of the list to come. All have the link of the first
// file, which is as long as the others.
func (r *run) plannedRows(ctx context.Context, e *state.Export) iter.Seq2[producer.Row, error] {
	return func(yield func(producer.Row, error) bool) {
		link := ""
		for files, err := range r.State.Chunks(ctx, e.Period, filesAtOnce, state.Planned, state.Written, state.Uploaded) {
			if err == nil && link == "" {
				link, err = r.Store.Link(ctx, files[0].Object, r.LinkLife)
			}
			if err != nil {
				yield(producer.Row{}, err)
				return
			}
			for i := range files {
				files[i].Link = link
				if !yield(row(&files[i]), nil) {
					return
				}
			}
		}
	}
}

// tryOrders asks for the orders of the first customers, and makes their sheets.
func (r *run) tryOrders(ctx context.Context, e *state.Export) error {
	for files, err := range r.State.Chunks(ctx, e.Period, shop.MaxCustomers, state.Planned) {
		if err != nil {
			return err
		}
		return r.chunk(ctx, e, files)
	}
	return nil
}

// needed is for how long from now on the links must hold: -1 s for over a year.
// It goes through the whole list as a submit would, so that what is wrong with
// that shows before the list stands.
func (r *run) needed(ctx context.Context, e *state.Export, rows iter.Seq2[producer.Row, error]) (time.Duration, error) {
	file, err := r.campaignFile(e)
	if err != nil {
		return 0, err
	}
	rate, err := r.accountRate(ctx, file.Spec.AccountName())
	if err != nil {
		return 0, err
	}
	d, err := producer.Check(ctx, file, listOf(e, rows), producer.CheckOptions{AccountRate: rate, Now: r.now()})
	if faults := (*producer.Faults)(nil); errors.As(err, &faults) {
		return 0, misfit(faults.List, faults.Total, rows)
	}
	if err != nil {
		return 0, fmt.Errorf("check campaign %s: %w", e.Campaign, err)
	}
	if d.Summary.BadRows > 0 {
		return 0, misfit(d.Summary.Faults, d.Summary.BadRows, rows)
	}
	if d.Duration < 0 {
		return d.Duration, nil
	}
	return d.Duration + file.Spec.FallbackTotal() + campaign.LinkMargin, nil
}

// misfit returns the refusal of a campaign file that doesn't fit the list. A fault of
// a row names its customer: the list is in no file in which the row could be found.
func misfit(faults []producer.Fault, total int, rows iter.Seq2[producer.Row, error]) error {
	first, of := faults[0].Message, ""
	if n := faults[0].Line; n > 0 {
		for row, err := range rows {
			if n--; n == 0 && err == nil {
				first = "customer " + row.Recipient + ": " + first
			}
			if n == 0 || err != nil {
				break
			}
		}
	}
	if total > 1 {
		of = campaign.Count(total, "fault") + ", the first: "
	}
	return refuse(Campaign, "the campaign file doesn't fit the list: %s%s", of, first)
}

// accountRate is what a person has set for an account, else what workers have gone by
// lately.
func (r *run) accountRate(ctx context.Context, account string) (float64, error) {
	rates, err := r.Ledger.Rates(ctx)
	if err != nil {
		return 0, err
	}
	pace, err := r.Ledger.Pace(ctx, account)
	if err != nil {
		return 0, err
	}
	if rate := rates.Account(account, pace.Rate); rate > 0 {
		return rate, nil
	}
	return usualRate, nil
}
