package orderhistory

import (
	"fmt"
	"math"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/state"
)

// figures are what the gate judges.
type figures struct {
	customers, setAside, files int
	bytes                      int64 // -1: not known yet
}

// limits are what it allows.
type limits struct{ maxDrift, maxBad float64 }

// verdict judges an export by its figures and those of the last successful one, which
// may be nil. A person may let the second refusal, drift, pass.
func verdict(now figures, last *state.Export, l limits) (final, drift *Refusal) {
	if now.customers > 0 {
		if bad := float64(now.setAside) / float64(now.customers); bad > l.maxBad {
			return &Refusal{BadRows, fmt.Errorf("%s of %s set aside, %.1f %%, and at most %.1f %% may be",
				campaign.Number(now.setAside), campaign.Count(now.customers, "customer"), 100*bad, 100*l.maxBad)}, nil
		}
	}
	if now.files == 0 {
		return &Refusal{Empty, fmt.Errorf("there is no customer to send a file to")}, nil
	}
	if last == nil {
		return nil, nil
	}
	if why := drifted("files", float64(now.files), float64(last.Files), l.maxDrift); why != "" {
		return nil, &Refusal{Drift, fmt.Errorf("%s, in period %s", why, last.Period)}
	}
	if now.bytes >= 0 {
		if why := drifted("bytes", float64(now.bytes), float64(last.Bytes), l.maxDrift); why != "" {
			return nil, &Refusal{Drift, fmt.Errorf("%s, in period %s", why, last.Period)}
		}
	}
	return nil, nil
}

// drifted returns in words that a figure is too far from the last one; empty: it
// isn't.
func drifted(what string, now, last, maxDrift float64) string {
	if last <= 0 || math.Abs(now-last)/last <= maxDrift {
		return ""
	}
	return fmt.Sprintf("%.0f %s are more than %.0f %% off the %.0f of the last time", now, what, 100*maxDrift, last)
}

// judge is the gate: it refuses an export that looks wrong.
func (r *run) judge(t state.Totals, files int, bytes int64) error {
	now := figures{customers: t.Customers, setAside: t.SetAside, files: files, bytes: bytes}
	final, drift := verdict(now, r.last, limits{r.MaxDrift, r.MaxBad})
	switch {
	case final != nil:
		return final
	case drift == nil:
		return nil
	case r.options.Force == nil:
		return drift
	}
	r.drifted = drift.Err.Error()
	return nil
}
