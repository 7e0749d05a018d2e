package campaign_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "7", "order-history-2026-11", "sends-2026-11-22", "a_b", "a-", "0_", strings.Repeat("x", 48)} {
		if id, err := campaign.ParseID(good); err != nil || string(id) != good {
			t.Errorf("%q: %q, %v", good, id, err)
		}
	}
	for _, bad := range []string{
		"", "-a", "_a", "A", "a.b", "a b", "a{b}", "a:b", "é", "a\n", "a\x00", "a/b", strings.Repeat("x", 49),
	} {
		if id, err := campaign.ParseID(bad); !errors.Is(err, campaign.ErrBadID) || id != "" {
			t.Errorf("%q: %q, %v", bad, id, err)
		}
	}
}

func TestPlace_AndPosition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		position int
		place    campaign.Place
	}{
		{0, campaign.Place{}},
		{99, campaign.Place{Index: 99}},
		{100, campaign.Place{Page: 1}},
		{12345, campaign.Place{Page: 123, Index: 45}},
	} {
		if p := campaign.PlaceOf(tt.position); p != tt.place || p.Position() != tt.position {
			t.Errorf("%d: %v, back %d", tt.position, p, p.Position())
		}
	}
}

func TestExternalID_RoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	ids := []campaign.ID{"a", "order-history-2026-11", campaign.ID(strings.Repeat("x", campaign.MaxIDLength))}
	for range 2000 {
		id, p, attempt := campaigntest.Pick(r, ids), campaign.PlaceOf(r.IntN(99_999_999_999)), 1+r.IntN(999_999_999)
		s := campaign.ExternalID(id, p, attempt)
		if len(s) > 75 {
			t.Fatalf("%q is longer than 75 characters", s)
		}
		id2, p2, attempt2, err := campaign.ParseExternalID(s)
		if err != nil || id2 != id || p2 != p || attempt2 != attempt {
			t.Fatalf("%q: %q, %v, %d, %v", s, id2, p2, attempt2, err)
		}
	}
}

func TestParseExternalID_RefusesEveryOtherForm(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "null", "a", "a.", "a.0", "a.0.0", "a.0.0.", "a..0.1", "a.0..1", ".0.0.1", "a.0.0.1.", "a.0.0.1.1",
		"a.0.0.0",              // no attempt
		"a.0.100.1",            // beyond the page
		"a.00.0.1", "a.0.0.01", // leading zeros
		"a.+1.0.1", "a.-1.0.1", // signs
		"a.0x1.0.1", "a.1e3.0.1", // other notations
		"a.0.0.1 ", " a.0.0.1", // blanks
		"A.0.0.1", "a{b}.0.0.1", // no campaign ID
		"a.1234567890.0.1",     // too large
		"a.٣.0.1", "a.0.0.1\n", // no ASCII digits
		strings.Repeat("x", 49) + ".0.0.1",
	} {
		if id, p, attempt, err := campaign.ParseExternalID(bad); !errors.Is(err, campaign.ErrBadExternalID) || id != "" || p != (campaign.Place{}) || attempt != 0 {
			t.Errorf("%q: %q, %v, %d, %v", bad, id, p, attempt, err)
		}
	}
}

func FuzzParseExternalID(f *testing.F) {
	f.Add("order-history-2026-11.12.34.1")
	f.Add("a.0.99.1")
	f.Add("null")
	f.Fuzz(func(t *testing.T, s string) {
		id, p, attempt, err := campaign.ParseExternalID(s)
		if err != nil {
			return
		}
		if back := campaign.ExternalID(id, p, attempt); back != s {
			t.Fatalf("%q is read, and written as %q", s, back)
		}
	})
}
