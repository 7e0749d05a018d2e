package pacing

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/test/redistest"
)

// A step happens at a moment of a fake clock: an ask, with a report or without.
type pacingStep struct {
	at time.Duration // since the beginning

	ask   ask
	first time.Duration // since the beginning
	n     int
	gap   time.Duration // in force; 0: that of the ask

	forget bool // the key is lost; nothing else happens

	report  report
	blocked time.Duration // since the beginning; 0: not asked
}

const ms = time.Millisecond

func bulk(n int, gap time.Duration) ask   { return ask{gap: micros(gap), bulk: n} }
func urgent(n int, gap time.Duration) ask { return ask{gap: micros(gap), urgent: n} }
func both(u, b int, gap time.Duration) ask {
	return ask{gap: micros(gap), urgent: u, bulk: b}
}

// pacingCases are the pacer's rules, for Go and Redis alike.
var pacingCases = map[string][]pacingStep{
	"slots are evenly spaced, and given out little ahead": {
		{at: 0, ask: bulk(100, 10*ms), first: 0, n: 22}, // 210 ms ahead
		{at: 0, ask: bulk(100, 10*ms), first: 220 * ms},
		{at: 9 * ms, ask: bulk(100, 10*ms), first: 220 * ms},
		{at: 10 * ms, ask: bulk(100, 10*ms), first: 220 * ms, n: 1},
		{at: 60 * ms, ask: bulk(3, 10*ms), first: 230 * ms, n: 3},
		{at: 60 * ms, ask: bulk(100, 10*ms), first: 260 * ms, n: 2},
	},
	"what nobody asked for in time is gone": {
		{at: 0, ask: bulk(1, 100*ms), first: 0, n: 1},
		{at: time.Second, ask: bulk(9, 100*ms), first: time.Second, n: 4},
	},
	"at a low rate nobody reserves more than half a second ahead": {
		{at: 0, ask: bulk(5, 10*time.Second), first: 0, n: 1},
		{at: 9499 * ms, ask: bulk(5, 10*time.Second), first: 10 * time.Second},
		{at: 9500 * ms, ask: bulk(5, 10*time.Second), first: 10 * time.Second, n: 1},
	},
	"a rate that is raised holds at once, from the last slot on": {
		{at: 0, ask: bulk(1, 10*time.Second), first: 0, n: 1},
		{at: 100 * ms, ask: bulk(1, 10*time.Second), first: 10 * time.Second},
		{at: 100 * ms, ask: bulk(9, 50*ms), first: 100 * ms, n: 6},
	},
	"a rate that is lowered too": {
		{at: 0, ask: bulk(5, 10*ms), first: 0, n: 5},
		{at: 0, ask: bulk(5, time.Second), first: 1040 * ms},
		{at: 600 * ms, ask: bulk(5, time.Second), first: 1040 * ms, n: 1},
	},
	"an urgent one comes right behind what has been given out": {
		{at: 0, ask: bulk(9, 100*ms), first: 0, n: 4},
		{at: 0, ask: bulk(9, 100*ms), first: 400 * ms},
		{at: 0, ask: urgent(1, 100*ms), first: 400 * ms, n: 1},
		{at: 150 * ms, ask: bulk(9, 100*ms), first: 500 * ms}, // the urgent one has it
		{at: 150 * ms, ask: urgent(1, 100*ms), first: 500 * ms, n: 1},
		{at: 250 * ms, ask: bulk(9, 100*ms), first: 600 * ms},
		{at: 300 * ms, ask: bulk(9, 100*ms), first: 600 * ms, n: 1},
	},
	"urgent ones reserve a second ahead at most, and the bulk waits until they are through": {
		{at: 0, ask: urgent(100, 100*ms), first: 0, n: 11},
		{at: 50 * ms, ask: both(5, 5, 100*ms), first: 1100 * ms},
		{at: 100 * ms, ask: both(5, 5, 100*ms), first: 1100 * ms, n: 1},
		{at: 899 * ms, ask: bulk(5, 100*ms), first: 1200 * ms},
		{at: 900 * ms, ask: bulk(5, 100*ms), first: 1200 * ms, n: 1},
	},
	"one ask serves both, the urgent ones first": {
		{at: 0, ask: both(2, 9, 100*ms), first: 0, n: 4}, // the last two are for the bulk
		{at: 0, ask: both(2, 9, 100*ms), first: 400 * ms, n: 2},
	},
	"at a low rate an urgent one asks half a second sooner than the bulk may": {
		{at: 0, ask: bulk(1, 5*time.Second), first: 0, n: 1},
		{at: 3999 * ms, ask: urgent(1, 5*time.Second), first: 5 * time.Second},
		{at: 4000 * ms, ask: urgent(1, 5*time.Second), first: 5 * time.Second, n: 1},
		{at: 4500 * ms, ask: bulk(1, 5*time.Second), first: 10 * time.Second},
	},
	"a single denied answer says nothing, nor do two": {
		{at: 0, ask: bulk(3, 10*ms), first: 0, n: 3, report: report{granted: 40}},
		{at: 50 * ms, ask: bulk(1, 10*ms), first: 50 * ms, n: 1, report: report{granted: 5, denied: 1}},
		{at: 100 * ms, ask: bulk(1, 10*ms), first: 100 * ms, n: 1, report: report{granted: 5, denied: 1}},
	},
	"three lower the rate below what was granted in the last second, for its rest": {
		{at: 0, ask: urgent(100, 10*ms), first: 0, n: 100, report: report{granted: 1}},
		{at: 500 * ms, ask: urgent(50, 10*ms), first: 1000 * ms, n: 50, report: report{granted: 30}},
		{at: 1100 * ms, ask: urgent(60, 10*ms), first: 1500 * ms, n: 60, report: report{granted: 25}},
		// 55 of 1.2 s are less than 0.58 of the 100/s, and a little less than those; the 30
		// are a second old at 1.5 s.
		{at: 1200 * ms, ask: bulk(9, 10*ms), first: 2107867 * time.Microsecond, n: 0, gap: 17867 * time.Microsecond, report: report{denied: 3}, blocked: 1500 * ms},
	},
	"they lower it to what was granted": {
		{at: 0, ask: urgent(100, 10*ms), first: 0, n: 100, report: report{granted: 1}},
		{at: 500 * ms, ask: urgent(50, 10*ms), first: 1000 * ms, n: 50, report: report{granted: 40}},
		{at: 1100 * ms, ask: urgent(60, 10*ms), first: 1500 * ms, n: 60, report: report{granted: 42}},
		// 82 of 1.2 s, and a little less.
		{at: 1200 * ms, ask: bulk(9, 10*ms), first: 2105165 * time.Microsecond, n: 0, gap: 15165 * time.Microsecond, report: report{denied: 3}, blocked: 1500 * ms},
	},
	"where fewer slots were asked for than there were, their share of denied answers counts": {
		{at: 0, ask: bulk(1, 10*ms), first: 0, n: 1, report: report{granted: 1}},
		{at: 500 * ms, ask: bulk(1, 10*ms), first: 500 * ms, n: 1, report: report{granted: 30}},
		{at: 1100 * ms, ask: bulk(1, 10*ms), first: 1100 * ms, n: 1, report: report{granted: 25}},
		{at: 1200 * ms, ask: bulk(9, 10*ms), first: 1500 * ms, n: 0, gap: 10928 * time.Microsecond, report: report{denied: 3}, blocked: 1500 * ms},
	},
	"a few of many don't": {
		{at: 0, ask: bulk(1, ms), first: 0, n: 1, report: report{granted: 400}},
		{at: 500 * ms, ask: bulk(1, ms), first: 500 * ms, n: 1, report: report{granted: 400, denied: 20}},
	},
	"what was denied before the rate was lowered doesn't lower it again": {
		{at: 0, ask: bulk(1, 10*ms), first: 0, n: 1, report: report{granted: 50}},
		{at: 100 * ms, ask: bulk(1, 10*ms), first: 1000 * ms, n: 0, report: report{denied: 5}, gap: 11399 * time.Microsecond, blocked: time.Second},
		{at: 150 * ms, ask: bulk(1, 10*ms), first: 1000 * ms, n: 0, report: report{denied: 50}, gap: 11399 * time.Microsecond, blocked: time.Second},
	},
	"Telesign's own wait is kept, and the longer one counts": {
		{at: 0, ask: bulk(1, 100*ms), first: 0, n: 1},
		{at: 10 * ms, ask: bulk(0, 100*ms), first: 7010 * ms, report: report{retryAfter: 7e6}, blocked: 7010 * ms},
		{at: 20 * ms, ask: bulk(0, 100*ms), first: 7010 * ms, report: report{retryAfter: 1e6}, blocked: 7010 * ms},
		{at: 7 * time.Second, ask: urgent(9, 100*ms), first: 7010 * ms, n: 9},
	},
	"it is a minute at most": {
		{at: 0, ask: bulk(0, 100*ms), first: time.Minute, report: report{retryAfter: 24 * 3600e6}, blocked: time.Minute},
	},
	"a clock that was set back stood still": {
		{at: time.Hour, ask: bulk(1, 100*ms), first: time.Hour, n: 1},
		{at: time.Hour + 50*ms, ask: bulk(1, 100*ms), first: time.Hour + 100*ms, n: 1},
		{at: 0, ask: bulk(1, 100*ms), first: 150 * ms, n: 1},
		{at: 10 * ms, ask: bulk(1, 100*ms), first: 250 * ms, n: 1},
	},
	"and a wait lasts no longer than it was to": {
		{at: time.Hour, ask: bulk(0, 100*ms), first: time.Hour + 7*time.Second, report: report{retryAfter: 7e6}},
		{at: 0, ask: bulk(1, 100*ms), first: 7 * time.Second, blocked: 7 * time.Second},
		{at: 7 * time.Second, ask: bulk(1, 100*ms), first: 7 * time.Second, n: 1},
	},
	"where nothing is known, no slot comes before those that may have been given out": {
		{forget: true},
		{at: 0, ask: bulk(9, 100*ms), first: 1100 * ms},
		{at: 950 * ms, ask: bulk(9, 100*ms), first: 1100 * ms, n: 2},
		{forget: true},
		{at: 2 * time.Second, ask: urgent(9, 10*time.Second), first: 4 * time.Second},
		{at: 3 * time.Second, ask: urgent(9, 10*time.Second), first: 4 * time.Second, n: 1},
	},
}

