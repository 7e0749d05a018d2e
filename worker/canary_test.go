package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/worker"
)

func canary(n int) func(*campaign.Spec) { return func(s *campaign.Spec) { s.Canary = n } }

// outcomes settle people who were accepted, from one position to another.
func (r *rig) outcomes(c *campaign.Info, from, to int, delivered bool) {
	r.t.Helper()
	for i := from; i < to; i++ {
		e := campaign.Event{Kind: campaign.EventReceipt, At: time.Now(), Attempt: 1}
		if e.Status = (campaign.Leg{Rank: campaign.RankDelivered, Code: 3000}); !delivered {
			e.Status, e.Final = campaign.Leg{Rank: campaign.RankFailed, Code: 3003}, true
		}
		r.apply(c, i, e)
	}
}

func (r *rig) cursor(c *campaign.Info) int {
	r.t.Helper()
	_, _, cursor, err := r.ledger.Phase(r.t.Context(), c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return cursor
}

// aFewLooks waits until the feed has looked a few times more: each sweep has it
// look once a second, and takes its lease.
func (r *rig) aFewLooks() {
	r.t.Helper()
	looks := func() int64 { return r.server.CommandStats()["zrange"] } // at what is due, after the feed's task
	before := looks()
	r.until("the feed has looked", func() bool { return looks() >= before+3 })
}

func (r *rig) untilAccepted(c *campaign.Info, n int) {
	r.t.Helper()
	r.until("the canary is accepted", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
}

// The others wait until the last of the canary has an outcome, whichever worker
// sees to it.
func TestCanary_TheOthersWaitForItsOutcomes(t *testing.T) {
	t.Parallel()
	const n, size = 350, 120
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false, canary(size))
	stop := r.start()
	r.untilAccepted(c, size)
	// A resume after any other hold isn't a word on the canary.
	if err := r.ledger.Pause(t.Context(), c.ID, campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.resume(c)
	r.outcomes(c, 0, 100, true)
	r.outcomes(c, 100, size-1, false)
	r.aFewLooks()
	if posts := len(v.all()); posts != size || r.cursor(c) != size {
		t.Fatalf("%d POSTs and %d fed, with an outcome missing", posts, r.cursor(c))
	}
	stop()
	r.outcomes(c, size-1, size, true)
	r.start()
	r.until("the others are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n-size })
	r.untilQuiet()
	v.once(t, n)
	if info, err := r.ledger.Info(t.Context(), c.ID); err != nil || info.Canary != campaign.CanaryPassed {
		t.Errorf("%+v, %v", info, err)
	}
	r.closes(c)
}

func TestCanary_AFailedOneHoldsAndAResumeOverrulesIt(t *testing.T) {
	t.Parallel()
	const n, size = 300, 100
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false, canary(size))
	r.start()
	r.untilAccepted(c, size)
	r.outcomes(c, 0, 70, true)
	r.outcomes(c, 70, size, false)
	r.untilPhase(c, campaign.Held)
	r.heldFor(c, "canary: 70 of 100 delivered, 80 % are needed")
	if posts := len(v.all()); posts != size {
		t.Errorf("%d POSTs", posts)
	}
	r.resume(c)
	r.until("the others are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n-size })
	r.untilQuiet()
	v.once(t, n)
	r.closes(c)
}

// Who is in doubt may yet be delivered to, until the deadline has passed.
func TestCanary_ADoubtCountsAsNotDeliveredOnceItsDeadlineHasPassed(t *testing.T) {
	t.Parallel()
	const n, size = 50, 10
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, p post) {
		if strings.HasPrefix(p.ExternalID, "c.0.0.") || strings.HasPrefix(p.ExternalID, "c.0.7.") || strings.HasPrefix(p.ExternalID, "late.0.7.") {
			hangUp(w)
			return
		}
		accept(w, v.next())
	}
	r := setup(t, v)
	c := r.stand("c", phones(n), false, canary(size), func(s *campaign.Spec) { s.CanarySuccess = 0.9 })
	late := r.stand("late", phones(n), false, canary(size), func(s *campaign.Spec) { s.CanarySuccess = 1 })
	r.start(func(o *worker.Options) { o.ReceiptDeadline, o.Poll = 20*time.Second, false })
	r.untilAccepted(c, size-2)
	r.untilAccepted(late, size-1)
	for i := range size {
		if i != 0 && i != 7 {
			r.outcomes(c, i, i+1, true)
		}
		r.outcomes(late, i, i+1, true) // the receipt settles the doubt
	}
	r.until("the others are accepted", func() bool { return r.balance(late).Of(campaign.Accepted) == n-size })
	r.outcomes(late, size, n, true)
	r.untilPhase(late, campaign.Done)
	r.untilPhase(c, campaign.Held)
	r.heldFor(c, "canary: 8 of 10 delivered, 90 % are needed")
	for _, i := range []int{0, 7} {
		if rec := r.record(c, i); rec.State != campaign.InDoubt || !rec.DueAt.IsZero() {
			t.Errorf("held while %d may yet be settled: %+v", i, rec)
		}
	}
	v.once(t, n+size)
	r.closes(c)
	r.closes(late)
}

func TestCanary_LargerThanTheListIsTheList(t *testing.T) {
	t.Parallel()
	const n = 30
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false, canary(500))
	r.start()
	r.untilAccepted(c, n)
	r.outcomes(c, 0, n, false)
	r.untilPhase(c, campaign.Done)
	v.once(t, n)
	r.closes(c)
}

func TestCanary_ACancelDoesNotWaitForIt(t *testing.T) {
	t.Parallel()
	const n, size = 300, 20
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false, canary(size))
	r.start()
	r.untilAccepted(c, size)
	if err := r.ledger.Cancel(t.Context(), c.ID, campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.until("the others are canceled", func() bool { return r.balance(c).Of(campaign.Canceled) == n-size })
	r.outcomes(c, 0, size, true)
	r.untilPhase(c, campaign.Done)
	v.once(t, size)
	r.closes(c)
}
