package pacing

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

const (
	// headroom stretches the space between slots: a request may leave up to 20
	// ms late without a window of one second ever holding one too many. It
	// costs 2 % of the rate.
	headroom = 1.02
	// tooLate is how late a slot may still be used; a later one is thrown away,
	// since its place in the window has passed.
	tooLate = 10 * time.Millisecond
	// stragglerTime is how much later than usual a request may leave after its
	// slot: less than headroom allows, since it is also under way.
	stragglerTime = 12 * time.Millisecond
)

// Pacer gives out slots at a rate that all processes on one Redis share. It is
// safe for concurrent use.
//
// One of the waiting callers has the turn: it asks Redis for all of them.
type Pacer struct {
	rdb   redis.UniversalClient
	key   string
	count SlotCounts

	throttled atomic.Bool   // this process has pushed the slots back
	turn      chan struct{} // held by the caller that asks Redis
	wake      chan struct{} // wakes that caller when something has changed
	there     farClock      // used by the caller that has the turn

	mu      sync.Mutex
	rate    float64       // messages per second; 0: no limit
	gap     time.Duration // between slots at that rate
	blocked time.Time     // no slot before, as far as this process knows
	asked   time.Time     // when slots were asked for last
	next    time.Time     // the first free slot, as of then
	early   time.Duration // how long before that the bulk asks again
	slots   []slot        // ascending and free; empty while callers wait
	urgent  []*waiter     // before the bulk
	bulk    []*waiter
	given   uint64                 // slots
	turns   map[campaign.ID]uint64 // the latest slot of each campaign
	lag     lag
}

// slot is a place in the window.
type slot struct {
	at    time.Time
	used  bool // counted as used, and given back
	limit bool // false: there was no limit
}

// waiter is a caller without a slot.
type waiter struct {
	of  campaign.ID
	got chan slot
}

// maxTurns bounds the campaigns whose last turn is kept.
const maxTurns = 256

// New returns a pacer of rate slots per second, 0 for no limit, whose state
// stands under key.
func New(rdb redis.UniversalClient, key string, rate float64) *Pacer {
	p := &Pacer{rdb: rdb, key: key, count: uncounted, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), turns: make(map[campaign.ID]uint64)}
	p.turn <- struct{}{}
	p.SetRate(rate)
	return p
}

// CountIn has the slots counted. Call it before the first slot is taken.
func (p *Pacer) CountIn(c SlotCounts) { p.count = c }

// SetRate changes the rate, 0 for no limit, also for those who wait already.
func (p *Pacer) SetRate(rate float64) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rate == p.rate {
		return false
	}
	p.rate, p.gap = rate, 0
	if rate > 0 {
		p.gap = time.Duration(headroom * float64(time.Second) / rate)
	}
	p.next = time.Time{} // to be asked for again
	p.deal()
	p.signal()
	return true
}

// Wait waits for the next slot. The caller uses it at once.
func (p *Pacer) Wait(ctx context.Context) error {
	_, err := p.Take(ctx, "", false)
	return err
}

// Take is [Pacer.Wait] for a caller that may give the slot back with
// [Pacer.Unused]. An urgent caller comes before all others, in all processes.
// Campaigns take turns, however many callers wait for each.
func (p *Pacer) Take(ctx context.Context, of campaign.ID, urgent bool) (at time.Time, err error) {
	for again := false; ; again = true {
		s, err := p.take(ctx, of, urgent, again)
		if err != nil {
			return time.Time{}, err
		}
		if err := SleepUntil(ctx, s.at); err != nil {
			p.put(s)
			return time.Time{}, err
		}
		if p.use(s) {
			return s.at, nil
		}
	}
}

// Unused gives a slot back that wasn't needed; the next caller in time gets it.
func (p *Pacer) Unused(at time.Time) { p.put(slot{at: at, used: true, limit: true}) }

// Leaving notes that the request of a slot leaves now. One that is later than
// usual falls into another window of one second than its slot: one of this
// process's next slots makes room for it.
func (p *Pacer) Leaving(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gap > 0 {
		p.lag.left(at, time.Now())
	}
}

func (p *Pacer) put(s slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gap == 0 || !s.limit {
		return
	}
	p.insert(s)
	p.deal()
}

