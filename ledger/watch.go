package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// The ledger watches what becomes of a campaign's people, in the same step as it
// writes it down, and holds the campaign when the fault is most likely not
// theirs: when Telesign doesn't answer, or when too many fail.

const (
	// mostDoubts is how many doubts in a row hold a campaign.
	mostDoubts = 10
	// lastOutcomes is of how many outcomes, the latest, the failures are counted.
	lastOutcomes = 200
)

// signal is what a change tells the watch. The letters are those of
// lua/apply.lua.
type signal string

const (
	noSignal     signal = ""
	signalDoubt  signal = "d" // no answer, or none that says what became of it
	signalTaken  signal = "a" // an answer: accepted
	signalRefuse signal = "r" // an answer: refused, which is a failure too
	signalFail   signal = "f" // an outcome: a failure
	signalGood   signal = "g" // an outcome: none
)

// signalOf is what a change tells the watch: an answer to a request, or the lack
// of one, or an outcome, that is a final state after one that wasn't. A claim
// whose worker is lost is in doubt for no fault of Telesign's and tells nothing;
// who was never sent to has no outcome.
func signalOf(e campaign.EventKind, from, to campaign.State) signal {
	settled := to.Final() && !from.Final()
	switch {
	case e == campaign.EventAcceptAsSent: // a person's word, and nobody's outcome
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

// watch is what lua/apply.lua is told of a campaign when something in the call
// is to be watched: its limits, and the words for going beyond.
type watch struct{ limits, failures, doubts, line string }

func watchOf(c *campaign.Info, at time.Time) watch {
	limit := c.Spec.FailureLimit()
	if c.Spec.Standing {
		// Each has a message of their own there, and a sender: one whose numbers
		// are wrong must not keep the others' from being sent.
		limit = 1
	}
	most := int(math.Floor(limit*lastOutcomes + 1e-9))
	return watch{
		limits:   fmt.Sprintf("%d %d %d", mostDoubts, lastOutcomes, most),
		failures: fmt.Sprintf("%%d of the last %%d outcomes failed or were refused, more than %s %%%% of %d", campaign.Percent(limit), lastOutcomes),
		doubts:   fmt.Sprintf("%d doubts in a row: Telesign doesn't answer", mostDoubts),
		line:     campaign.Machine("@").Entry(at, "held", "").Encode(),
	}
}

// startAnew makes a campaign that runs again by somebody's word count from
// nothing, or what held it would hold it again at once.
func (l *Ledger) startAnew(ctx context.Context, c campaign.ID) error {
	if err := l.rdb.HDel(ctx, keyMeta(c), fieldDoubts).Err(); err != nil {
		return fmt.Errorf("watch campaign %s anew: %w", c, err)
	}
	return l.forgetOutcomes(ctx, c)
}

// forgetOutcomes leaves out of a new run what became of people in the last one.
func (l *Ledger) forgetOutcomes(ctx context.Context, c campaign.ID) error {
	if err := l.rdb.HDel(ctx, keyWatch(c), "last").Err(); err != nil {
		return fmt.Errorf("watch campaign %s anew: %w", c, err)
	}
	return nil
}
