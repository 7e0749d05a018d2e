package ledger_test

import (
	"context"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/campaigntest"
)

func TestCanary_IsJudgedByThoseWhoWereSentTo(t *testing.T) {
	t.Parallel()
	type states = map[campaign.State]int
	for _, c := range []struct {
		name   string
		fed    int
		limit  float64
		states states
		passed bool
		words  string
	}{
		{"all", 100, 0.8, states{campaign.Delivered: 100}, true, "100 of 100 delivered"},
		{"just enough", 100, 0.8, states{campaign.Delivered: 80, campaign.Failed: 20}, true, "80 of 100 delivered"},
		{"one too few", 100, 0.8, states{campaign.Delivered: 79, campaign.Failed: 21}, false, "79 of 100 delivered"},
		{"in doubt isn't delivered", 10, 0.8, states{campaign.Delivered: 7, campaign.InDoubt: 3}, false, "7 of 10 delivered"},
		{"unconfirmed isn't either", 10, 0.8, states{campaign.Delivered: 7, campaign.Unconfirmed: 3}, false, "7 of 10 delivered"},
		{"suppressed don't count", 10, 0.8, states{campaign.Delivered: 7, campaign.Suppressed: 2, campaign.Failed: 1}, true, "7 of 8 delivered"},
		{"nor canceled", 10, 0.8, states{campaign.Delivered: 7, campaign.Canceled: 2, campaign.Failed: 1}, true, "7 of 8 delivered"},
		{"nobody was sent to", 3, 0.8, states{campaign.Suppressed: 3}, false, "0 of 0 delivered"},
		{"to the one", 100, 0.29, states{campaign.Delivered: 29, campaign.Failed: 71}, true, "29 of 100 delivered"},
		{"rounded up", 7, 0.8, states{campaign.Delivered: 5, campaign.Failed: 2}, false, "5 of 7 delivered"},
	} {
		b := campaign.Balance{}
		b.States[campaign.Planned] = 1000
		for s, n := range c.states {
			b.States[s] += n
		}
		if b.CanaryMoving(c.fed) {
			t.Errorf("%s: still moving", c.name)
		}
		if passed, words := b.JudgeCanary(c.fed, c.limit); passed != c.passed || words != c.words {
			t.Errorf("%s: %v, %q", c.name, passed, words)
		}
		for _, s := range []campaign.State{campaign.Planned, campaign.Claimed, campaign.Retrying, campaign.Accepted} {
			missing := b
			for from := range c.states {
				missing.States[from]--
				break
			}
			missing.States[s]++
			if !missing.CanaryMoving(c.fed) {
				t.Errorf("%s: one is %s, and nothing moves", c.name, s)
			}
		}
	}
}

func TestCanary_OnlyAResumeOfAFailedOneOverrulesIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.standAs(t, "c", 300, func(s *campaign.Spec) { s.Canary, s.CanarySuccess = 100, 0.8 })
	stands := func(want string) {
		t.Helper()
		got, err := b.canary(t.Context(), "c")
		if err != nil || got != want || b.info(t, "c").Canary != want {
			t.Fatalf("the canary: %q, %v, want %q", got, err, want)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	stands("")
	must(b.ledger.Hold(ctx, "c", "no money", campaigntest.Noon))
	must(b.ledger.PassCanary(ctx, "c", "", "100 of 100 delivered", campaigntest.Noon)) // too late: it doesn't run
	stands("")
	b.resume(t, "c")
	stands("")
	must(b.ledger.Pause(ctx, "c", ann, campaigntest.Noon))
	b.resume(t, "c")
	stands("")

	must(b.ledger.FailCanary(ctx, info, "", "70 of 100 delivered", campaigntest.Noon))
	stands(campaign.CanaryFailed)
	if p, why := b.phase(t, "c"), b.reason(t, "c"); p != campaign.Held || why != "canary: 70 of 100 delivered, 80 % are needed" {
		t.Errorf("%s: %q", p, why)
	}
	b.resume(t, "c")
	stands(campaign.CanaryPassed)
	// A look of before says nothing any more.
	must(b.ledger.FailCanary(ctx, info, "", "70 of 100 delivered", campaigntest.Noon))
	if p := b.phase(t, "c"); p != campaign.Running {
		t.Errorf("%s after the resume", p)
	}
	stands(campaign.CanaryPassed)

	b.standAs(t, "good", 300, func(s *campaign.Spec) { s.Canary = 100 })
	must(b.ledger.PassCanary(ctx, "good", "", "95 of 100 delivered", campaigntest.Noon))
	must(b.ledger.PassCanary(ctx, "good", "", "95 of 100 delivered", campaigntest.Noon))
	if h := b.history(t, "good"); len(h) != 2 || h[1] != "passed the canary|handout|95 of 100 delivered|" {
		t.Errorf("%q", h)
	}
}

func (b *bundle) canary(ctx context.Context, id campaign.ID) (string, error) {
	info, err := b.ledger.Info(ctx, id)
	if err != nil {
		return "", err
	}
	return info.Canary, nil
}
