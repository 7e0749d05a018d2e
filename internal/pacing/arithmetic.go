package pacing

import (
	"math"
	"time"
)

// The limiter's arithmetic, pure: what lua/pace.lua does in Redis, where the one
// clock is that rules. One table and random stories test both. Times are
// microseconds of Redis's clock, Unix.

// paceState is what all processes share about a limiter.
type paceState struct {
	seen    float64 // the latest call; 0: nothing is known
	last    float64 // when the last slot given out begins
	blocked float64 // no slot before
	granted granted
	answers []answers // the window's, the oldest first; the first may be from before it
}

// ask is a process's request for slots, and its report of answers.
type ask struct {
	gap          float64 // between slots at the rate set
	urgent, bulk int     // slots wanted, at most
	report       report
}

// report is what Telesign has answered to a process since its last report.
type report struct {
	granted int // answers other than "too fast"
	denied  int // "too fast", to requests whose slots are of the round
	round   int
	lost    int // slots that passed before they could be used, or unused
	// retryAfter is for how long Telesign asked to wait; 0: it didn't.
	retryAfter float64
}

func (r report) empty() bool { return r.granted+r.denied+r.lost == 0 && r.retryAfter == 0 }

// grant is the answer to an ask.
type grant struct {
	first   float64 // slot; with n = 0, the first free one
	n       int
	gap     float64 // between slots, in force
	round   int     // of the slots
	blocked float64 // no slot before: those given out already are lost, too
}

const (
	// nearTime, and a gap of at most nearGap, is how far ahead slots are given out:
	// little, so that a new rate soon holds.
	nearTime = 200 * time.Millisecond
	nearGap  = 300 * time.Millisecond
	// farTime is how far ahead an urgent caller may reserve: further than the bulk,
	// which then finds the slot taken.
	farTime = time.Second
	// maxRetryAfter bounds what Telesign may ask for.
	maxRetryAfter = time.Minute
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

// reserve takes note of the answers, and gives out the next slots, the first ones
// to urgent callers.
func reserve(now float64, before paceState, a ask) (paceState, grant) {
	s := before
	switch {
	case s.seen == 0:
		// Nothing is known, also when the key was lost: slots may have been given out
		// as far ahead as can be, and the next one is behind them.
		s.last = now + micros(farTime) + min(a.gap, 1e6) - a.gap
	case now < s.seen:
		// The clock was set back. For the slots it stood still.
		s = s.shift(now - s.seen)
	default:
		s.granted.grow(now - max(s.seen, s.blocked))
	}
	s.seen = now
	if a.report.retryAfter > 0 {
		s.blocked = max(s.blocked, now+min(a.report.retryAfter, micros(maxRetryAfter)))
	}
	if before.seen > 0 && a.urgent+a.bulk > 0 {
		a.report.lost += s.unused(now, a.gap)
	}
	s = s.note(now, a.gap, a.report)
	gap := s.granted.gap(a.gap)
	g := grant{first: max(now, s.last+gap, s.blocked), gap: gap, round: s.granted.round, blocked: s.blocked}
	g.n = free(now+ahead(gap, true)-g.first, gap, a.urgent)
	if g.n == a.urgent {
		g.n += free(now+ahead(gap, false)-g.first-float64(g.n)*gap, gap, a.bulk)
	}
	if g.n > 0 {
		s.last = g.first + float64(g.n-1)*gap
	} else if a.report.empty() && before.seen > 0 && now >= before.seen {
		return before, g // nothing has happened that must be kept
	}
	return s, g
}

// unused returns how many slots have passed that no one asked for, those of a window
// at most: a campaign that has just begun, or is small, asks for fewer than there are.
func (s paceState) unused(now, set float64) int {
	gap := s.granted.gap(set)
	return int(max(0, min(now-max(s.last+gap, s.blocked), window(gap))) / gap)
}

// shift moves all times, as the clock was.
func (s paceState) shift(by float64) paceState {
	s.last, s.blocked, s.granted.since = s.last+by, s.blocked+by, s.granted.since+by
	moved := make([]answers, len(s.answers))
	for i, a := range s.answers {
		a.at += by
		moved[i] = a
	}
	s.answers = moved
	return s
}

// free returns how many slots begin within room, the first one included.
func free(room, gap float64, want int) int {
	return max(0, min(want, int(math.Floor(room/gap))+1))
}

// next returns the first free slot after the grant.
func (g grant) next() float64 { return g.first + float64(g.n)*g.gap }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
