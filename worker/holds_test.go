package worker_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/worker"
)

const silence = "10 doubts in a row: Telesign doesn't answer"

// heldFor fails the test unless the campaign is held with this reason.
func (r *rig) heldFor(c *campaign.Info, want string) {
	r.t.Helper()
	if p, why := r.phase(c); p != campaign.Held || why != want {
		r.t.Errorf("campaign %s is %s: %q, want %q", c.ID, p, why, want)
	}
}

func oneByOne(o *worker.Options) { o.Concurrency = 1 }

// The account is one for all campaigns: the first fault holds each of them, and
// after the resume everyone is sent to exactly once.
func TestHold_AFaultOfTheAccountHoldsEveryCampaignAtTheFirst(t *testing.T) {
	t.Parallel()
	const n = 40
	var repaired atomic.Bool
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if !repaired.Load() {
			answer(w, 400, 3207)
			return
		}
		accept(w, v.next())
	}
	r := setup(t, v)
	one, two := r.stand("one", phones(n), false), r.stand("two", phones(n), false)
	r.start(oneByOne)
	want := "Telesign: 3207 " + telesign.Code(3207).Text()
	for _, c := range []*campaign.Info{one, two} {
		r.untilPhase(c, campaign.Held)
		r.heldFor(c, want)
	}
	r.untilQuiet()
	if posts := len(v.all()); posts != 1 {
		t.Errorf("%d POSTs: the first fault holds everything", posts)
	}
	for _, c := range []*campaign.Info{one, two} {
		if b := r.balance(c); b.Of(campaign.Planned)+b.Of(campaign.Retrying) != n {
			t.Errorf("%s: %+v", c.ID, b)
		}
	}
	repaired.Store(true)
	for _, c := range []*campaign.Info{one, two} {
		r.resume(c)
		r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	}
	r.untilQuiet()
	sent := map[string]int{}
	for _, p := range v.all()[1:] {
		sent[p.ExternalID]++
		if sent[p.ExternalID] > 1 || !strings.HasSuffix(p.ExternalID, ".1") {
			t.Errorf("%s was sent %d times", p.ExternalID, sent[p.ExternalID])
		}
	}
	if len(sent) != 2*n {
		t.Errorf("%d were sent to, want %d", len(sent), 2*n)
	}
	r.closes(one)
	r.closes(two)
}

