package pacing

import (
	"context"
	_ "embed" // the script
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/pace.lua
	paceSource string

	paceScript = redis.NewScript(paceSource)
)

const (
	// batchTime is how much of the rate one call reserves at most.
	batchTime = 300 * time.Millisecond
	// askTime is the least time between two calls of one process, so that
	// whatever the rate it asks some twenty times a second at most.
	askTime = 50 * time.Millisecond
	// maxSleep is the longest: a rate that another process has set anew is seen by
	// then.
	maxSleep = 500 * time.Millisecond
	// askPatience bounds one call.
	askPatience = 5 * time.Second
	// reportTime is how old answers may get before they are reported: then they say
	// little of what is granted now.
	reportTime = time.Second
)

// due is when to ask for slots.
func (p *Pacer) due() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	soonest, latest := p.asked.Add(askTime), p.asked.Add(maxSleep)
	if p.next.IsZero() || p.report.denied > 0 {
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

// ask reports answers, reserves slots for all who wait, and gives them out.
func (p *Pacer) ask(ctx context.Context) error {
	p.mu.Lock()
	rate, gap := p.rate, p.gap
	if gap == 0 {
		p.mu.Unlock()
		return nil // they have been let go
	}
	most := max(1, int(batchTime/gap))
	a := ask{gap: micros(gap), urgent: min(len(p.urgent), most), bulk: min(len(p.bulk), most), report: p.takeReport()}
	p.asked = time.Now()
	p.mu.Unlock()
	before := time.Now()
	now, g, err := p.call(ctx, rate, a)
	if err != nil {
		return fmt.Errorf("reserve slots: %w", err)
	}
	p.there.sample(before, time.Since(before), int64(now))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter(g.round)
	if g.blocked > now {
		p.blocked = p.there.local(g.blocked)
	}
	given := 0
	for i := range g.n {
		at := p.there.local(g.first + float64(i)*g.gap)
		if at.Before(p.latest.Add(p.gap-tooLate)) && time.Until(p.latest) < 2*farTime {
			p.lose(Slot{}) // Redis has forgotten the slots that this process has
			continue
		}
		p.latest = at
		p.insert(Slot{at: at, round: g.round, limit: true})
		given++
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

// takeReport returns what is to be reported. Should the call fail, it is lost: it
// would be old by the next one.
func (p *Pacer) takeReport() report {
	r := p.report
	p.report = report{round: r.round}
	if time.Since(p.answered) > reportTime {
		return p.report
	}
	return r
}

// enter begins another round: what was denied belongs to the one before.
func (p *Pacer) enter(round int) {
	if p.report.round != round {
		p.report.round, p.report.denied = round, 0
	}
}

// call runs the script. The slots are others' too: no single caller may lose them
// by giving up.
func (p *Pacer) call(ctx context.Context, rate float64, a ask) (now float64, g grant, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	answer, err := paceScript.Run(ctx, p.rdb, []string{p.key}, paceArgs(rate, a)...).StringSlice()
	if err != nil {
		return 0, g, err
	}
	return parseGrant(answer)
}

func paceArgs(rate float64, a ask) []any {
	r := a.report
	return []any{a.gap, a.urgent, a.bulk, rate, r.granted, r.denied, r.round, r.lost, r.retryAfter}
}

func parseGrant(answer []string) (now float64, g grant, err error) {
	var v [6]float64
	if len(answer) != len(v) {
		return 0, g, fmt.Errorf("%d values", len(answer))
	}
	for i, s := range answer {
		if v[i], err = strconv.ParseFloat(s, 64); err != nil {
			return 0, g, fmt.Errorf("%q isn't a number", s)
		}
	}
	return v[0], grant{first: v[1], n: int(v[2]), gap: v[3], round: int(v[4]), blocked: v[5]}, nil
}

// Granted notes that Telesign has answered the request of a slot, and not "too
// fast".
func (p *Pacer) Granted(s Slot) {
	if !s.limit {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hear().granted++
}

// Denied notes that Telesign has answered "too fast" to the request of a slot, and
// for how long it asked to wait, 0 if it didn't say. It returns for how long there
// is no slot for anyone.
func (p *Pacer) Denied(ctx context.Context, s Slot, retryAfter time.Duration) (time.Duration, error) {
	p.mu.Lock()
	if s.limit && s.round == p.report.round {
		p.hear().denied++
		p.signal() // to report it soon
	}
	rate, a := p.rate, ask{gap: micros(p.gap)}
	if p.gap == 0 {
		// Without a limit there are no slots to count on: the vendor's second, or
		// what it asked for, in this process.
		wait := min(max(retryAfter, time.Second), maxRetryAfter)
		p.blocked = time.Now().Add(wait)
		p.mu.Unlock()
		return wait, nil
	}
	if retryAfter <= 0 {
		p.mu.Unlock()
		return 0, nil
	}
	a.report = p.takeReport()
	p.mu.Unlock()
	a.report.retryAfter = micros(retryAfter)
	before := time.Now()
	now, g, err := p.call(ctx, rate, a)
	if err != nil {
		return 0, fmt.Errorf("push slots back: %w", err)
	}
	wait := duration(g.blocked - now)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.enter(g.round)
	p.blocked = before.Add(wait)
	p.deal() // the slots before are lost
	return wait, nil
}

// hear returns the report that an answer of now belongs to.
func (p *Pacer) hear() *report {
	now := time.Now()
	if now.Sub(p.answered) > reportTime {
		p.report = report{round: p.report.round}
	}
	p.answered = now
	return &p.report
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
