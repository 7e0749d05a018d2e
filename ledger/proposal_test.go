package ledger_test

import (
	"errors"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

func TestPropose_KeepsOneSpecUntilItsOwnerReplacesIt(t *testing.T) {
	t.Parallel()
	l := ledger.New(redistest.Start(t).Client())
	spec := func(rate float64) *campaign.Spec { return &campaign.Spec{ID: "spring", MessageType: "MKT", Rate: rate} }
	if _, _, err := l.Proposed(t.Context(), "spring"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	for _, c := range []struct {
		by              string
		rate            float64
		replace, others bool
		added           bool
		err             error
		stands          float64
		owner           string
	}{
		{by: "a", rate: 1, added: true, stands: 1, owner: "a"},
		{by: "a", rate: 1, stands: 1, owner: "a"},
		{by: "a", rate: 2, err: ledger.ErrOtherProposal, stands: 1, owner: "a"},
		{by: "b", rate: 2, replace: true, err: &ledger.ForeignError{ID: "spring", By: "a"}, stands: 1, owner: "a"},
		{by: "b", rate: 1, err: &ledger.ForeignError{ID: "spring", By: "a"}, stands: 1, owner: "a"},
		{by: "b", rate: 2, others: true, err: ledger.ErrOtherProposal, stands: 1, owner: "a"},
		{by: "b", rate: 1, others: true, stands: 1, owner: "a"},
		{by: "a", rate: 2, replace: true, added: true, stands: 2, owner: "a"},
		{by: "a", rate: 2, replace: true, stands: 2, owner: "a"},
		{by: "b", rate: 3, replace: true, others: true, added: true, stands: 3, owner: "b"},
		{by: "a", rate: 4, replace: true, err: &ledger.ForeignError{ID: "spring", By: "b"}, stands: 3, owner: "b"},
	} {
		added, err := l.Propose(t.Context(), spec(c.rate), campaign.Actor{Name: c.by}, c.replace, c.others)
		var foreign, want *ledger.ForeignError
		if errors.As(c.err, &want) && (!errors.As(err, &foreign) || *foreign != *want) || want == nil && !errors.Is(err, c.err) || added != c.added {
			t.Errorf("%+v: %v, %v", c, added, err)
		}
		if s, owner, err := l.Proposed(t.Context(), "spring"); err != nil || s.Rate != c.stands || owner != c.owner {
			t.Errorf("%+v: %+v, %s, %v", c, s, owner, err)
		}
	}
	if _, err := l.Info(t.Context(), "spring"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a proposal stands: %v", err)
	}
}
