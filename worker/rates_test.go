package worker_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/worker"
)

// between counts POSTs for the campaign from one moment to the next.
func (v *vendor) between(id campaign.ID, from, to time.Time) int {
	n := 0
	for _, p := range v.all() {
		if strings.HasPrefix(p.ExternalID, string(id)+".") && p.At.After(from) && p.At.Before(to) {
			n++
		}
	}
	return n
}

func (r *rig) setRate(id campaign.ID, rate float64) {
	r.t.Helper()
	set := func() error {
		if id == "" {
			return r.ledger.SetAccountRate(r.t.Context(), "default", rate, campaign.Actor{Name: "anna", Why: "a test"}, time.Now())
		}
		return r.ledger.SetRate(r.t.Context(), id, rate, campaign.Actor{Name: "anna", Why: "a test"}, time.Now())
	}
	if err := set(); err != nil {
		r.t.Fatal(err)
	}
}

// A change holds a second later in every worker, and for as long as it stands.
func TestRates_AChangeHoldsWithinASecondInAllWorkers(t *testing.T) {
	t.Parallel()
	const n = 3000
	for name, c := range map[string]struct {
		of   campaign.ID // whose rate is set
		file float64
	}{
		"a campaign's":                   {"c", 150},
		"a campaign's that had none":     {"c", 0},
		"the account's":                  {"", 0},
		"the account's, over an own one": {"", 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{}
			r := setup(t, v)
			r.stand("c", phones(n), false, func(s *campaign.Spec) { s.Rate = c.file })
			for range 2 {
				r.start(func(o *worker.Options) { o.Rate = 200 })
			}
			r.until("it is under way", func() bool { return len(v.all()) > 20 })
			r.setRate(c.of, 10)
			at := time.Now()
			r.until("three seconds have passed", func() bool { return time.Since(at) > 3*time.Second })
			if n := v.between("c", at.Add(time.Second), at.Add(3*time.Second)); n > 20 {
				t.Errorf("%d POSTs in two seconds at 10/s", n)
			}
			r.setRate(c.of, 100)
			at = time.Now()
			r.until("it goes faster", func() bool { return v.between("c", time.Now().Add(-time.Second), time.Now()) > 20 })
			r.until("two seconds have passed", func() bool { return time.Since(at) > 2*time.Second })
			if n := v.between("c", at.Add(time.Second), at.Add(2*time.Second)); n > 100 {
				t.Errorf("%d POSTs in a second at 100/s", n)
			}
			r.setRate(c.of, 0)
			before := len(v.all())
			at = time.Now()
			r.until("it goes on at its own rate", func() bool { return len(v.all()) > before+300 })
			if took := time.Since(at); took < 1300*time.Millisecond {
				t.Errorf("300 POSTs at most 200/s took %v", took)
			}
		})
	}
}

// Sends that wait for the account's slot already begin again.
func TestRates_ALoweredRateHoldsForThoseWhoWaitForTheAccount(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(400), false)
	r.start(func(o *worker.Options) { o.Rate = 20 }) // 30 in flight
	r.until("it is under way", func() bool { return r.balance(c).Of(campaign.Accepted) > 10 })
	r.setRate("c", 1)
	at := time.Now()
	r.until("three seconds have passed", func() bool { return time.Since(at) > 3*time.Second })
	if n := v.between("c", at.Add(time.Second), at.Add(3*time.Second)); n > 3 {
		t.Errorf("%d POSTs in two seconds at 1/s", n)
	}
	sent := len(v.all())
	r.until("it goes on", func() bool { return len(v.all()) > sent })
}

// A campaign's own rate, however high, stays under the account's; and a worker
// that starts later hears of what was set before.
func TestRates_ACampaignsStaysUnderTheAccounts(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(40), false)
	r.setRate("c", 5000)
	r.setRate("", 20)
	r.start()
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 40 })
	all := v.all()
	if took := all[len(all)-1].At.Sub(all[0].At); took < 1800*time.Millisecond { // 39 gaps of 51 ms
		t.Errorf("40 messages at 20/s took %v", took)
	}
	v.once(t, 40)
}

// What a 429 has held up leaves no faster than the campaign's own rate.
func TestRates_ACampaignsOwnRateHoldsAfterAWait(t *testing.T) {
	t.Parallel()
	const n, rate = 150, 20
	var denied atomic.Bool
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if v.taken.Load() == 30 && denied.CompareAndSwap(false, true) {
			w.Header().Set("Retry-After", "2")
			answer(w, 429, 3204)
			return
		}
		accept(w, v.next())
	}
	r := setup(t, v)
	r.stand("c", phones(n), false, func(s *campaign.Spec) { s.Rate = rate })
	r.start(func(o *worker.Options) { o.Rate = 200 })
	r.until("everyone is sent to", func() bool { return v.taken.Load() == n })
	most, posts := 0, v.all()
	for i, first := range posts {
		in := 0
		for _, p := range posts[i:] {
			if p.At.Before(first.At.Add(time.Second)) {
				in++
			}
		}
		most = max(most, in)
	}
	if most > rate*1.3+1 { // a slot may be older than its request by ownLate
		t.Errorf("%d in a second at %d/s", most, rate)
	}
	if len(v.byRecipient()) != n {
		t.Errorf("%d were sent to, want %d", len(v.byRecipient()), n)
	}
}

