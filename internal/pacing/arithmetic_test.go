package pacing

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/test/redistest"
)

// A step happens at a moment of a fake clock: an ask or an answer of "too fast".
type pacingStep struct {
	at time.Duration // since the beginning

	ask   ask
	first time.Duration // since the beginning
	n     int
	gap   time.Duration // in force; 0: that of the ask

	throttled  bool
	retryAfter time.Duration
	jitter     float64
	wait       time.Duration

	succeeded bool // ends the row of pushes
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
	"too fast pushes everybody back and lowers the rate by a third": {
		{at: 0, ask: bulk(3, 100*ms), first: 0, n: 3},
		{at: 50 * ms, throttled: true, wait: time.Second},
		{at: 100 * ms, ask: bulk(3, 100*ms), first: 1050 * ms, gap: 150 * ms},
		{at: 100 * ms, ask: urgent(3, 100*ms), first: 1050 * ms, n: 1, gap: 150 * ms},
		{at: 1100 * ms, ask: bulk(9, 100*ms), first: 1200 * ms, n: 2, gap: 150 * ms},
	},
	"an answer to a request of before the push changes nothing": {
		{at: 0, throttled: true, wait: time.Second},
		{at: 400 * ms, throttled: true, retryAfter: time.Minute, wait: 600 * ms},
		{at: time.Second, ask: bulk(1, 100*ms), first: time.Second, n: 1, gap: 150 * ms},
		{at: time.Second, throttled: true, wait: 2 * time.Second}, // this one is new
	},
	"Telesign's own wait is kept, without jitter": {
		{at: 0, throttled: true, retryAfter: 7 * time.Second, jitter: 0.1, wait: 7 * time.Second},
	},
	"ours has some": {
		{at: 0, throttled: true, jitter: 0.1, wait: 1100 * ms},
		{at: 1100 * ms, throttled: true, jitter: 0.05, wait: 2100 * ms},
	},
	"in a row the waits double up to a minute, and a success ends the row": {
		{at: 0, throttled: true, wait: time.Second},
		{at: 1 * time.Second, throttled: true, wait: 2 * time.Second},
		{at: 3 * time.Second, throttled: true, wait: 4 * time.Second},
		{at: 7 * time.Second, throttled: true, wait: 8 * time.Second},
		{at: 15 * time.Second, throttled: true, wait: 16 * time.Second},
		{at: 31 * time.Second, throttled: true, wait: 32 * time.Second},
		{at: 63 * time.Second, throttled: true, wait: time.Minute},
		{at: 123 * time.Second, throttled: true, wait: time.Minute},
		{at: 183 * time.Second, succeeded: true},
		{at: 183 * time.Second, throttled: true, wait: time.Second},
	},
	"the rate comes back by a step each ten seconds after the push": {
		{at: 0, throttled: true, wait: time.Second},
		{at: time.Second, throttled: true, wait: 2 * time.Second}, // two steps, until 3 s
		{at: 3 * time.Second, ask: bulk(1, 100*ms), first: 3 * time.Second, n: 1, gap: 225 * ms},
		{at: 12999 * ms, ask: bulk(1, 100*ms), first: 12999 * ms, n: 1, gap: 225 * ms},
		{at: 13 * time.Second, ask: bulk(1, 100*ms), first: 13149 * ms, n: 1, gap: 150 * ms},
		{at: 22999 * ms, ask: bulk(1, 100*ms), first: 22999 * ms, n: 1, gap: 150 * ms},
		{at: 23 * time.Second, ask: bulk(1, 100*ms), first: 23099 * ms, n: 1},
	},
	"another push counts from what has recovered": {
		{at: 0, throttled: true, wait: time.Second},
		{at: time.Second, throttled: true, wait: 2 * time.Second},
		{at: 14 * time.Second, succeeded: true},
		{at: 14 * time.Second, throttled: true, wait: time.Second}, // one left, and one more
		{at: 15 * time.Second, ask: bulk(1, 100*ms), first: 15 * time.Second, n: 1, gap: 225 * ms},
		{at: 35 * time.Second, ask: bulk(1, 100*ms), first: 35 * time.Second, n: 1},
	},
	"it isn't lowered by more than eight steps": func() (steps []pacingStep) {
		at := time.Duration(0)
		for range 10 {
			steps = append(steps, pacingStep{at: at, throttled: true, retryAfter: time.Second, wait: time.Second})
			at += time.Second
		}
		return append(steps, pacingStep{at: at, ask: bulk(1, 100*ms), first: at, n: 1, gap: 2562890625 * time.Nanosecond})
	}(),
	"a clock that was set back doesn't stop everybody": {
		{at: time.Hour, ask: bulk(1, 100*ms), first: time.Hour, n: 1},
		{at: 0, ask: bulk(1, 100*ms), first: 1100 * ms},
		{at: 900 * ms, ask: bulk(1, 100*ms), first: 2000 * ms},
		{at: 900 * ms, ask: urgent(1, 100*ms), first: 2000 * ms},
	},
}

