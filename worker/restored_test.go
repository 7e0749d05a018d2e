package worker_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

// heartbeats are how many workers have left one, and the time of the latest.
func (r *rig) heartbeats() (n int, latest time.Time) {
	r.t.Helper()
	for _, k := range r.rdb.Keys(r.t.Context(), "handout:beat:*").Val() {
		ms, err := r.rdb.Get(r.t.Context(), k).Int64()
		if err != nil {
			r.t.Fatal(err)
		}
		if n++; time.UnixMilli(ms).After(latest) {
			latest = time.UnixMilli(ms)
		}
	}
	return n, latest
}

// untilHeartbeats waits until so many workers have left one, the latest after a moment.
func (r *rig) untilHeartbeats(workers int, after time.Time) {
	r.t.Helper()
	r.until("the workers' heartbeats", func() bool { n, latest := r.heartbeats(); return n == workers && latest.After(after) })
}

// counted is a metric of a worker's.
func counted(t *testing.T, registry *prometheus.Registry, name string) int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func TestRestored_AnOlderStateHoldsEverythingAndNobodyIsSentTo(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name   string
		option redistest.Option
	}{
		{"snapshot", redistest.Set("save", "")},
		{"append-only file", redistest.AppendOnly("always")},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{}
			r := setupOn(t, v, kind.option)
			registry := prometheus.NewRegistry()
			r.start(func(o *worker.Options) { o.Rate, o.Metrics = 300, registry })
			slow := func(s *campaign.Spec) { s.Rate = 300 }
			running := r.stand("running", phones(9000), false, slow)
			paused := r.stand("paused", phones(20), true)
			r.until("some are sent to", func() bool { return len(v.all()) > 20 })
			r.untilHeartbeats(1, time.Time{})
			restore := r.server.Snapshot()
			at := time.Now()
			// It goes on for longer than any Redis may forget.
			r.untilHeartbeats(1, at.Add(12*time.Second))
			if phase, reason := r.phase(running); phase != campaign.Running {
				t.Fatalf("before anything was restored it is %s: %s", phase, reason)
			}
			restore()
			r.until("all are held", func() bool {
				a, _ := r.phase(running)
				b, _ := r.phase(paused)
				return a == campaign.Held && b == campaign.Held
			})
			// What stood in the queue is there again, and comes to nothing.
			r.until("no task waits", func() bool { return r.rdb.LLen(t.Context(), "asynq:{handout:bulk}:pending").Val() == 0 })
			_, reason := r.phase(running)
			if !strings.HasPrefix(reason, "Redis was restored from an older state (of 20") || !strings.HasSuffix(reason, "): who was sent to since then isn't known here") {
				t.Errorf("reason: %s", reason)
			}
			// Every POST, for whomever, is the first one.
			for id, times := range v.byRecipient() {
				if times != 1 {
					t.Errorf("%s was sent %d times", id, times)
				}
			}
			if !strings.Contains(r.log.String(), "all campaigns are held") {
				t.Error("nothing is in the log")
			}
			if n := counted(t, registry, "handout_redis_restored_total"); n != 1 {
				t.Errorf("counted %d times", n)
			}
			// What is resumed by a person runs on, and isn't held again.
			_, latest := r.heartbeats()
			if err := r.ledger.Resume(t.Context(), "paused", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
				t.Fatal(err)
			}
			r.untilHeartbeats(1, latest.Add(2*time.Second))
			r.until("it runs on", func() bool { return r.balance(paused).Of(campaign.Accepted) == 20 })
			r.closes(running)
		})
	}
}

func TestRestored_AStateOfBeforeTheWorkerIsOlderToo(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(400), true)
	restore := r.server.Snapshot()
	r.start(func(o *worker.Options) { o.Rate = 10 })
	if err := r.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.untilHeartbeats(1, time.Now().Add(12*time.Second))
	restore()
	r.until("it is held", func() bool { p, _ := r.phase(c); return p == campaign.Held })
	if _, reason := r.phase(c); !strings.HasPrefix(reason, "Redis was restored from an older state (of before 20") {
		t.Errorf("reason: %s", reason)
	}
	for id, times := range v.byRecipient() {
		if times != 1 {
			t.Errorf("%s was sent %d times", id, times)
		}
	}
}

func TestRestored_ARedisThatForgetsNothingHoldsNothing(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setupDurable(t, v)
	r.start(func(o *worker.Options) { o.Rate = 100 })
	r.start(func(o *worker.Options) { o.Rate = 100 })
	c := r.stand("c", phones(300), false)
	r.until("some are sent to", func() bool { return len(v.all()) > 50 })
	r.untilHeartbeats(2, time.Time{})
	r.server.Kill()
	r.server.Restart()
	r.until("all are sent to", func() bool { return r.balance(c).Of(campaign.Accepted)+r.balance(c).Of(campaign.InDoubt) == 300 })
	if strings.Contains(r.log.String(), "all campaigns are held") {
		t.Error(tail(r.log.String()))
	}
	v.once(t, 300)
}