// limiter is what the table is tried on.
type limiter interface {
	reserve(now float64, a ask) grant
	forget()
}

func TestReserve_InGoAndInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, steps := range pacingCases {
		t.Run("Go: "+name, func(t *testing.T) { walk(t, new(inGo), steps) })
		t.Run("Redis: "+name, func(t *testing.T) { walk(t, &inRedis{t: t, rdb: server.Client()}, steps) })
	}
}

// epoch is no round number, and of the size of a real one.
const epoch = 1_763_863_563_123_457.0

// known is a limiter's state whose slots are all free.
var known = paceState{seen: epoch - 1e9, last: epoch - 1e9}

func walk(t *testing.T, l limiter, steps []pacingStep) {
	t.Helper()
	since := func(at float64) time.Duration { return duration(math.Round(at - epoch)) }
	l.forget()
	if !steps[0].forget {
		l.reserve(known.seen, ask{gap: 1, bulk: 1})
	}
	for i, s := range steps {
		if s.forget {
			l.forget()
			continue
		}
		want := s.gap
		if want == 0 {
			want = duration(s.ask.gap)
		}
		s.ask.report = s.report
		g := l.reserve(epoch+micros(s.at), s.ask)
		if since(g.first) != s.first || g.n != s.n || duration(g.gap).Round(time.Microsecond) != want {
			t.Errorf("step %d, at %v: %d slots from %v with %v between, want %d from %v with %v",
				i, s.at, g.n, since(g.first), duration(g.gap), s.n, s.first, want)
		}
		if s.blocked > 0 && since(g.blocked) != s.blocked {
			t.Errorf("step %d, at %v: no slot before %v, want %v", i, s.at, since(g.blocked), s.blocked)
		}
	}
}

