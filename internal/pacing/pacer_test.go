package pacing_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/test/redistest"
)

const paceKey = "handout:pace"

// pacers are those of n processes: each has connections of its own.
func pacers(t *testing.T, server *redistest.Server, n int, rate float64) []*pacing.Pacer {
	t.Helper()
	all := make([]*pacing.Pacer, n)
	for i := range all {
		rdb := redis.NewClient(server.Client().Options())
		t.Cleanup(func() { _ = rdb.Close() })
		all[i] = pacing.New(rdb, paceKey, rate)
	}
	return all
}

// take waits for a slot and for its time.
func take(t *testing.T, p *pacing.Pacer) pacing.Slot {
	t.Helper()
	s, err := taken(t.Context(), p, "", false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func taken(ctx context.Context, p *pacing.Pacer, of campaign.ID, urgent bool) (pacing.Slot, error) {
	s, err := p.Take(ctx, of, urgent)
	if err != nil {
		return s, err
	}
	return p.Await(ctx, s, of, urgent)
}

// measurement is what some processes got out of a rate.
type measurement struct {
	grants []time.Time   // ascending
	calls  float64       // of Redis, per second and process
	noise  time.Duration // how late this machine lets a sleeper run, at worst
}

func measure(t *testing.T, processes int, rate float64, d time.Duration) measurement {
	t.Helper()
	server := redistest.Start(t)
	all := pacers(t, server, processes, rate)
	for _, p := range all { // the scripts are loaded, the connections are open
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	server.ResetCommandStats()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var m measurement
	var mu sync.Mutex
	var group sync.WaitGroup
	for _, p := range all {
		for range 64 {
			group.Go(func() {
				for p.Wait(ctx) == nil {
					at := time.Now()
					mu.Lock()
					m.grants = append(m.grants, at)
					mu.Unlock()
				}
			})
		}
	}
	for ctx.Err() == nil { // a canary
		due := time.Now().Add(2 * time.Millisecond)
		time.Sleep(time.Until(due))
		m.noise = max(m.noise, time.Since(due))
	}
	group.Wait()
	stats := server.CommandStats()
	m.calls = float64(stats["evalsha"]+stats["eval"]) / d.Seconds() / float64(processes)
	slices.SortFunc(m.grants, time.Time.Compare)
	return m
}

// most is the most grants in any window of this length.
func (m measurement) most(window time.Duration) int {
	most, first := 0, 0
	for i, at := range m.grants {
		for at.Sub(m.grants[first]) >= window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// used is the part of the rate that was used between the first grant and the
// last; a single slot that the machine slept through is forgiven.
func (m measurement) used(rate float64) float64 {
	if len(m.grants) < 2 {
		return 0
	}
	return float64(len(m.grants)) / m.grants[len(m.grants)-1].Sub(m.grants[0]).Seconds() / rate
}

// Not parallel to others: to measure time it needs the machine for itself.
// What a busy machine adds is measured beside it, and asked for again.
func TestPacer_TheRateIsKeptAndUsed(t *testing.T) {
	for name, c := range map[string]struct {
		processes int
		rate      float64
	}{
		"four processes at 10/s": {4, 10}, "three at 100/s": {3, 100}, "three at 1000/s": {3, 1000}, "one at 1000/s": {1, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // these four, and no others
			const quiet = 5 * time.Millisecond
			for try := 1; ; try++ {
				// So long that what the first calls leave unused, some 50 ms once, counts little.
				m := measure(t, c.processes, c.rate, 8*time.Second)
				if m.calls > 22 {
					t.Errorf("%.1f calls of Redis per second and process", m.calls)
				}
				// A grant is noted late when its goroutine isn't let run: the
				// window is judged without what the canary saw.
				if n := m.most(time.Second - m.noise); n > int(c.rate) {
					t.Errorf("%d slots in a window of one second; the machine is late by up to %v", n, m.noise)
				}
				used := m.used(c.rate)
				if used >= 0.97 {
					t.Logf("%.1f %% of the rate, %.1f calls a second and process, late by up to %v", 100*used, m.calls, m.noise)
					return
				}
				if m.noise < quiet || (try == 3 && used < 0.3) {
					t.Fatalf("only %.1f %% of the rate were used; the machine is late by up to %v", 100*used, m.noise)
				}
				if try == 3 {
					t.Logf("%.1f %% of the rate were used on a machine that is late by up to %v", 100*used, m.noise)
					return
				}
			}
		})
	}
}

func TestPacer_ThrottledPushesEverybodyBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	all := pacers(t, server, 2, 1000)
	for _, p := range all {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	slot, other := take(t, all[0]), take(t, all[1])
	start := time.Now()
	wait, err := all[0].Denied(t.Context(), slot, 400*time.Millisecond)
	if err != nil || wait < 390*time.Millisecond || wait > 400*time.Millisecond {
		t.Fatalf("Telesign asked for 400 ms, and it is %v; error %v", wait, err)
	}
	// The longest counts.
	again, err := all[1].Denied(t.Context(), other, 50*time.Millisecond)
	if err != nil || again > wait {
		t.Errorf("a second push of the same moment: %v, error %v", again, err)
	}
	for i, p := range all {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := time.Since(start); after < 390*time.Millisecond {
			t.Errorf("process %d: a slot after %v", i, after)
		}
	}
}

// A slot of before the push that a worker sleeps for has passed, too.
func TestPacer_ThrottledPushesBackWhoHasASlotAlready(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacers(t, server, 1, 4)[0]
	slot := take(t, p)
	before := server.CommandStats()["evalsha"]
	done := patient(t, p, 1)
	for server.CommandStats()["evalsha"] == before { // the next one's is 255 ms later
		time.Sleep(time.Millisecond)
	}
	if _, err := p.Denied(t.Context(), slot, 700*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if took := <-done; took < 690*time.Millisecond {
		t.Errorf("a slot after %v", took)
	}
}

func TestPacer_WhoGivesUpLosesNoSlotForOthers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var gap time.Duration
	for range 6 { // a busy machine may sleep through the one slot that this is about
		if err := server.Client().Del(t.Context(), paceKey).Err(); err != nil {
			t.Fatal(err)
		}
		p := pacers(t, server, 1, 2)[0]
		first := take(t, p).At()
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), 70*time.Millisecond)
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() { _ = p.Wait(ctx) })
			}
			group.Wait()
			cancel()
		}
		if gap = take(t, p).At().Sub(first); gap < 500*time.Millisecond {
			t.Fatalf("the next slot is %v after the first", gap)
		}
		if gap < 600*time.Millisecond {
			return
		}
	}
	t.Errorf("the next slot is %v after the first, each time", gap)
}

