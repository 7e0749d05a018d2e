package orderhistory

import (
	"fmt"
	"math"

	"github.com/handout-dev/handout/internal/orderhistory/state"
)

// figures are what the gate looks at.
type figures struct {
	Customers, SetAside, Files int
	Bytes                      int64 // -1: not known yet
}

// limits are what it allows.
type limits struct{ MaxDrift, MaxBad float64 }

// verdict decides on an export by its figures and those of the last successful
// one, which may be nil. The second refusal may be let pass by a person.
func verdict(now figures, last *state.Export, l limits) (final, drift *Refusal) {
	if now.Customers > 0 {
		if bad := float64(now.SetAside) / float64(now.Customers); bad > l.MaxBad {
			return &Refusal{BadRows, fmt.Errorf("%d of %d customers are set aside, %.1f %%, and at most %.1f %% may be",
				now.SetAside, now.Customers, 100*bad, 100*l.MaxBad)}, nil
		}
	}
	if now.Files == 0 {
		return &Refusal{Empty, fmt.Errorf("there is nobody to send a file to")}, nil
	}
	if last == nil {
		return nil, nil
	}
	if why := drifted("files", float64(now.Files), float64(last.Files), l.MaxDrift); why != "" {
		return nil, &Refusal{Drift, fmt.Errorf("%s, in period %s", why, last.Period)}
	}
	if now.Bytes >= 0 {
		if why := drifted("bytes", float64(now.Bytes), float64(last.Bytes), l.MaxDrift); why != "" {
			return nil, &Refusal{Drift, fmt.Errorf("%s, in period %s", why, last.Period)}
		}
	}
	return nil, nil
}

// drifted says in words that a figure is too far from the last one.
func drifted(what string, now, last, most float64) string {
	if last <= 0 || math.Abs(now-last)/last <= most {
		return ""
	}
	return fmt.Sprintf("%.0f %s are more than %.0f %% off the %.0f of the last time", now, what, 100*most, last)
}

// judge is the gate: it refuses an export that looks wrong.
func (r *run) judge(t state.Totals, files int, bytes int64) error {
	now := figures{Customers: t.Customers, SetAside: t.SetAside, Files: files, Bytes: bytes}
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
