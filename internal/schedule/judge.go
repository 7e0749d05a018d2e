package schedule

import (
	"fmt"
	"math"

	"github.com/handout-dev/handout/campaign"
)

// refusal is why a tick sent nothing: Kind for metrics, Reason for people.
type refusal struct {
	Kind   string
	Reason string
}

// The kinds of refusals.
const (
	refusedEmpty    = "empty"    // the list has no recipients
	refusedDrift    = "drift"    // far more or fewer recipients than the last time
	refusedSource   = "source"   // the list couldn't be read to its end
	refusedRows     = "rows"     // the list, or the campaign file, has faults
	refusedCampaign = "campaign" // the campaign file can't be read
	refusedExport   = "export"   // the export failed, or opened no campaign
)

// Error returns the reason.
func (r *refusal) Error() string { return r.Reason }

// judgeSize refuses a list whose size differs from the last one's by more than
// maxDrift, a part of that; last 0 means that there was none.
func judgeSize(size, last int, maxDrift float64) error {
	if size == 0 {
		return &refusal{refusedEmpty, "the list has no recipients"}
	}
	if last == 0 {
		return nil
	}
	if drift := math.Abs(float64(size-last)) / float64(last); drift > maxDrift {
		return &refusal{refusedDrift, fmt.Sprintf("%s, and %s the last time: %.0f %% off, over max_drift (%.0f %%)",
			campaign.Count(size, "recipient"), campaign.Number(last), drift*100, maxDrift*100)}
	}
	return nil
}
