package report

import (
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// hoursMargin is what is kept at the end of a window for a request; a worker's
// own is near it.
const hoursMargin = time.Minute

// readHours adds to the situation what a campaign's hours allow now.
func (s *Situation) readHours(ctx context.Context, l *ledger.Ledger, info *campaign.Info, now time.Time) error {
	if info.Spec.Hours == nil || waiting(s.Balance) == 0 {
		return nil
	}
	left, err := l.ZonesLeft(ctx, info)
	if err != nil {
		return err
	}
	s.hours(info, left, now)
	return nil
}

// hours adds whether any recipient may be sent to now, and when the next may be.
func (s *Situation) hours(info *campaign.Info, left []campaign.ZoneLeft, now time.Time) {
	unfed := 0
	for _, z := range left {
		unfed += z.Recipients
	}
	s.OutsideHours = s.Balance.Of(campaign.Claimed) == 0
	for _, z := range left {
		if z.Recipients == 0 && unfed > 0 {
			continue // all of them have been handed to the queue
		}
		if info.Spec.Open(z.Zones, now, hoursMargin) {
			s.OutsideHours = false
			continue
		}
		from, ever := info.Spec.NextOpen(z.Zones, now, hoursMargin)
		if !ever {
			s.NoZone += z.Recipients
		}
		if ever && (s.HoursFrom.IsZero() || from.Before(s.HoursFrom)) {
			s.HoursFrom = from
		}
	}
	// Recipients who have been handed to the queue are sent to in a moment, or wait
	// in a zone that has just closed; either way the rate decides.
	s.takes = func(rate float64) (time.Duration, bool) {
		takes, held := campaign.Estimate(info.Spec, left, rate, now)
		takes += duration(float64(waiting(s.Balance)-unfed) / rate)
		return takes, takes >= 0 && held == 0
	}
}