// A claim doesn't wait for as long as Telesign asks everyone to: it would be stale, and
// in doubt, and leave in the end.
func TestRates_ALongWaitGivesClaimsBack(t *testing.T) {
	t.Parallel()
	const n = 60
	var denied atomic.Bool
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if v.taken.Load() == 10 && denied.CompareAndSwap(false, true) {
			w.Header().Set("Retry-After", "16")
			answer(w, 429, 3204)
			return
		}
		accept(w, v.next())
	}
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	r.start(func(o *worker.Options) { o.Rate = 20 })
	r.until("it is told to wait", denied.Load)
	at := time.Now()
	r.until("claims are given back", func() bool { return time.Since(at) > time.Second && r.balance(c).Of(campaign.Claimed) == 0 })
	if took := time.Since(at); took > 14*time.Second {
		t.Errorf("they waited for %v", took)
	}
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	if len(v.byRecipient()) != n {
		t.Errorf("%d were sent to, want %d", len(v.byRecipient()), n)
	}
}

// Telesign allows less than we think: no send fails, and none is made twice.
func TestRates_TelesignsOwnLimitIsFoundAndNobodyFails(t *testing.T) {
	t.Parallel()
	const n = 150
	sim := newSimulator(t, simulator.Options{Rate: 20, Speed: 1000})
	r := setup(t, sim)
	c := r.stand("c", phones(n), false)
	var registries []*prometheus.Registry
	for range 3 {
		registry := prometheus.NewRegistry()
		registries = append(registries, registry)
		r.start(func(o *worker.Options) { o.Rate, o.Metrics = 60, registry })
	}
	lowest := 60.0
	r.until("everyone is sent to", func() bool {
		p, err := r.ledger.Pace(t.Context(), "default")
		if err != nil {
			t.Fatal(err)
		}
		lowest = min(lowest, p.Of(60))
		return r.balance(c).Of(campaign.Accepted) == n
	})
	r.closes(c)
	sent := map[string]int{}
	for _, m := range sim.Accepted() {
		sent[m.ExternalID[:strings.LastIndexByte(m.ExternalID, '.')]]++
	}
	for id, times := range sent {
		if times != 1 {
			t.Errorf("%s was sent %d times", id, times)
		}
	}
	if len(sent) != n {
		t.Errorf("%d were sent to, want %d", len(sent), n)
	}
	for i := range n {
		if got := r.record(c, i); got.Faults != 0 {
			t.Errorf("recipient %d: %d faults", i, got.Faults)
		}
	}
	if lowest > 40 { // a busy machine loses slots, and has sent to all before it has heard much
		t.Errorf("the rate was lowered to %v", lowest)
	}
	// Each slot's fate is counted.
	values := map[string]float64{}
	for _, registry := range registries {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				values[name] += m.GetCounter().GetValue() // of all workers
				values[name] = max(values[name], m.GetGauge().GetValue())
			}
		}
	}
	reserved, used, lost := values["handout_slots_reserved_total default account"], values["handout_slots_used_total default account"], values["handout_slots_lost_total default account"]
	if used == 0 || reserved < used+lost || reserved > used+lost+180 {
		t.Errorf("%v slots were reserved, %v used, %v lost", reserved, used, lost)
	}
	if rate := values["handout_rate default"]; rate == 0 || rate > 60 {
		t.Errorf("rate %v", rate)
	}
}

// Everyone in flight waits for a campaign that has just been slowed down.
func TestRates_ALoweredCampaignIsInNobodysWay(t *testing.T) {
	t.Parallel()
	const n = 1200
	v := &vendor{}
	r := setup(t, v)
	slow := r.stand("slow", phones(n), false)
	r.start(func(o *worker.Options) { o.Rate = 100; soon(o) })
	r.until("its window is full", func() bool {
		queued, _ := r.standing(t.Context(), slow)
		return queued > 100 && len(v.all()) > 100
	})
	r.setRate("slow", 1)
	quick := r.stand("quick", phones(300), false)
	start := time.Now()
	r.until("the quick one is through", func() bool { return r.balance(quick).Of(campaign.Planned) == 0 })
	// Alone it takes 3 s, in turn with all that stood before it 200 s.
	if took := time.Since(start); took > time.Minute {
		t.Errorf("the other campaign took %v", took)
	}
	at := time.Now()
	r.until("the slow one goes on", func() bool { return v.between("slow", at, time.Now()) > 5 })
	if took := time.Since(at); took < 4*time.Second {
		t.Errorf("six messages at 1/s took %v", took)
	}
	r.setRate("slow", 0)
	r.setRate("", 1000)
	r.untilPhase(slow, campaign.Done)
	v.once(t, n+300)
	r.closes(slow)
}
