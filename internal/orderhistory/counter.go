package orderhistory

import (
	"sync"
	"time"
)

// counter reports how far a run is, a few times a second.
type counter struct {
	mu       sync.Mutex
	done, of int
	said     time.Time
}

const sayEvery = 100 * time.Millisecond

func (c *counter) begin(done, of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.of = done, of
}

// add counts n more of what begin has begun.
func (c *counter) add(to func(Progress), doing string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	c.say(to, Progress{doing, c.done, c.of})
}

func (c *counter) report(to func(Progress), doing string, done, of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say(to, Progress{doing, done, of})
}

func (c *counter) say(to func(Progress), p Progress) {
	if now := time.Now(); to != nil && (now.Sub(c.said) >= sayEvery || p.Done == p.Of) {
		c.said = now
		to(p)
	}
}
