package pacing

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/pace.lua
	paceSource string
	//go:embed lua/throttle.lua
	throttleSource string

	paceScript     = redis.NewScript(paceSource)
	throttleScript = redis.NewScript(throttleSource)
)

const (
	// batchTime is how much of the rate one call reserves at most.
	batchTime = 300 * time.Millisecond
	// askTime is the least time between two calls of one process, so that
	// whatever the rate it asks some twenty times a second at most.
	askTime = 50 * time.Millisecond
	// mostSleep is the longest: a rate that another process has set anew, or a
	// push that was taken back, is seen by then.
	mostSleep = 500 * time.Millisecond
	// askPatience bounds one call.
	askPatience = 5 * time.Second
	// mostJitter is added to a push that Telesign hasn't asked for, so that
	// accounts which share a limit don't come back together.
	mostJitter = 0.1
)

// due is when to ask for slots.
func (p *Pacer) due() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	soonest, latest := p.asked.Add(askTime), p.asked.Add(mostSleep)
	if p.next.IsZero() {
		return soonest
	}
	before := p.early
	if len(p.urgent) > 0 {
		before = farTime
	}
	at := p.next.Add(-before)
	switch {
	case at.Before(soonest):
		return soonest
	case at.After(latest):
		return latest
	}
	return at
}

// ask reserves slots for all who wait, and gives them out.
func (p *Pacer) ask(ctx context.Context) error {
	p.mu.Lock()
	rate, gap := p.rate, p.gap
	urgent, bulk := len(p.urgent), len(p.bulk)
	p.asked = time.Now()
	p.mu.Unlock()
	if gap == 0 {
		return nil // they have been let go
	}
	most := max(1, int(batchTime/gap))
	// The slots are others' too: no single caller may lose them by giving up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	before := time.Now()
	answer, err := paceScript.Run(ctx, p.rdb, []string{p.key}, micros(gap), min(urgent, most), min(bulk, most), rate).StringSlice()
	if err != nil {
		return fmt.Errorf("reserve slots: %w", err)
	}
	now, g, err := parseGrant(answer)
	if err != nil {
		return fmt.Errorf("reserve slots: %w", err)
	}
	p.there.sample(before, time.Since(before), int64(now))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range g.n {
		p.insert(slot{at: p.there.local(g.first + float64(i)*g.gap), limit: true})
	}
	p.count.Reserved.Add(float64(g.n))
	p.next = p.there.local(g.next())
	// The bulk asks when about half of what it may reserve is free: each process
	// at another time, and now this one first, now that one, or one would take all.
	p.early = duration(near(g.gap) * (0.3 + 0.4*rand.Float64()))
	if p.rate != rate {
		p.next = time.Time{} // set anew meanwhile
	}
	p.deal()
	return nil
}

func parseGrant(answer []string) (now float64, g grant, err error) {
	if len(answer) != 4 {
		return 0, g, fmt.Errorf("%d values", len(answer))
	}
	var v [4]float64
	for i, s := range answer {
		if v[i], err = strconv.ParseFloat(s, 64); err != nil {
			return 0, g, fmt.Errorf("%q isn't a number", s)
		}
	}
	return v[0], grant{first: v[1], n: int(v[2]), gap: v[3]}, nil
}

// Throttled pushes everybody's next slot back: by what Telesign asked for, else
// by a second, doubled each time in a row, a minute at most, and a little. It
// also lowers the rate by a third, which comes back by such steps of ten seconds.
// It returns for how long there is no slot.
func (p *Pacer) Throttled(ctx context.Context, retryAfter time.Duration) (time.Duration, error) {
	p.throttled.Store(true)
	before := time.Now()
	n, err := throttleScript.Run(ctx, p.rdb, []string{p.key}, micros(min(retryAfter, mostPush)), mostJitter*rand.Float64()).Int64()
	if err != nil {
		return 0, fmt.Errorf("push slots back: %w", err)
	}
	wait := time.Duration(n) * time.Microsecond
	p.mu.Lock()
	defer p.mu.Unlock()
	// With a limit Redis's answers say when to go on: what is said here is no
	// later. Without a limit Redis isn't asked: it is no sooner.
	if p.blocked = before.Add(wait); p.gap == 0 {
		p.blocked = time.Now().Add(wait)
	}
	p.deal() // the slots before are lost
	return wait, nil
}

// Succeeded ends a row of throttled answers.
func (p *Pacer) Succeeded(ctx context.Context) {
	if p.throttled.CompareAndSwap(true, false) {
		// Should this fail, the next push is longer than need be.
		_ = p.rdb.HDel(ctx, p.key, "level").Err()
	}
}

// farClock tells times of Redis's clock in this machine's. A call that took long
// tells little, so that the best one counts until its age makes it worse.
type farClock struct {
	here  time.Time // when Redis's clock was read, estimated
	there int64     // what it said, Unix microseconds
	doubt time.Duration
}

// drift is how fast two clocks may part.
const drift = 100e-6

// sample takes what Redis's clock said in a call of this length.
func (c *farClock) sample(before time.Time, took time.Duration, there int64) {
	fresh := farClock{here: before.Add(took / 2), there: there, doubt: took / 2}
	aged := c.doubt + time.Duration(drift*float64(fresh.here.Sub(c.here)))
	off := c.local(float64(there)).Sub(fresh.here).Abs() // more than both doubts: another Redis's clock
	if c.here.IsZero() || fresh.doubt <= aged || off > aged+fresh.doubt {
		*c = fresh
	}
}

func (c *farClock) local(there float64) time.Time {
	return c.here.Add(duration(there - float64(c.there)))
}

func duration(micros float64) time.Duration {
	return time.Duration(micros * float64(time.Microsecond))
}