func (p *Pacer) insert(s slot) {
	i, _ := slices.BinarySearchFunc(p.slots, s, func(a, b slot) int { return a.at.Compare(b.at) })
	p.slots = slices.Insert(p.slots, i, s)
}

// use says whether the slot, whose time has come, may be used.
func (p *Pacer) use(s slot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !s.limit:
		return p.gap == 0 && !s.at.Before(p.blocked)
	case s.at.Before(p.blocked), time.Since(s.at) > tooLate:
		p.count.Lost.Inc()
		return false
	}
	if !s.used {
		p.count.Used.Inc()
	}
	return true
}

// take waits until it gets a slot, whose time may still be to come. A caller that
// has lost one comes first of its campaign.
func (p *Pacer) take(ctx context.Context, of campaign.ID, urgent, again bool) (slot, error) {
	w := &waiter{of: of, got: make(chan slot, 1)}
	p.join(w, urgent, again)
	defer p.leave(w, urgent)
	if s, ok := w.has(); ok {
		return s, nil
	}
	select {
	case s := <-w.got:
		return s, nil
	case <-ctx.Done():
		return slot{}, ctx.Err()
	case <-p.turn:
	}
	defer func() { p.turn <- struct{}{} }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return slot{}, err
		}
		if s, ok := w.has(); ok {
			return s, nil
		}
		wait := time.Until(p.due())
		if wait <= 0 {
			if err := p.ask(ctx); err != nil {
				return slot{}, err
			}
			continue
		}
		timer.Reset(wait)
		select {
		case s := <-w.got:
			return s, nil
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// has takes what the waiter was given.
func (w *waiter) has() (slot, bool) {
	select {
	case s := <-w.got:
		return s, true
	default:
		return slot{}, false
	}
}

func (p *Pacer) queue(urgent bool) *[]*waiter {
	if urgent {
		return &p.urgent
	}
	return &p.bulk
}

func (p *Pacer) join(w *waiter, urgent, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queue(urgent)
	if first {
		*q = slices.Insert(*q, 0, w)
		p.turns[w.of] = 0 // what it had was none
	} else {
		*q = append(*q, w)
	}
	p.deal()
	if urgent {
		p.signal() // there may be a slot further ahead
	}
}

// leave takes a waiter out. What it was given and didn't take goes to others.
func (p *Pacer) leave(w *waiter, urgent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queue(urgent)
	if i := slices.Index(*q, w); i >= 0 {
		*q = slices.Delete(*q, i, i+1)
	}
	if s, ok := w.has(); ok && s.limit && p.gap > 0 {
		p.insert(s)
		p.deal()
	}
}

// deal gives slots to waiting callers, the urgent ones first.
func (p *Pacer) deal() {
	for p.gap == 0 && len(p.urgent)+len(p.bulk) > 0 {
		p.give(slot{at: p.blocked})
	}
	for len(p.slots) > 0 {
		s := p.slots[0]
		if late := time.Since(s.at) > tooLate; late || s.at.Before(p.blocked) || (s.limit && p.lag.pays(s.at)) {
			p.count.Lost.Inc()
		} else if !p.give(s) {
			return
		}
		p.slots = p.slots[1:]
	}
}

func (p *Pacer) give(s slot) bool {
	q := &p.urgent
	if len(*q) == 0 {
		q = &p.bulk
	}
	if len(*q) == 0 {
		return false
	}
	i := p.first(*q)
	w := (*q)[i]
	p.given++
	p.turns[w.of] = p.given
	w.got <- s
	*q = slices.Delete(*q, i, i+1)
	return true
}

// first returns the index of the next caller: of the campaign that has waited
// longest for a slot, the one that came first.
func (p *Pacer) first(q []*waiter) int {
	if len(p.turns) > maxTurns {
		clear(p.turns) // of campaigns long gone, most of them
	}
	first := 0
	for i, w := range q {
		if p.turns[w.of] < p.turns[q[first].of] {
			first = i
		}
	}
	return first
}

func (p *Pacer) signal() {
	select {
	case p.wake <- struct{}{}:
	default: // signaled already
	}
}

func SleepUntil(ctx context.Context, t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
