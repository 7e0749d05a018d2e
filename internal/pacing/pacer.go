package pacing

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

const (
	// headroom stretches the space between slots: a request may leave up to 20
	// ms late without a window of one second ever holding one too many. It
	// costs 2 % of the rate.
	headroom = 1.02
	// tooLate is how late a slot may still be used: less than headroom allows, since
	// the request is also under way. A later one is thrown away, since its place in
	// the window has passed.
	tooLate = 10 * time.Millisecond
)

// Pacer gives out slots at a rate that all processes on one Redis share. It is
// safe for concurrent use.
//
// A slot is for now: [Pacer.Take] gives it out a little before its time, so that its
// caller gets ready meanwhile, and [Pacer.Await] waits for its time, and takes another
// one if that has passed. Whatever stalled, requests leave evenly spaced.
//
// One of the waiting callers has the turn: it asks Redis for all of them, and reports
// what Telesign has answered.
type Pacer struct {
	rdb   redis.UniversalClient
	key   string
	count SlotCounts

	turn  chan struct{} // held by the caller that asks Redis
	wake  chan struct{} // wakes that caller when something has changed
	there farClock      // used by the caller that has the turn

	mu      sync.Mutex
	rate    float64       // messages per second; 0: no limit
	gap     time.Duration // between slots at that rate
	blocked time.Time     // no slot before, as far as this process knows
	asked   time.Time     // when slots were asked for last
	next    time.Time     // the first free slot, as of then
	early   time.Duration // how long before that the bulk asks again
	slots   []Slot        // ascending and free; empty while callers wait
	urgent  []*waiter     // before the bulk
	bulk    []*waiter
	given   uint64                 // slots
	turns   map[campaign.ID]uint64 // the latest slot of each campaign
	latest  time.Time              // slot that was reserved

	report   report    // of what has been answered since the last one
	answered time.Time // the latest of it
}

// Slot is a moment at which one request may leave.
type Slot struct {
	at    time.Time
	round int
	used  bool // counted as used
	limit bool // false: there was no limit
}

// Now reports whether the slot may be used at this moment.
func (s Slot) Now() bool { return !s.limit || time.Since(s.at) <= tooLate }

// LaterThan reports whether the slot comes more than d after another one. Where that
// one knows no limit, it doesn't.
func (s Slot) LaterThan(other Slot, d time.Duration) bool {
	if !s.limit {
		s.at = time.Now()
	}
	return other.limit && s.at.Sub(other.at) > d
}

// waiter is a caller without a slot.
type waiter struct {
	of  campaign.ID
	got chan Slot
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
	s, err := p.Take(ctx, "", false)
	if err != nil {
		return err
	}
	if err := SleepUntil(ctx, s.at); err != nil {
		p.put(s)
		return err
	}
	_, err = p.Await(ctx, s, "", false)
	return err
}

// Take waits until there is a slot, whose time comes soon: within half a second, for
// urgent callers within one. The caller waits for it with [Pacer.Await], or gives it
// back with [Pacer.Unused]. An urgent caller comes before all others, in all
// processes. Campaigns take turns, however many callers wait for each.
func (p *Pacer) Take(ctx context.Context, of campaign.ID, urgent bool) (Slot, error) {
	return p.take(ctx, of, urgent, false)
}

// Await waits for the slot's time and returns it; where that has passed, or slots
// were pushed back, it waits for another one. Only for that ctx counts.
func (p *Pacer) Await(ctx context.Context, s Slot, of campaign.ID, urgent bool) (Slot, error) {
	for {
		if err := SleepUntil(context.WithoutCancel(ctx), s.at); err != nil {
			return Slot{}, err
		}
		if p.use(&s) {
			return s, nil
		}
		var err error
		if s, err = p.take(ctx, of, urgent, true); err != nil {
			return Slot{}, err
		}
	}
}

// TakeBy returns a slot that begins before another pacer's does, for a request that
// leaves in both; false if there is none by then.
func (p *Pacer) TakeBy(ctx context.Context, other Slot) (Slot, bool) {
	by := other.at
	if !other.limit {
		by = time.Now().Add(tooLate)
	}
	ctx, cancel := context.WithDeadline(ctx, by)
	defer cancel()
	s, err := p.Take(ctx, "", false)
	if err != nil {
		return s, false
	}
	if s.limit && s.at.After(by) {
		p.Unused(s)
		return s, false
	}
	return s, p.use(&s)
}

// Unused gives a slot back that wasn't needed; the next caller in time gets it.
func (p *Pacer) Unused(s Slot) { p.put(s) }

func (p *Pacer) put(s Slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gap == 0 || !s.limit {
		return
	}
	p.insert(s)
	p.deal()
}

func (p *Pacer) insert(s Slot) {
	i, _ := slices.BinarySearchFunc(p.slots, s, func(a, b Slot) int { return a.at.Compare(b.at) })
	p.slots = slices.Insert(p.slots, i, s)
}

// use says whether the slot, whose time has come, may be used.
func (p *Pacer) use(s *Slot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !s.limit:
		return p.gap == 0 && !s.at.Before(p.blocked)
	case s.at.Before(p.blocked), !s.Now():
		p.lose(*s)
		return false
	}
	if !s.used {
		s.used = true
		p.count.Used.Inc()
	}
	return true
}

// take waits until it gets a slot, whose time may still be to come. A caller that
// has lost one comes first of its campaign.
func (p *Pacer) take(ctx context.Context, of campaign.ID, urgent, again bool) (Slot, error) {
	w := &waiter{of: of, got: make(chan Slot, 1)}
	p.join(w, urgent, again)
	defer p.leave(w, urgent)
	if s, ok := w.has(); ok {
		return s, nil
	}
	select {
	case s := <-w.got:
		return s, nil
	case <-ctx.Done():
		return Slot{}, ctx.Err()
	case <-p.turn:
	}
	defer func() { p.turn <- struct{}{} }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return Slot{}, err
		}
		if s, ok := w.has(); ok {
			return s, nil
		}
		wait := time.Until(p.due())
		if wait <= 0 {
			if err := p.ask(ctx); err != nil {
				return Slot{}, err
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
func (w *waiter) has() (Slot, bool) {
	select {
	case s := <-w.got:
		return s, true
	default:
		return Slot{}, false
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
		p.give(Slot{at: p.blocked})
	}
	for len(p.slots) > 0 {
		s := p.slots[0]
		if !s.Now() || s.at.Before(p.blocked) {
			p.lose(s)
		} else if !p.give(s) {
			return
		}
		p.slots = p.slots[1:]
	}
}

// lose counts a slot that passed before it could be used. One that was given back
// when its time had come counts as used.
func (p *Pacer) lose(s Slot) {
	if !s.used {
		p.count.Lost.Inc()
	}
	p.report.lost++
}

func (p *Pacer) give(s Slot) bool {
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