func TestPacer_WhoHasGivenUpGetsNoSlot(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacers(t, server, 1, 1)[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := p.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPacer_AnUnusedSlotIsGivenToTheNext(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for range 20 { // on a busy machine a slot is too late at once, and lost
		p := pacers(t, server, 1, 2)[0]
		slot, err := p.Take(t.Context(), "", false)
		if err != nil {
			t.Fatal(err)
		}
		p.Unused(slot)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		again, err := p.Take(ctx, "", false)
		cancel()
		if err == nil {
			if !again.At().Equal(slot.At()) {
				t.Fatalf("got the slot of %v instead of the one of %v", again.At(), slot.At())
			}
			return
		}
	}
	t.Error("the unused slot was lost each time")
}

// A place in the window that has passed can't be taken any more, however late
// its holder finds out that it wasn't needed.
func TestPacer_AnUnusedSlotOfThePastIsLost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacers(t, server, 1, 2)[0]
	slot, err := p.Take(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.Unused(slot.Shift(-time.Second))
	}
	next, err := p.Take(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	if gap := next.At().Sub(slot.At()); gap < 500*time.Millisecond {
		t.Errorf("the next slot is %v after the first", gap)
	}
}

func TestPacer_CampaignsTakeTurnsHoweverManyWaitForEach(t *testing.T) {
	t.Parallel()
	const many, few, early = 200, 30, 20 // early: some of the small one still wait
	p := pacers(t, redistest.Start(t), 1, 100)[0]
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	got := map[campaign.ID][]time.Time{}
	take := func(of campaign.ID) {
		s, err := taken(ctx, p, of, false)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			got[of] = append(got[of], s.At())
		}
	}
	var big, small sync.WaitGroup
	for range many {
		big.Go(func() { take("big") })
	}
	for under := 0; under < 5; time.Sleep(time.Millisecond) {
		mu.Lock()
		under = len(got["big"])
		mu.Unlock()
	}
	for range few {
		small.Go(func() { take("small") })
	}
	small.Wait()
	cancel()
	big.Wait()
	its := got["small"]
	slices.SortFunc(its, time.Time.Compare)
	others := 0
	for _, at := range got["big"] {
		if at.After(its[0]) && at.Before(its[early]) {
			others++
		}
	}
	if others < early*2/3 || others > early*4/3 { // but for slots that a busy machine loses
		t.Errorf("the big one took %d slots while the small one took %d", others, early)
	}
}

func TestPacer_AnUrgentOneComesBeforeAllWhoWait(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacers(t, server, 1, 20)[0]
	ctx, cancel := context.WithCancel(t.Context())
	var bulk atomic.Int32
	var group sync.WaitGroup
	for range 100 { // five seconds' worth
		group.Go(func() {
			if p.Wait(ctx) == nil {
				bulk.Add(1)
			}
		})
	}
	for bulk.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
	if _, err := taken(t.Context(), p, "", true); err != nil {
		t.Fatal(err)
	}
	if n := bulk.Load(); n > 50 {
		t.Errorf("%d of the bulk came first", n)
	}
	cancel()
	group.Wait()
}

// A waiter in another process lets an urgent one pass, too.
func TestPacer_AnUrgentOneComesBeforeTheBulkOfAllProcesses(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	all := pacers(t, server, 4, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var bulk atomic.Int32
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for _, p := range all {
		for range 64 { // 25 seconds' worth
			group.Go(func() {
				for p.Wait(ctx) == nil {
					bulk.Add(1)
				}
			})
		}
	}
	for bulk.Load() < 5 {
		time.Sleep(time.Millisecond)
	}
	for i := range 12 {
		before, start := bulk.Load(), time.Now()
		if _, err := taken(t.Context(), all[i%4], "", true); err != nil {
			t.Fatal(err)
		}
		if n, took := bulk.Load()-before, time.Since(start); n > 6 || took > 5*time.Second { // a busy machine is late
			t.Errorf("%d of the bulk came first, in %v", n, took)
		}
	}
}

func TestPacer_ManyUrgentOnesTakeEverySlotUntilTheyAreThrough(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	all := pacers(t, server, 4, 20)
	ctx, cancel := context.WithCancel(t.Context())
	var bulk atomic.Int32
	var group, first sync.WaitGroup
	defer group.Wait()
	defer cancel()
	for _, p := range all {
		for range 32 {
			group.Go(func() {
				for p.Wait(ctx) == nil {
					bulk.Add(1)
				}
			})
		}
	}
	for bulk.Load() < 5 {
		time.Sleep(time.Millisecond)
	}
	before := bulk.Load()
	for i := range 40 {
		first.Go(func() {
			if _, err := taken(t.Context(), all[i%2], "", true); err != nil {
				t.Error(err)
			}
		})
	}
	first.Wait()
	if n := bulk.Load() - before; n > 10 {
		t.Errorf("%d of the bulk came before the last one of 40 urgent ones", n)
	}
	after := bulk.Load()
	for bulk.Load() < after+5 { // and then the bulk goes on
		time.Sleep(time.Millisecond)
	}
}

// patient waits for n slots side by side and says how long they took.
func patient(t *testing.T, p *pacing.Pacer, n int) (done chan time.Duration) {
	t.Helper()
	done = make(chan time.Duration, 1)
	start := time.Now()
	var group sync.WaitGroup
	for range n {
		group.Go(func() {
			if err := p.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	go func() { group.Wait(); done <- time.Since(start) }()
	return done
}

func TestPacer_ARaisedRateHoldsWithinASecondForThoseWhoWait(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	all := pacers(t, server, 2, 0.02) // 50 s between
	if err := all[0].Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, b := patient(t, all[0], 10), patient(t, all[1], 10)
	time.Sleep(100 * time.Millisecond) // no slot is granted
	for _, p := range all {
		if !p.SetRate(100) || p.SetRate(100) {
			t.Error("it doesn't say what has changed")
		}
	}
	for _, done := range []chan time.Duration{a, b} {
		if took := <-done; took > 5*time.Second {
			t.Errorf("ten slots took %v", took)
		}
	}
}

func TestPacer_ALoweredRateHoldsForThoseWhoWait(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacers(t, server, 1, 200)[0]
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.SetRate(10)
	done := patient(t, p, 15)
	p.SetRate(5)
	if took := <-done; took < 2500*time.Millisecond { // of 14 gaps the half, and more
		t.Errorf("15 slots took %v", took)
	}
}

func TestPacer_NoLimitAndBackWhileCallersWait(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacers(t, server, 1, 0.02)[0]
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := patient(t, p, 100)
	time.Sleep(100 * time.Millisecond)
	p.SetRate(0)
	if took := <-done; took > 5*time.Second {
		t.Errorf("without a limit 100 slots took %v", took)
	}
	p.SetRate(10)
	start := time.Now()
	if took := <-patient(t, p, 11); took < 900*time.Millisecond {
		t.Errorf("with a limit again 11 slots took %v", time.Since(start))
	}
	// Who waits for a push without a limit comes under the limit set meanwhile.
	p.SetRate(0)
	if _, err := p.Denied(t.Context(), pacing.Slot{}, 1300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	done = patient(t, p, 6)
	time.Sleep(50 * time.Millisecond)
	p.SetRate(10)
	if took := <-done; took < 1750*time.Millisecond { // 1.3 s, and five gaps
		t.Errorf("6 slots after a push took %v", took)
	}
}

func TestPacer_WithoutARateAsksNobody(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacing.New(server.Client(), paceKey, 0)
	server.ResetCommandStats()
	start := time.Now()
	for range 10_000 {
		if err := p.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := server.CommandStats()["evalsha"]; n != 0 || time.Since(start) > 5*time.Second {
		t.Errorf("%d calls of Redis, %v", n, time.Since(start))
	}
	p.Unused(pacing.Slot{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: error %v", err)
	}
}

// No limit of ours is no leave to hammer a vendor who has one.
func TestPacer_WithoutARateStillHeedsThrottling(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacing.New(server.Client(), paceKey, 0)
	start := time.Now()
	if _, err := p.Denied(t.Context(), pacing.Slot{}, 1300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := p.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("pushed back: error %v", err)
	}
	if err := p.Wait(t.Context()); err != nil || time.Since(start) < 1290*time.Millisecond {
		t.Errorf("a slot after %v, error %v", time.Since(start), err)
	}
}

func TestPacer_SaysWhenRedisIsGoneAndGoesOnWhenItIsBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	p := pacers(t, server, 1, 100)[0]
	if err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	failed := 0
	for range 50 { // some slots may have been reserved before
		if err := p.Wait(t.Context()); err != nil {
			failed++
			break
		}
	}
	if failed == 0 {
		t.Error("slots without a Redis")
	}
	server.Restart()
	if err := p.Wait(t.Context()); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

// spaced takes slots with a few callers in each process, while what happens to Redis
// does, and holds the slots' own times against the rate.
func spaced(t *testing.T, server *redistest.Server, processes int, rate float64, happens func(i int)) {
	t.Helper()
	all := pacers(t, server, processes, rate)
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var m measurement
	var group sync.WaitGroup
	for i, p := range all {
		for range 32 {
			group.Go(func() {
				for {
					s, err := taken(ctx, p, "", i == 0)
					if err != nil {
						return
					}
					mu.Lock()
					m.grants = append(m.grants, s.At())
					mu.Unlock()
				}
			})
		}
	}
	enough := func(n int) {
		for have := 0; have < n; time.Sleep(time.Millisecond) {
			mu.Lock()
			have = len(m.grants)
			mu.Unlock()
		}
	}
	for i := range 4 {
		enough((i + 1) * int(rate) * 3 / 4)
		happens(i)
	}
	enough(4 * int(rate))
	cancel()
	group.Wait()
	slices.SortFunc(m.grants, time.Time.Compare)
	if n := m.most(time.Second); n > int(rate) {
		t.Errorf("%d slots in a window of one second", n)
	}
}

func TestPacer_ALostKeyLetsNoMoreThrough(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	spaced(t, server, 3, 50, func(int) {
		if err := server.Client().Del(t.Context(), paceKey).Err(); err != nil {
			t.Error(err)
		}
	})
}

// A replica that takes over may have missed the last slots that were given out: a
// process doesn't use them twice.
func TestPacer_ARedisThatHasForgottenItsSlotsLetsNoMoreThrough(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	spaced(t, server, 1, 50, func(int) {
		if err := server.Client().HIncrByFloat(t.Context(), paceKey, "last", -300_000).Err(); err != nil {
			t.Error(err)
		}
	})
}