// A Redis that comes back may have forgotten the claims of the last second. Who was
// claimed and not yet sent to is sent to once.
func TestSend_AClaimThatRedisHasForgottenIsNotSent(t *testing.T) {
	t.Parallel()
	const n = 6
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false, func(s *campaign.Spec) { s.Lane = campaign.LaneUrgent })
	r.start(func(o *worker.Options) { o.Rate = 0.5 }) // claimed a second ahead
	found := map[int]time.Time{}
	r.until("someone is claimed whose time comes later", func() bool {
		posted := len(v.all()) // the first one's time comes at once
		for i := range n {
			if r.record(c, i).State != campaign.Claimed || posted == 0 || v.byRecipient()[phones(n)[i]] > 0 {
				continue
			}
			if found[i].IsZero() {
				found[i] = time.Now()
			}
			if time.Since(found[i]) < 100*time.Millisecond {
				continue // the worker may not know yet that it has claimed
			}
			p := campaign.PlaceOf(i)
			_, err := r.server.Client().Pipelined(t.Context(), func(pipe redis.Pipeliner) error {
				pipe.HDel(t.Context(), fmt.Sprintf("handout:{%s}:rec:%d", c.ID, p.Page), strconv.Itoa(p.Index))
				return pipe.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			return true
		}
		return false
	})
	r.until("all are sent to", func() bool { return len(v.byRecipient()) == n })
	if !strings.Contains(r.log.String(), "an older state of Redis was restored") {
		t.Error("no claim was forgotten:", tail(r.log.String()))
	}
	v.once(t, n)
}

// A worker has the campaign and its list in its caches when Redis is emptied and
// another campaign of that name is submitted: it must send the new list, and the old
// one to no one.
func TestSend_AnOldListIsNeverSentUnderANewCampaignsName(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	old, renewed := phones(200)[:50], phones(200)[100:150]
	c := r.stand("c", old, false, func(s *campaign.Spec) { s.Rate = 40 })
	r.start()
	r.until("the first are sent", func() bool { return len(v.all()) >= 10 })
	if err := r.server.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	sent := len(v.all())
	c = r.stand("c", renewed, false)
	r.until("all of the new list are accepted", func() bool { return r.balance(c).Of(campaign.Accepted) == len(renewed) })
	again := map[string]int{}
	for _, p := range v.all()[min(sent+5, len(v.all())):] { // five may have been under way
		again[p.Phone]++
	}
	for _, number := range old {
		if again[number] > 0 {
			t.Errorf("someone of the old list was sent to after the new one stood")
		}
	}
	for _, number := range renewed {
		if again[number] > 1 {
			t.Errorf("someone of the new list was sent to %d times", again[number])
		}
	}
	r.closes(c)
}

func TestRestored_AWorkerThatStartsOnACopyHoldsEverything(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setupOn(t, v, redistest.AppendOnly("always"))
	first := r.start(func(o *worker.Options) { o.Rate = 300 })
	running := r.stand("running", phones(3000), false, func(s *campaign.Spec) { s.Rate = 300 })
	paused := r.stand("paused", phones(20), true)
	r.until("some are sent to", func() bool { return len(v.all()) > 20 })
	// The copy has the mark, as one that handout backup takes.
	if _, _, err := installation.BeginBackup(t.Context(), r.rdb); err != nil {
		t.Fatal(err)
	}
	restore := r.server.Snapshot()
	if err := installation.EndBackup(t.Context(), r.rdb); err != nil {
		t.Fatal(err)
	}
	copied := len(v.all())
	r.until("more are sent to", func() bool { return len(v.all()) > copied+100 })
	first()
	restore()
	for i := range 2 { // the second worker finds it noticed, and leaves what was resumed alone
		stop := r.start(func(o *worker.Options) { o.Rate = 300 })
		r.until("it is held", func() bool { p, _ := r.phase(running); return p == campaign.Held })
		if p, reason := r.phase(paused); i == 0 && (p != campaign.Held || !campaign.IsRestored(reason)) {
			t.Errorf("the paused one is %s: %s", p, reason)
		}
		if i == 0 {
			if err := r.ledger.Resume(t.Context(), "paused", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		r.until("what was resumed is sent", func() bool { return r.balance(paused).Of(campaign.Accepted) == 20 })
		stop()
	}
	for id, times := range v.byRecipient() {
		if times != 1 {
			t.Errorf("%s was sent %d times", id, times)
		}
	}
	r.closes(running)
}