type inGo struct{ s paceState }

func (l *inGo) reserve(now float64, a ask) (g grant) {
	l.s, g = reserve(now, l.s, a)
	return g
}

func (l *inGo) forget() { l.s = paceState{} }

type inRedis struct {
	t   *testing.T
	rdb *redis.Client
}

// at has a script read the time from its last two arguments.
func at(t *testing.T, source string, now float64, args ...any) (*redis.Script, []any) {
	t.Helper()
	const clock = "redis.call('TIME')"
	if strings.Count(source, clock) != 1 {
		t.Fatalf("the script reads the time %d times", strings.Count(source, clock))
	}
	sec, usec := int64(now)/1_000_000, int64(now)%1_000_000
	return redis.NewScript(strings.Replace(source, clock, "{ARGV[#ARGV-1], ARGV[#ARGV]}", 1)),
		append(args, strconv.FormatInt(sec, 10), strconv.FormatInt(usec, 10))
}

func (l *inRedis) reserve(now float64, a ask) grant {
	l.t.Helper()
	script, args := at(l.t, paceSource, now, paceArgs(1, a)...)
	answer, err := script.Run(l.t.Context(), l.rdb, []string{"pace"}, args...).StringSlice()
	if err != nil {
		l.t.Fatal(err)
	}
	there, g, err := parseGrant(answer)
	if err != nil || there != math.Trunc(now) {
		l.t.Fatalf("Redis's clock says %.0f, want %.0f; error %v", there, now, err)
	}
	return g
}

