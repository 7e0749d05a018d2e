package ledger_test

import (
	"errors"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

func TestPropose_KeepsOneSpecUntilItIsReplaced(t *testing.T) {
	t.Parallel()
	l := ledger.New(redistest.Start(t).Client())
	spec := func(rate float64) *campaign.Spec { return &campaign.Spec{ID: "spring", MessageType: "MKT", Rate: rate} }
	if _, err := l.Proposed(t.Context(), "spring"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	for _, c := range []struct {
		rate    float64
		replace bool
		added   bool
		err     error
		stands  float64
	}{
		{rate: 1, added: true, stands: 1},
		{rate: 1, stands: 1},
		{rate: 2, err: ledger.ErrOtherProposal, stands: 1},
		{rate: 2, replace: true, added: true, stands: 2},
		{rate: 2, replace: true, stands: 2},
	} {
		added, err := l.Propose(t.Context(), spec(c.rate), c.replace)
		if added != c.added || !errors.Is(err, c.err) {
			t.Errorf("%+v: %v, %v", c, added, err)
		}
		if s, err := l.Proposed(t.Context(), "spring"); err != nil || s.Rate != c.stands {
			t.Errorf("%+v: %+v, %v", c, s, err)
		}
	}
	if _, err := l.Info(t.Context(), "spring"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a proposal stands: %v", err)
	}
}
