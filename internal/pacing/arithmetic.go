package pacing

import (
	"math"
	"time"
)

// The pacer's arithmetic, pure: what lua/pace.lua and lua/throttle.lua do in
// Redis, where the one clock is that rules. One table tests both. Times are
// microseconds of Redis's clock, Unix.

// paceState is what all processes share about a limiter.
type paceState struct {
	last    float64 // when the last slot given out begins
	blocked float64 // no slot before
	level   int     // throttled so often in a row
	cut     int     // the rate was lowered by so many steps
	cutAt   float64 // since when it recovers
}

// ask is a process's request for slots.
type ask struct {
	gap          float64 // between slots at the rate set
	urgent, bulk int     // slots wanted, at most
}

// grant is the answer to an ask.
type grant struct {
	first float64 // slot; with n = 0, the first free one
	n     int
	gap   float64 // between slots, in force
}

const (
	// nearTime, and a gap of at most nearGap, is how far ahead slots are given out:
	// little, so that a new rate soon holds.
	nearTime = 200 * time.Millisecond
	nearGap  = 300 * time.Millisecond
	// farTime is how far ahead an urgent caller may reserve: further than the bulk,
	// which then finds the slot taken.
	farTime = time.Second

	FirstPush = time.Second
	mostPush  = time.Minute
	mostLevel = 10
	mostCut   = 8
)

// near returns how far ahead the bulk may reserve.
func near(gap float64) float64 { return micros(nearTime) + min(gap, micros(nearGap)) }

// ahead returns how far ahead slots are reserved at this gap.
func ahead(gap float64, urgent bool) float64 {
	if urgent {
		return micros(farTime)
	}
	return near(gap)
}

// reserve gives out the next slots, the first ones to urgent callers.
func reserve(now float64, s paceState, a ask) (paceState, grant) {
	gap := a.gap / Share(CutNow(s.cut, s.cutAt, now))
	// Further ahead than far only when the clock was set back.
	last := min(s.last, now+micros(farTime))
	g := grant{first: max(now, last+gap, s.blocked), gap: gap}
	g.n = free(now+ahead(gap, true)-g.first, gap, a.urgent)
	if g.n == a.urgent {
		g.n += free(now+ahead(gap, false)-g.first-float64(g.n)*gap, gap, a.bulk)
	}
	if g.n > 0 {
		s.last = g.first + float64(g.n-1)*gap
	}
	return s, g
}

// free returns how many slots begin within room, the first one included.
func free(room, gap float64, want int) int {
	return max(0, min(want, int(math.Floor(room/gap))+1))
}

// next returns the first free slot after the grant.
func (g grant) next() float64 { return g.first + float64(g.n)*g.gap }

// throttle pushes all slots back and lowers the rate by a step. It returns for how
// long there is no slot: what Telesign asked for, else a second, doubled with each
// push in a row, and jitter. While slots are pushed back it changes nothing: the
// answer is to a request from before.
func throttle(now float64, s paceState, retryAfter, jitter float64) (paceState, float64) {
	if s.blocked <= now {
		wait := retryAfter
		if wait == 0 {
			wait = min(micros(FirstPush)*math.Pow(2, float64(s.level)), micros(mostPush)) * (1 + jitter)
		}
		s.cut = min(CutNow(s.cut, s.cutAt, now)+1, mostCut)
		s.blocked = math.Ceil(now + wait)
		s.cutAt = s.blocked // the rate recovers only while there are sends
		s.level = min(s.level+1, mostLevel)
	}
	return s, s.blocked - now
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
