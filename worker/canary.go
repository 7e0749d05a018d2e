package worker

import (
	"context"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// canary is how far a campaign may be fed: to its end, or no further than its
// canary as long as that hasn't passed. Once everyone of the canary has an
// outcome it lets the campaign go on, or holds it.
//
// It goes by how many have been fed, not by where they stand in the list, and by
// the counts: while the canary is all that has been fed, they count it alone.
func (l *look) canary(ctx context.Context) (end int, err error) {
	w, s, fed, b, stood := l.w, l.s, l.feed.Cursor, l.state.Balance, l.state.Canary
	size := s.Spec.CanarySize(s.Total)
	switch {
	case size == 0 || fed >= s.Total || stood == campaign.CanaryPassed:
		return s.Total, nil
	case fed < size:
		return size, nil
	case b.CanaryMoving(fed), b.Of(campaign.InDoubt) > 0 && !l.state.Next[ledger.Watched].IsZero():
		l.idle() // a receipt may still come, as long as settle has something to look for
		return fed, nil
	}
	l.again(l.now.Add(againLook)) // it feeds on, if it may
	passed, words := b.JudgeCanary(fed, s.Spec.CanaryLimit())
	if !passed {
		w.log.Error("campaign held", "campaign", s.ID, "canary", words)
		return fed, w.ledger.FailCanary(ctx, s.Info, stood, words, w.clock.Now())
	}
	return fed, w.ledger.PassCanary(ctx, s.ID, stood, words, w.clock.Now())
}
