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

// signal is what a change means for the watch, in the words of lua/apply.lua.
type signal string

const (
	noSignal     signal = ""
	signalDoubt  signal = "doubt"   // no answer, or one that doesn't say whether it was processed
	signalTaken  signal = "taken"   // an answer: accepted
	signalRefuse signal = "refused" // an answer: refused, which is a failure too
	signalFail   signal = "failed"  // an outcome: a failure
	signalGood   signal = "good"    // an outcome: none
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

// watch is what lua/apply.lua needs to watch a campaign.
type watch struct {
	MaxDoubts    int    `json:"max_doubts"`    // so many in a row hold the campaign
	LastOutcomes int    `json:"last_outcomes"` // how many are kept
	MaxFailures  int    `json:"max_failures"`  // among these, that don't hold it
	Doubts       string `json:"doubts"`        // the reason of a hold for doubts
	Failures     string `json:"failures"`      // for failures: a format for how many of how many
	Line         string `json:"line"`          // of the history, @ for the reason
}

func watchOf(c *campaign.Info, at time.Time) watch {
	limit := c.Spec.FailureLimit()
	if c.Spec.Standing {
		// Each recipient has a message and a sender of their own: one sender's wrong
		// numbers must not hold the others' messages.
		limit = 1
	}
	most := int(math.Floor(limit*lastOutcomes + 1e-9))
	return watch{
		MaxDoubts: maxDoubts, LastOutcomes: lastOutcomes, MaxFailures: most,
		Failures: fmt.Sprintf("%%d of the last %%d outcomes failed or were refused, more than %s %%%% of %d", campaign.Percent(limit), lastOutcomes),
		Doubts:   fmt.Sprintf("%d doubts in a row: Telesign doesn't answer", maxDoubts),
		Line:     campaign.Machine("@").Entry(at, "held", "").Encode(),
	}
}

// startAnew resets the watch of a campaign that a person resumes: else what held it
// would hold it again at once.
func (l *Ledger) startAnew(ctx context.Context, c campaign.ID) error {
	if err := l.rdb.HDel(ctx, l.keys.meta(c), fieldDoubts).Err(); err != nil {
		return fmt.Errorf("watch campaign %s anew: %w", c, err)
	}
	return l.forgetOutcomes(ctx, c)
}

// forgetOutcomes leaves the outcomes of the last run out of the new one.
func (l *Ledger) forgetOutcomes(ctx context.Context, c campaign.ID) error {
	if err := l.rdb.HDel(ctx, l.keys.watch(c), "last").Err(); err != nil {
		return fmt.Errorf("watch campaign %s anew: %w", c, err)
	}
	return nil
}
