package simulator

import "time"

// window remembers the moments of the last second, oldest first, in a ring: the
// number in any one-second window at the cost of one step per request.
type window struct {
	ring []time.Duration
	head int
	size int
}

// count drops what is a second old or older and says how many are left.
func (w *window) count(now time.Duration) int {
	for w.size > 0 && now-w.ring[w.head] >= time.Second {
		w.head = (w.head + 1) % len(w.ring)
		w.size--
	}
	return w.size
}

func (w *window) add(now time.Duration) {
	if w.size == len(w.ring) {
		grown := make([]time.Duration, max(16, 2*w.size))
		for i := range w.size {
			grown[i] = w.ring[(w.head+i)%len(w.ring)]
		}
		w.ring, w.head = grown, 0
	}
	w.ring[(w.head+w.size)%len(w.ring)] = now
	w.size++
}

// pass lets at most limit through in any one-second window; 0 is no limit.
// What isn't let through doesn't count.
func (w *window) pass(now time.Duration, limit int) bool {
	if limit <= 0 {
		return true
	}
	if w.count(now) >= limit {
		return false
	}
	w.add(now)
	return true
}