// Telesign tells of an account without money when it is asked, too.
func TestHold_APolledFaultOfTheAccountHoldsEveryCampaign(t *testing.T) {
	t.Parallel()
	v := &vendor{poll: func(w http.ResponseWriter, _ *http.Request, reference string) {
		fmt.Fprintf(w, `{"reference_id":%q,"status":{"code":3073,"description":"x"}}`, reference)
	}}
	r := setup(t, v)
	asked, beside := r.stand("asked", phones(2), false), r.stand("beside", phones(2), false)
	past := time.Now().Add(-time.Hour)
	for _, c := range []*campaign.Info{asked, beside} { // they have run since then
		if err := r.rdb.HSet(t.Context(), "handout:{"+string(c.ID)+"}:meta", "started", past.UnixMilli()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	r.apply(asked, 0, claimed(past), campaign.Event{
		Kind: campaign.EventAccept, At: past, Attempt: 1, Code: 3001, Reference: reference(1), DueAt: past,
	})
	if _, err := r.ledger.Advance(t.Context(), asked.ID, 0, []int{1}, []int{0}, past); err != nil {
		t.Fatal(err)
	}
	r.start(func(o *worker.Options) { o.Rate = 0.01 }) // no send is due meanwhile
	for _, c := range []*campaign.Info{asked, beside} {
		r.untilPhase(c, campaign.Held)
		if _, why := r.phase(c); !strings.HasPrefix(why, "Telesign: 3073 ") {
			t.Errorf("%s: held for %q", c.ID, why)
		}
	}
}

// A template that is gone holds its own campaign; others may have another.
func TestHold_APolledFaultOfTheTemplateHoldsItsCampaign(t *testing.T) {
	t.Parallel()
	v := &vendor{poll: func(w http.ResponseWriter, _ *http.Request, reference string) {
		fmt.Fprintf(w, `{"reference_id":%q,"status":{"code":3003,"description":"x"},"channel_status":[{"sms":{"code":3855}},{"whatsapp":{"code":3855}}]}`, reference)
	}}
	r := setup(t, v)
	asked, beside := r.stand("asked", phones(2), false), r.stand("beside", phones(2), false)
	past := time.Now().Add(-time.Hour)
	r.apply(asked, 0, claimed(past), campaign.Event{
		Kind: campaign.EventAccept, At: past, Attempt: 1, Code: 3001, Reference: reference(1), DueAt: past,
	})
	if _, err := r.ledger.Advance(t.Context(), asked.ID, 0, []int{1}, []int{0}, past); err != nil {
		t.Fatal(err)
	}
	r.start(func(o *worker.Options) { o.Rate = 0.01 }) // no send is due meanwhile
	r.untilPhase(asked, campaign.Held)
	if _, why := r.phase(asked); !strings.HasPrefix(why, "Telesign: 3855 Template disabled by provider: template ") {
		t.Errorf("held for %q", why)
	}
	if phase, _ := r.phase(beside); phase != campaign.Running {
		t.Errorf("another is %s", phase)
	}
}

// A vendor that takes everything and says nothing: each answer lost is a person
// in doubt, so that it ends with ten, and those that were under way beside.
func TestHold_TenUnansweredRequestsHoldTheCampaign(t *testing.T) {
	t.Parallel()
	var answers atomic.Bool
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if !answers.Load() {
			hangUp(w)
			return
		}
		accept(w, v.next())
	}
	const n = 60
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	r.start(oneByOne)
	r.untilPhase(c, campaign.Held)
	r.untilQuiet()
	r.heldFor(c, silence)
	if posts, doubts := len(v.all()), r.balance(c).Of(campaign.InDoubt); posts != 10 || doubts != 10 {
		t.Errorf("%d POSTs, %d in doubt", posts, doubts)
	}
	answers.Store(true)
	r.resume(c)
	r.until("the others are sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n-10 })
	r.untilQuiet()
	v.once(t, n)
	r.closes(c)
}

// A worker that was killed leaves claims, not silence of Telesign's.
func TestHold_TwentyClaimsOfAKilledWorkerHoldNothing(t *testing.T) {
	t.Parallel()
	const n = 40
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	for i := range 20 {
		r.apply(c, i, claimed(longAgo()))
	}
	r.fed(c)
	r.start(func(o *worker.Options) { o.Poll = false })
	r.until("all are settled", func() bool {
		b := r.balance(c)
		return b.Of(campaign.InDoubt) == 20 && b.Of(campaign.Accepted) == 20
	})
	if p, why := r.phase(c); p == campaign.Held {
		t.Errorf("held for %q", why)
	}
	v.once(t, n-20)
	r.closes(c)
}

// A list of dead numbers stops itself: with the simulator's own story of a
// message that fails on both channels.
func TestHold_TooManyFailuresHoldTheCampaign(t *testing.T) {
	t.Parallel()
	vendor := newSimulator(t, simulator.Options{Speed: 20_000, Polling: true})
	r := setup(t, vendor)
	numbers := make([]string, 400)
	for i := range numbers {
		numbers[i] = phone(i, 70) // a permanent error of the phone
	}
	limited := r.stand("limited", numbers, false)
	vendor.SetCallbackURL(r.listen(limited))
	r.start(func(o *worker.Options) { o.Rate = 50 })
	r.untilPhase(limited, campaign.Held)
	if _, why := r.phase(limited); !strings.Contains(why, " outcomes failed or were refused, more than 30 % of 200") {
		t.Errorf("held for %q", why)
	}
	r.untilQuiet()
	if sent := len(vendor.Accepted()); sent < 61 || sent == len(numbers) {
		t.Errorf("%d of %d were sent to", sent, len(numbers))
	}
	if err := vendor.Idle(t.Context()); err != nil { // receipts are still on their way
		t.Fatal(err)
	}
	r.closes(limited)
}

func TestHold_WithoutALimitAListOfDeadNumbersRunsToItsEnd(t *testing.T) {
	t.Parallel()
	vendor := newSimulator(t, simulator.Options{Speed: 20_000, Polling: true})
	r := setup(t, vendor)
	numbers := make([]string, 150)
	for i := range numbers {
		numbers[i] = phone(i, 70)
	}
	c := r.stand("c", numbers, false, func(s *campaign.Spec) { s.MaxFailureRate = 1 })
	vendor.SetCallbackURL(r.listen(c))
	r.start(func(o *worker.Options) { o.Rate = 300 })
	r.untilPhase(c, campaign.Done)
	if b := r.balance(c); b.Of(campaign.Failed) != len(numbers) {
		t.Errorf("%+v", b)
	}
	r.closes(c)
}
