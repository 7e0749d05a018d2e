package pacing

import "time"

// lag is by how much requests leave later than their slots. The usual lag, as
// that of a Redis far away, shifts all requests alike and does no harm; a
// straggler comes together with those behind it.
type lag struct {
	usual time.Duration
	known bool
	// owed are the slots of stragglers that no later slot has made room for.
	owed []time.Time
}

// lagWeight is how much of a new lag goes into the usual one.
const lagWeight = 1.0 / 32

// left takes note of a request for the slot at that leaves now.
func (l *lag) left(at, now time.Time) {
	took := now.Sub(at)
	if !l.known {
		l.usual, l.known = took, true
	}
	if took > l.usual+stragglerTime {
		l.owed = append(l.owed, at)
	}
	// One stall says little of what is usual.
	took = min(took, l.usual+stragglerTime)
	l.usual += time.Duration(lagWeight * float64(took-l.usual))
}

// pays says whether the slot at is to make room for a straggler: one that may
// stand in the same window of one second.
func (l *lag) pays(at time.Time) bool {
	for len(l.owed) > 0 {
		owed := l.owed[0]
		l.owed = l.owed[1:]
		if at.Sub(owed) < time.Second {
			return true
		}
	}
	return false
}
