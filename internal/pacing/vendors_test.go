package pacing

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A market is processes that send through one limiter to a vendor, in virtual
// time: the arithmetic is the real one, and the vendor's log alone is the judge.
type market struct {
	rate      float64 // set
	processes int
	trip      time.Duration // of a request, there and back
	vendor    judge
	loses     float64       // share of the slots that a busy machine loses
	begins    time.Duration // how long little is asked for, as by a campaign that has just begun
	long      time.Duration

	sent, granted, denied int
	maximum               int // requests in a second
}

// beginRate is how many requests per second a campaign makes that has just begun.
const beginRate = 25

// judge says whether a request of now is granted, and remainder how many are left to
// us between two moments. Both count from the beginning.
type (
	judge     func(now float64, r *rand.Rand) bool
	remainder func(from, to float64) float64
)

type happening struct {
	at float64
	do func(now float64)
}

type agenda []happening

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at < a[j].at }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(happening)) }
func (a *agenda) Pop() any {
	old := *a
	last := old[len(old)-1]
	*a = old[:len(old)-1]
	return last
}

func (m *market) run(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var all agenda
	at := func(t float64, do func(float64)) { heap.Push(&all, happening{t, do}) }
	var s paceState
	var requests []float64
	gap := headroom * 1e6 / m.rate
	batch := max(1, int(micros(batchTime)/gap))
	for i := range m.processes {
		var told report
		var blocked float64
		var look func(now float64)
		var asked, due float64
		plan := func(when float64) {
			due = when
			at(when, func(now float64) {
				if due == now {
					look(now)
				}
			})
		}
		look = func(now float64) {
			asked = now
			a := ask{gap: gap, bulk: batch, report: told}
			if now < epoch+micros(m.begins) {
				a.bulk = 1
			}
			var g grant
			s, g = reserve(now, s, a)
			told, blocked = report{round: g.round}, g.blocked
			for k := range g.n {
				round := g.round
				at(g.first+float64(k)*g.gap, func(now float64) {
					if now < blocked || r.Float64() < m.loses {
						told.lost++
						return
					}
					jitter := 4000 * r.Float64()
					at(now+jitter+micros(m.trip)/2, func(now float64) {
						requests = append(requests, now)
						ok := m.vendor(now-epoch, r)
						if m.sent++; ok {
							m.granted++
						} else {
							m.denied++
						}
						at(now+micros(m.trip)/2, func(now float64) {
							switch {
							case ok:
								told.granted++
							case round == told.round:
								told.denied++
								if soon := max(now, asked+micros(askTime)); soon < due {
									plan(soon)
								}
							}
						})
					})
				})
			}
			// As the pacer: when about half of what may be reserved is free.
			next := g.next() - near(g.gap)*(0.3+0.4*r.Float64())
			if a.bulk < batch {
				next = now + 1e6/float64(beginRate)*float64(m.processes)
			}
			plan(min(max(next, now+micros(askTime)), now+micros(maxSleep)))
		}
		plan(epoch + float64(i)*12_345)
	}
	for len(all) > 0 && all[0].at < epoch+micros(m.long) {
		h := heap.Pop(&all).(happening)
		h.do(h.at)
	}
	in := 0
	for i, first := range requests {
		for in < len(requests) && requests[in] < first+1e6 {
			in++
		}
		m.maximum = max(m.maximum, in-i)
	}
}

// sliding lets limit through in any window of one second; what isn't let
// through doesn't count.
func sliding(limit int) judge {
	var passed []float64
	return func(now float64, _ *rand.Rand) bool {
		for len(passed) > 0 && passed[0] <= now-1e6 {
			passed = passed[1:]
		}
		if len(passed) >= limit {
			return false
		}
		passed = append(passed, now)
		return true
	}
}

// calendar lets limit through in each second of the vendor's clock.
func calendar(limit int) judge {
	second, n := int64(-1), 0
	return func(now float64, _ *rand.Rand) bool {
		if at := int64(now / 1e6); at != second {
			second, n = at, 0
		}
		n++
		return n <= limit
	}
}

// bursts is an account of limit requests per second of which another application
// takes half, for so long, with pauses as long.
func bursts(limit int, d time.Duration) (vendor judge, left remainder) {
	var passed []float64
	next := micros(d)
	other := 2e6 / float64(limit)
	vendor = func(now float64, _ *rand.Rand) bool {
		for next <= now {
			passed = append(passed, next)
			if next += other; int64(next/micros(d))%2 == 0 {
				next += micros(d)
			}
		}
		for len(passed) > 0 && passed[0] <= now-1e6 {
			passed = passed[1:]
		}
		if len(passed) >= limit {
			return false
		}
		passed = append(passed, now)
		return true
	}
	left = func(from, to float64) (n float64) {
		for at := from; at < to; at += 1e5 {
			if int64(at/micros(d))%2 == 1 {
				n += 0.05 * float64(limit)
			} else {
				n += 0.1 * float64(limit)
			}
		}
		return n
	}
	return vendor, left
}

