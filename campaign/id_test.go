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
		a := campaign.Attempt{Campaign: id, Salt: "k3v7q2m5", Place: p, Number: attempt}
		s := a.ExternalID()
		if len(s) > 87 {
			t.Fatalf("%q is longer than 87 characters", s)
		}
		if back, err := campaign.ParseExternalID(s); err != nil || back != a {
			t.Fatalf("%q: %v, %v", s, back, err)
		}
	}
}

func TestParseExternalID_RefusesEveryOtherForm(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "null", "a", "a.0.0.1", "a..0.0.1",
		"a.k3v7q2m.0.0.1", "a.k3v7q2m5x.0.0.1", "a.K3V7Q2M5.0.0.1", "a.k3v7q2m1.0.0.1", // no salt
		"a.", "a.k3v7q2m5.0", "a.k3v7q2m5.0.0", "a.k3v7q2m5.0.0.", "a.k3v7q2m5..0.1", "a.k3v7q2m5.0..1", ".k3v7q2m5.0.0.1", "a.k3v7q2m5.0.0.1.", "a.k3v7q2m5.0.0.1.1",
		"a.k3v7q2m5.0.0.0",                       // no attempt
		"a.k3v7q2m5.0.100.1",                     // beyond the page
		"a.k3v7q2m5.00.0.1", "a.k3v7q2m5.0.0.01", // leading zeros
		"a.k3v7q2m5.+1.0.1", "a.k3v7q2m5.-1.0.1", // signs
		"a.k3v7q2m5.0x1.0.1", "a.k3v7q2m5.1e3.0.1", // other notations
		"a.k3v7q2m5.0.0.1 ", " a.k3v7q2m5.0.0.1", // blanks
		"A.k3v7q2m5.0.0.1", "a{b}.k3v7q2m5.0.0.1", // no campaign ID
		"a.k3v7q2m5.1234567890.0.1",              // too large
		"a.k3v7q2m5.٣.0.1", "a.k3v7q2m5.0.0.1\n", // no ASCII digits
		strings.Repeat("x", 49) + ".k3v7q2m5.0.0.1",
	} {
		if a, err := campaign.ParseExternalID(bad); !errors.Is(err, campaign.ErrBadExternalID) || a != (campaign.Attempt{}) {
			t.Errorf("%q: %v, %v", bad, a, err)
		}
	}
}

func FuzzParseExternalID(f *testing.F) {
	f.Add("order-history-2026-11.k3v7q2m5.12.34.1")
	f.Add("a.aaaaaaaa.0.99.1")
	f.Add("null")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := campaign.ParseExternalID(s)
		if err != nil {
			return
		}
		if back := a.ExternalID(); back != s {
			t.Fatalf("%q is read, and written as %q", s, back)
		}
	})
}
