package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// The ledger watches outcomes in the same step as it records them, and holds the
// campaign when the fault is probably not the recipients': when Telesign doesn't
// answer, or when too many fail.

const (
	// maxDoubts is how many doubts in a row hold a campaign.
	maxDoubts = 10
	// lastOutcomes is among how many of the latest outcomes failures are counted.
	lastOutcomes = 200
)

// signal is what a change means for the watch. The letters are those of
// lua/apply.lua.
type signal string

const (
	noSignal     signal = ""
	signalDoubt  signal = "d" // no answer, or one that doesn't say whether it was processed
	signalTaken  signal = "a" // an answer: accepted
	signalRefuse signal = "r" // an answer: refused, which is a failure too
	signalFail   signal = "f" // an outcome: a failure
	signalGood   signal = "g" // an outcome: none
)

// signalOf returns the signal of a change: an answer to a request, the lack of one,
// or an outcome, which is the first final state. A claim whose worker is lost is in
// doubt through no fault of Telesign's and has no signal; nor has a recipient who was
// never sent to.
func signalOf(e campaign.EventKind, from, to campaign.State) signal {
	settled := to.Final() && !from.Final()
	switch {
	case e == campaign.EventAcceptAsSent: // a person's decision, and no outcome
	case e == campaign.EventDoubt && to == campaign.InDoubt && from != campaign.InDoubt:
		return signalDoubt
	case e == campaign.EventAccept && to == campaign.Accepted && from != campaign.Accepted:
		return signalTaken
	case e == campaign.EventRefuse && to == campaign.Refused && settled:
		return signalRefuse
	case settled && (to == campaign.Failed || to == campaign.Refused):
		return signalFail
	case settled && (to == campaign.Delivered || to == campaign.Unconfirmed):
		return signalGood
	}
	return noSignal
}

// watch is what lua/apply.lua needs to watch a campaign: its limits, and the reasons
// for going beyond.
type watch struct{ limits, failures, doubts, line string }

func watchOf(c *campaign.Info, at time.Time) watch {
	limit := c.Spec.FailureLimit()
	if c.Spec.Standing {
		// Each recipient has a message and a sender of their own: one sender's wrong
		// numbers must not hold the others' messages.
		limit = 1
	}
	most := int(math.Floor(limit*lastOutcomes + 1e-9))
	return watch{
		limits:   fmt.Sprintf("%d %d %d", maxDoubts, lastOutcomes, most),
		failures: fmt.Sprintf("%%d of the last %%d outcomes failed or were refused, more than %s %%%% of %d", campaign.Percent(limit), lastOutcomes),
		doubts:   fmt.Sprintf("%d doubts in a row: Telesign doesn't answer", maxDoubts),
		line:     campaign.Machine("@").Entry(at, "held", "").Encode(),
	}
}

// startAnew resets the watch of a campaign that a person resumes: else what held it
// would hold it again at once.
func (l *Ledger) startAnew(ctx context.Context, c campaign.ID) error {
	if err := l.rdb.HDel(ctx, keyMeta(c), fieldDoubts).Err(); err != nil {
		return fmt.Errorf("watch campaign %s anew: %w", c, err)
	}
	return l.forgetOutcomes(ctx, c)
}

// forgetOutcomes leaves the outcomes of the last run out of the new one.
func (l *Ledger) forgetOutcomes(ctx context.Context, c campaign.ID) error {
	if err := l.rdb.HDel(ctx, keyWatch(c), "last").Err(); err != nil {
		return fmt.Errorf("watch campaign %s anew: %w", c, err)
	}
	return nil
}
