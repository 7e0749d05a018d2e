package orderhistory

import (
	"context"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/producer"
)

// usualRate is the account's in messages per second, before anything is known of
// it: Telesign's default.
const usualRate = 10

// outlive refuses links that end while the campaign may still need them.
func (r *run) outlive(ctx context.Context, e *state.Export, expire time.Time) error {
	needed, err := r.needed(ctx, e)
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

// needed is for how long from now on the links must hold: -1 s for over a year.
// It goes through the whole list as a submit would, so that what is wrong with
// that shows before the list stands.
func (r *run) needed(ctx context.Context, e *state.Export) (time.Duration, error) {
	file, err := r.campaignFile(e)
	if err != nil {
		return 0, err
	}
	rate, err := r.accountRate(ctx)
	if err != nil {
		return 0, err
	}
	d, err := producer.Check(ctx, file, r.list(ctx, e), producer.CheckOptions{AccountRate: rate, Now: r.now()})
	if err != nil {
		return 0, fmt.Errorf("check campaign %s: %w", e.Campaign, err)
	}
	if d.Duration < 0 {
		return d.Duration, nil
	}
	return d.Duration + file.Spec.FallbackTotal() + campaign.LinkMargin, nil
}

// accountRate is what a person has set, else what workers have gone by lately.
func (r *run) accountRate(ctx context.Context) (float64, error) {
	rates, err := r.Ledger.Rates(ctx)
	if err != nil {
		return 0, err
	}
	pace, err := r.Ledger.Pace(ctx)
	if err != nil {
		return 0, err
	}
	if rate := rates.Account(pace.Rate); rate > 0 {
		return rate, nil
	}
	return usualRate, nil
}