func (l *inRedis) forget() {
	l.t.Helper()
	if err := l.rdb.FlushAll(l.t.Context()).Err(); err != nil {
		l.t.Fatal(err)
	}
}

// In random stories, both say the same at every step.
func TestReserve_InGoAsInRedis(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		inGo, inRedis := new(inGo), &inRedis{t: t, rdb: rdb}
		inRedis.forget()
		now, gap, round, rounds := epoch, headroom*1e6/[]float64{0.5, 5, 100, 1000}[seed%4], 0, 0
		for step := range 250 {
			now += math.Floor(min(4e6, 2*gap+5e4) * r.ExpFloat64())
			if r.IntN(100) == 0 {
				now -= math.Floor(1e7 * r.Float64())
			}
			a := ask{gap: gap, urgent: r.IntN(3), bulk: r.IntN(30), report: report{granted: r.IntN(15), round: round}}
			if r.IntN(3) == 0 {
				a.report.denied = r.IntN(6)
			}
			if r.IntN(2) == 0 {
				a.report.lost = r.IntN(4)
			}
			if r.IntN(60) == 0 {
				a.report.retryAfter = 3e6 * r.Float64()
			}
			g, other := inGo.reserve(now, a), inRedis.reserve(now, a)
			if off := math.Max(math.Abs(g.first-other.first), math.Abs(g.blocked-other.blocked)); off > 0.6 || // a float's last digit
				g.n != other.n || g.round != other.round || math.Abs(g.gap/other.gap-1) > 1e-9 {
				t.Fatalf("seed %d, step %d: %+v in Go, %+v in Redis", seed, step, g, other)
			}
			if r.IntN(4) > 0 {
				round = g.round
			}
			rounds = g.round
		}
		if rounds == 0 {
			t.Errorf("seed %d: the answers said \"too fast\" %d times", seed, rounds)
		}
	}
}

// Four processes over a fake clock, for a minute: no window holds one slot too
// many, nothing is wasted, and an urgent ask is never far from its slot.
func TestReserve_FourProcessesOverAFakeClock(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.5, 1, 10, 100, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			gap := headroom * 1e6 / rate
			batch := max(1, int(micros(batchTime)/gap))
			s, slots := known, []float64{}
			for tick := range 60 * 80 { // each asks each 50 ms
				now := epoch + float64(tick)*12_500
				a := ask{gap: gap, bulk: batch}
				if tick%97 == 0 {
					a.urgent = 1
				}
				before := s.last
				var g grant
				s, g = reserve(now, s, a)
				for i := range g.n {
					slots = append(slots, g.first+float64(i)*gap)
				}
				if most := now + near(gap) + gap; a.urgent > 0 && rate >= 10 && (g.n == 0 || g.first > most) {
					t.Errorf("an urgent ask got %d slots, the first %v after the last one", g.n, duration(g.first-before))
				}
			}
			in := 0 // of a window that begins with slot i
			for i, first := range slots {
				for in < len(slots) && slots[in] < first+1e6 {
					in++
				}
				if n := in - i; float64(n) > max(1, rate) {
					t.Fatalf("%d slots in a window of one second", n)
				}
			}
			if used := float64(len(slots)-1) * 1e6 / (slots[len(slots)-1] - slots[0]) / rate; used < 0.97 {
				t.Errorf("%.1f %% of the rate are used", 100*used)
			}
		})
	}
}