// limiter is what the table is tried on.
type limiter interface {
	reserve(now float64, a ask) grant
	throttle(now, retryAfter, jitter float64) float64
	succeed()
}

func TestPacing_InGoAndInRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for name, steps := range pacingCases {
		t.Run("Go: "+name, func(t *testing.T) { walk(t, new(inGo), steps) })
		t.Run("Redis: "+name, func(t *testing.T) {
			rdb := server.Client()
			if err := rdb.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			walk(t, &inRedis{t: t, rdb: rdb}, steps)
		})
	}
}

// epoch is no round number, and of the size of a real one.
const epoch = 1_763_863_563_123_457.0

func walk(t *testing.T, l limiter, steps []pacingStep) {
	t.Helper()
	since := func(at float64) time.Duration { return duration(math.Round(at - epoch)) }
	for i, s := range steps {
		now := epoch + micros(s.at)
		switch {
		case s.succeeded:
			l.succeed()
		case s.throttled:
			if got := duration(l.throttle(now, micros(s.retryAfter), s.jitter)); got.Round(ms) != s.wait {
				t.Errorf("step %d, at %v: pushed back for %v, want %v", i, s.at, got, s.wait)
			}
		default:
			want := s.gap
			if want == 0 {
				want = duration(s.ask.gap)
			}
			g := l.reserve(now, s.ask)
			if since(g.first) != s.first || g.n != s.n || duration(g.gap).Round(time.Microsecond) != want.Round(time.Microsecond) {
				t.Errorf("step %d, at %v: %d slots from %v with %v between, want %d from %v with %v",
					i, s.at, g.n, since(g.first), duration(g.gap), s.n, s.first, want)
			}
		}
	}
}

type inGo struct{ s paceState }

func (l *inGo) reserve(now float64, a ask) (g grant) {
	l.s, g = reserve(now, l.s, a)
	return g
}

func (l *inGo) throttle(now, retryAfter, jitter float64) (wait float64) {
	l.s, wait = throttle(now, l.s, retryAfter, jitter)
	return wait
}

func (l *inGo) succeed() { l.s.level = 0 }

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
	script, args := at(l.t, paceSource, now, a.gap, a.urgent, a.bulk, 1)
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

func (l *inRedis) throttle(now, retryAfter, jitter float64) float64 {
	l.t.Helper()
	script, args := at(l.t, throttleSource, now, retryAfter, jitter)
	wait, err := script.Run(l.t.Context(), l.rdb, []string{"pace"}, args...).Float64()
	if err != nil {
		l.t.Fatal(err)
	}
	return wait
}

func (l *inRedis) succeed() {
	l.t.Helper()
	if err := l.rdb.HDel(l.t.Context(), "pace", "level").Err(); err != nil {
		l.t.Fatal(err)
	}
}

// Four processes over a fake clock, for a minute: no window holds one slot too
// many, nothing is wasted, and an urgent ask is never far from its slot.
func TestPacing_FourProcessesOverAFakeClock(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0.5, 1, 10, 100, 1000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			gap := headroom * 1e6 / rate
			batch := max(1, int(micros(batchTime)/gap))
			s, slots := paceState{}, []float64{}
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
