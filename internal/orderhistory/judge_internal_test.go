package orderhistory

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/orderhistory/state"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	last := &state.Export{Period: "2026-11-16", Files: 100, Bytes: 1000}
	for name, c := range map[string]struct {
		now          figures
		last         *state.Export
		final, drift Reason
	}{
		"the first":                 {figures{10, 0, 10, 100}, nil, "", ""},
		"nobody":                    {figures{0, 0, 0, 0}, nil, Empty, ""},
		"nobody, after many":        {figures{0, 0, 0, 0}, last, Empty, ""},
		"all set aside":             {figures{1, 1, 0, 0}, nil, BadRows, ""},
		"a few set aside":           {figures{100, 5, 95, 1000}, last, "", ""},
		"one more set aside":        {figures{100, 6, 94, 1000}, last, BadRows, ""},
		"as many":                   {figures{100, 0, 100, 1000}, last, "", ""},
		"half as many":              {figures{50, 0, 50, 1000}, last, "", ""},
		"less than half":            {figures{49, 0, 49, 1000}, last, "", Drift},
		"half as many again":        {figures{150, 0, 150, 1000}, last, "", ""},
		"more than that":            {figures{151, 0, 151, 1000}, last, "", Drift},
		"smaller files":             {figures{100, 0, 100, 499}, last, "", Drift},
		"larger files":              {figures{100, 0, 100, 1501}, last, "", Drift},
		"sizes that aren't known":   {figures{100, 0, 100, -1}, last, "", ""},
		"bad rows go before drift":  {figures{10, 5, 5, 1}, last, BadRows, ""},
		"a last one without a size": {figures{100, 0, 100, 7}, &state.Export{Files: 100}, "", ""},
	} {
		final, drift := verdict(c.now, c.last, limits{maxDrift: 0.5, maxBad: 0.05})
		reason := func(r *Refusal) Reason {
			if r == nil {
				return ""
			}
			return r.Reason
		}
		if reason(final) != c.final || reason(drift) != c.drift {
			t.Errorf("%s: %q, %q", name, reason(final), reason(drift))
		}
	}
}

func TestClean_OneShortValidLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" Ada  Lovelace\n": "Ada Lovelace", "a\x00b": "a\x00b", "\xff": "\ufffd", "=1+1": "=1+1",
		strings.Repeat("é", 400): strings.Repeat("é", 250),
	} {
		if got := clean(in); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
}
