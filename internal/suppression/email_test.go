package suppression_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
)

func TestList_TakesEmailAddressesWhateverTheirCase(t *testing.T) {
	t.Parallel()
	l := setup(t).suppressions
	e := suppression.Entry{At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Why: suppression.WhyHand}
	added, err := l.AddAll(t.Context(), []suppression.Number{{Phone: "Anna@Example.com", Entry: e}, {Phone: "+12015550101", Entry: e}})
	if err != nil || added != 2 {
		t.Fatalf("%d, %v", added, err)
	}
	for address, want := range map[string]bool{"ANNA@example.com": true, "anna@example.org": false, "+12015550101": true} {
		if _, on, err := l.Find(t.Context(), address); on != want || err != nil {
			t.Errorf("%s: %v, %v", address, on, err)
		}
	}
	listed, err := l.Contains(t.Context(), []string{"bob@example.com", "anna@EXAMPLE.com", "+12015550102"})
	if diff := cmp.Diff([]bool{false, true, false}, listed); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	var all []string
	if err := l.Each(t.Context(), func(n suppression.Number) error { all = append(all, n.Phone); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(all, " "); got != "anna@example.com +12015550101" && got != "+12015550101 anna@example.com" {
		t.Error(got)
	}
	if removed, err := l.Remove(t.Context(), "anna@Example.com", suppression.Entry{At: e.At.Add(time.Hour), Why: suppression.WhyRemoved}); !removed || err != nil {
		t.Errorf("%v, %v", removed, err)
	}
}

func TestNormalize_TakesEmailAddresses(t *testing.T) {
	t.Parallel()
	number := func(s string) (string, error) { return phone.Normalize(s, "US") }
	for in, want := range map[string]string{" Anna@Example.com": "anna@example.com", "201 555 0101": "+12015550101", "anna@": ""} {
		if got, err := suppression.Normalize(number, in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}
