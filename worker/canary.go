package worker

import (
	"context"

	"github.com/handout-dev/handout/campaign"
)

// canary is how far a campaign may be fed: to its end, or no further than its
// canary as long as that hasn't passed. Once everyone of the canary has an
// outcome it lets the campaign go on, or holds it.
//
// It goes by how many have been fed, not by where they stand in the list, and by
// the counts: while the canary is all that has been fed, they count it alone.
func (w *Worker) canary(ctx context.Context, s *subject, fed int, b *campaign.Balance) (end int, err error) {
	size := s.Spec.CanarySize(s.Total)
	if size == 0 {
		return s.Total, nil
	}
	stood, err := w.ledger.Canary(ctx, s.ID)
	switch {
	case err != nil:
		return 0, err
	case stood == campaign.CanaryPassed:
		return s.Total, nil
	case fed < size:
		return size, nil
	case b.CanaryMoving(fed):
		return fed, nil
	}
	if b.Of(campaign.InDoubt) > 0 {
		// A receipt may still come, as long as settle has something to look for.
		if next, err := w.ledger.NextDue(ctx, s.ID); err != nil || !next.IsZero() {
			return fed, err
		}
	}
	passed, words := b.JudgeCanary(fed, s.Spec.CanaryLimit())
	if !passed {
		w.log.Error("campaign held", "campaign", s.ID, "canary", words)
		return fed, w.ledger.FailCanary(ctx, s.Info, stood, words, w.clock.Now())
	}
	// The next look feeds on, and knows then whether it may.
	return fed, w.ledger.PassCanary(ctx, s.ID, stood, words, w.clock.Now())
}
