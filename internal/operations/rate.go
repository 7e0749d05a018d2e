package operations

import (
	"context"
	"strconv"

	"github.com/handout-dev/handout/campaign"
)

// MaxRate is the highest rate that may be set, in messages per second.
const MaxRate = 100_000

// ParseRate reads a rate, in messages per second. The error is Refused.
func ParseRate(text string) (float64, error) {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate <= MaxRate) {
		return 0, refusef(Refused, "rate", "%q must be a number over 0 and at most %d, in messages per second", text, MaxRate)
	}
	return rate, nil
}

// SetRate sets a campaign's rate in messages per second, or the account's if s is
// nil, for all workers within a second. A campaign's stays under the account's.
func (o *Operations) SetRate(ctx context.Context, s *Standing, rate float64, by campaign.Actor) error {
	if _, err := ParseRate(strconv.FormatFloat(rate, 'f', -1, 64)); err != nil {
		return err
	}
	return o.changeRate(ctx, s, rate, by)
}

// ResetRate goes back to the rate in the campaign's file, or if s is nil to that of
// the environment.
func (o *Operations) ResetRate(ctx context.Context, s *Standing, by campaign.Actor) error {
	return o.changeRate(ctx, s, 0, by)
}

func (o *Operations) changeRate(ctx context.Context, s *Standing, rate float64, by campaign.Actor) error {
	if s == nil {
		return about("", o.ledger.SetAccountRate(ctx, rate, by, now()))
	}
	return about(s.Info.ID, o.ledger.SetRate(ctx, s.Info.ID, rate, by, now()))
}
