package proposal_test

import (
	"errors"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/proposal"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/redis/go-redis/v9"
)

func TestPropose_KeepsOneSpecUntilItsOwnerReplacesIt(t *testing.T) {
	t.Parallel()
	s := proposal.New(redistest.Start(t).Client())
	spec := func(rate float64) *campaign.Spec { return &campaign.Spec{ID: "spring", MessageType: "MKT", Rate: rate} }
	if _, err := s.Read(t.Context(), "spring"); !errors.Is(err, proposal.ErrNotFound) {
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
		{by: "a", rate: 2, err: proposal.ErrOther, stands: 1, owner: "a"},
		{by: "b", rate: 2, replace: true, err: &proposal.ForeignError{ID: "spring", By: "a"}, stands: 1, owner: "a"},
		{by: "b", rate: 1, err: &proposal.ForeignError{ID: "spring", By: "a"}, stands: 1, owner: "a"},
		{by: "b", rate: 2, others: true, err: proposal.ErrOther, stands: 1, owner: "a"},
		{by: "b", rate: 1, others: true, stands: 1, owner: "a"},
		{by: "a", rate: 2, replace: true, added: true, stands: 2, owner: "a"},
		{by: "a", rate: 2, replace: true, stands: 2, owner: "a"},
		{by: "b", rate: 3, replace: true, others: true, added: true, stands: 3, owner: "b"},
		{by: "a", rate: 4, replace: true, err: &proposal.ForeignError{ID: "spring", By: "b"}, stands: 3, owner: "b"},
	} {
		added, err := s.Propose(t.Context(), spec(c.rate), campaign.Actor{Name: c.by}, c.replace, c.others)
		var foreign, want *proposal.ForeignError
		if errors.As(c.err, &want) && (!errors.As(err, &foreign) || *foreign != *want) || want == nil && !errors.Is(err, c.err) || added != c.added {
			t.Errorf("%+v: %v, %v", c, added, err)
		}
		if p, err := s.Read(t.Context(), "spring"); err != nil || p.Spec.Rate != c.stands || p.By != c.owner {
			t.Errorf("%+v: %+v, %v", c, p, err)
		}
	}
}

func TestList_HasWhatWaitsTheLatestFirst(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	s := proposal.New(rdb)
	propose := func(id campaign.ID, by string) error {
		_, err := s.Propose(t.Context(), &campaign.Spec{ID: id, MessageType: "MKT"}, campaign.Actor{Name: by}, false, false)
		return err
	}
	for i, id := range []campaign.ID{"gone", "spring", "summer"} {
		if err := propose(id, "a"); err != nil {
			t.Fatal(err)
		}
		// The same millisecond would leave the order to the names.
		rdb.ZIncrBy(t.Context(), "handout:proposals", float64(i), string(id))
	}
	rdb.Del(t.Context(), s.Key("gone")) // as when it dies between the name and the file
	if err := propose("spring", "b"); err == nil {
		t.Error("another's took its place")
	}
	rdb.ZIncrBy(t.Context(), "handout:proposals", 1000, "summer")
	all, err := s.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Spec.ID != "summer" || all[1].Spec.ID != "spring" || all[1].By != "a" {
		t.Errorf("%+v, %v", all, err)
	}
	rdb.ZAdd(t.Context(), "handout:proposals", redis.Z{Score: 1, Member: "gone"})
	if err := propose("autumn", "a"); err != nil {
		t.Fatal(err)
	}
	if n := rdb.ZCard(t.Context(), "handout:proposals").Val(); n != 3 {
		t.Errorf("%d names; those whose time has passed are taken out", n)
	}
}

func TestWithdraw_DeletesTheFileThatWasRead(t *testing.T) {
	t.Parallel()
	s := proposal.New(redistest.Start(t).Client())
	first, second := &campaign.Spec{ID: "spring", MessageType: "MKT"}, &campaign.Spec{ID: "spring", MessageType: "ARN"}
	for _, spec := range []*campaign.Spec{first, second} {
		if _, err := s.Propose(t.Context(), spec, campaign.Actor{Name: "a"}, true, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		spec *campaign.Spec
		done bool
	}{{first, false}, {second, true}, {second, false}} {
		if done, err := s.Withdraw(t.Context(), c.spec); done != c.done || err != nil {
			t.Errorf("%s: %v, %v", c.spec.MessageType, done, err)
		}
	}
	if _, err := s.Read(t.Context(), "spring"); !errors.Is(err, proposal.ErrNotFound) {
		t.Error(err)
	}
}
