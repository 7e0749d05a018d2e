package schedule

import (
	"fmt"
	"math"
)

// Refusal is why nothing was sent for a tick: Kind for metrics, Reason for
// people.
type Refusal struct {
	Kind   string
	Reason string
}

// The kinds of refusals.
const (
	RefusedEmpty    = "empty"    // nobody is in the list
	RefusedDrift    = "drift"    // far more or fewer than the last time
	RefusedSource   = "source"   // the list couldn't be read to its end
	RefusedRows     = "rows"     // the list, or the campaign file, has faults
	RefusedCampaign = "campaign" // the campaign file can't be read
	RefusedExport   = "export"   // the export failed, or opened no campaign
)

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason }

// judgeSize refuses a list whose size is off from the last one's by more than
// most, a part of it; last 0 means that there was none.
func judgeSize(size, last int, most float64) error {
	if size == 0 {
		return &Refusal{RefusedEmpty, "the list has nobody to send to"}
	}
	if last == 0 {
		return nil
	}
	if drift := math.Abs(float64(size-last)) / float64(last); drift > most {
		return &Refusal{RefusedDrift, fmt.Sprintf("%d recipients, and %d the last time: %.0f %% off, over max_drift (%.0f %%)",
			size, last, drift*100, most*100)}
	}
	return nil
}