// random denies a share of the requests whatever we do.
func random(share float64) judge {
	return func(_ float64, r *rand.Rand) bool { return r.Float64() >= share }
}

// The limiter finds what each kind of vendor grants, and rarely hears "too fast".
func TestReserve_FindsWhatAVendorGrants(t *testing.T) { // alone: it computes, beside tests that measure time
	type kind struct {
		begins time.Duration
		loses  float64
		rate   float64
		vendor func() (judge, remainder)
		used   float64 // at least, of what is left
		denied float64 // at most, of the requests
	}
	steady := func(rate float64) remainder {
		return func(from, to float64) float64 { return rate * (to - from) / 1e6 }
	}
	lower := func(limit int) func() (judge, remainder) {
		return func() (judge, remainder) {
			return sliding(limit), steady(float64(limit))
		}
	}
	burst := func(d time.Duration) func() (judge, remainder) {
		return func() (judge, remainder) { return bursts(100, d) }
	}
	chance := func(share float64) func() (judge, remainder) {
		return func() (judge, remainder) {
			return random(share), steady(100)
		}
	}
	// unlucky denies nine of the first fifty, too, when little is known.
	unlucky := func(share float64) func() (judge, remainder) {
		return func() (judge, remainder) {
			n, vendor := 0, random(share)
			return func(now float64, r *rand.Rand) bool {
				n++
				return vendor(now, r) && !slices.Contains([]int{3, 8, 19, 23, 35, 39, 42, 49, 50}, n)
			}, steady(100)
		}
	}
	for name, k := range map[string]kind{
		"it grants all":                    {0, 0, 100, lower(100), 0.97, 0},
		"60 of 100":                        {0, 0, 100, lower(60), 0.95, 0.05},
		"6 of 10":                          {0, 0, 10, lower(6), 0.90, 0.05},
		"1 of 2":                           {0, 0, 2, lower(1), 0.90, 0.10},
		"20 of 60":                         {0, 0, 60, lower(20), 0.94, 0.05},
		"600 of 1000":                      {0, 0, 1000, lower(600), 0.95, 0.05},
		"bursts of 20 s":                   {0, 0, 100, burst(20 * time.Second), 0.90, 0.04},
		"bursts of 5 s":                    {0, 0, 100, burst(5 * time.Second), 0.80, 0.08},
		"1 % whatever we do":               {0, 0, 100, chance(0.01), 0.95, 0.02},
		"5 % whatever we do":               {0, 0, 100, chance(0.05), 0.80, 0.06},
		"5 % whatever we do, begun slowly": {5 * time.Second, 0, 100, chance(0.05), 0.80, 0.06},
		"1 %, and 9 of the first 50":       {0, 0, 100, unlucky(0.01), 0.94, 0.02},
		"5 %, and 9 of the first 50":       {0, 0, 100, unlucky(0.05), 0.75, 0.06},
		"60 of 100, begun slowly":          {5 * time.Second, 0, 100, lower(60), 0.92, 0.05},
		"60 in a calendar second":          {0, 0, 100, func() (judge, remainder) { return calendar(60), steady(60) }, 0.95, 0.10},

		"60 of 100, on a busy machine":          {0, 0.15, 100, lower(60), 0.90, 0.05},
		"bursts of 20 s, on a busy machine":     {0, 0.15, 100, burst(20 * time.Second), 0.80, 0.04},
		"bursts of 5 s, on a busy machine":      {0, 0.15, 100, burst(5 * time.Second), 0.70, 0.08},
		"5 % whatever we do, on a busy machine": {0, 0.15, 100, chance(0.05), 0.60, 0.06},
	} {
		for _, processes := range []int{1, 3} {
			var m market
			used := 0.0
			const runs = 4
			for seed := range uint64(runs) {
				vendor, left := k.vendor()
				one := market{rate: k.rate, processes: processes, trip: 20 * ms, loses: k.loses, begins: k.begins, vendor: vendor, long: 2 * time.Minute}
				one.run(seed)
				used += float64(one.granted) / left(1e6, 120e6) / runs
				m.sent, m.denied, m.maximum = m.sent+one.sent, m.denied+one.denied, max(m.maximum, one.maximum)
			}
			denied := float64(m.denied) / float64(m.sent)
			t.Logf("%s, %d processes: %.1f %% used, %.1f %% denied, %d in a second", name, processes, 100*used, 100*denied, m.maximum)
			if used < k.used || denied > k.denied {
				t.Errorf("%s, %d processes: %.1f %% used, %.1f %% denied", name, processes, 100*used, 100*denied)
			}
			if m.maximum > int(k.rate) {
				t.Errorf("%s, %d processes: %d requests in a second", name, processes, m.maximum)
			}
		}
	}
}
