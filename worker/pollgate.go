package worker

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// For how long nothing is asked once Telesign has said that the account may not: a
// fault that passes costs little, an account that may never ask one request an hour.
const (
	minPollPause = time.Minute
	maxPollPause = time.Hour
)

// pollGate says whether Telesign may be asked for outcomes. An account that may not
// ask asks once after each pause: until a question is answered, one goes at a time.
type pollGate struct {
	never  bool
	closed prometheus.Gauge

	mu     sync.Mutex
	proven bool
	pause  time.Duration // the latest; 0: the latest question was answered
	until  time.Time

	first sync.Mutex // held by the only question until one is answered
}

// open reports whether a question may be asked.
func (g *pollGate) open(now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.never && !now.Before(g.until)
}

// enter lets one question through at a time until one was answered.
func (g *pollGate) enter() (leave func()) {
	g.mu.Lock()
	proven := g.proven
	g.mu.Unlock()
	if proven {
		return func() {}
	}
	g.first.Lock()
	return g.first.Unlock
}

// answered records that the account may ask, and reports whether that is news.
func (g *pollGate) answered() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.pause > 0
	g.proven, g.pause, g.until = true, 0, time.Time{}
	g.closed.Set(0)
	return was
}

// refused closes the gate, and returns until when. Of questions that were under way
// together the first does.
func (g *pollGate) refused(now time.Time) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.Before(g.until) {
		g.proven, g.pause = false, min(max(minPollPause, 2*g.pause), maxPollPause)
		g.until = now.Add(g.pause)
		g.closed.Set(1)
	}
	return g.until
}
