package worker

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
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
	// headroom stretches the space between slots: a request may leave up to 20
	// ms late without a window of one second ever holding one too many. It
	// costs 2 % of the rate.
	headroom = 1.02
	// tooLate is how late a slot may still be used; a later one is thrown away,
	// since its place in the window has passed.
	tooLate = 10 * time.Millisecond
	// batchTime is how much of the rate one call reserves at most.
	batchTime = 50 * time.Millisecond
	// askTime is the least time between two calls of one process, so that
	// whatever the rate it asks some twenty times a second.
	askTime = 45 * time.Millisecond
	// askPatience bounds one call.
	askPatience = 5 * time.Second
	// aheadTime is how far ahead slots are given out: what gets free is asked
	// for before it passes.
	aheadTime = 100 * time.Millisecond

	firstPush = time.Second
	mostPush  = time.Minute
)

// Pacer gives out slots at a rate that all processes on one Redis share. It is
// safe for concurrent use.
type Pacer struct {
	rdb  redis.UniversalClient
	key  string
	gap  time.Duration // between slots; 0: no limit
	most int           // slots in one call

	waiting   atomic.Int64 // callers without a slot
	throttled atomic.Bool  // this process has pushed the slots back
	blocked   atomic.Int64 // without a limit: Unix nanoseconds until which there is no slot
	turn      chan struct{}
	bulkTurn  chan struct{} // held by the one of the bulk who may wait for turn
	asked     time.Time     // when slots were reserved last; for whose turn it is, as the next
	there     farClock
	mu        sync.Mutex
	slots     []time.Time // ascending
}

// NewPacer is a pacer of rate slots per second, 0 for no limit, whose state
// stands under key.
func NewPacer(rdb redis.UniversalClient, key string, rate float64) *Pacer {
	p := &Pacer{rdb: rdb, key: key, turn: make(chan struct{}, 1), bulkTurn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	p.bulkTurn <- struct{}{}
	if rate > 0 {
		p.gap = time.Duration(headroom * float64(time.Second) / rate)
		p.most = max(1, int(batchTime/p.gap))
	}
	return p
}

// Wait waits for the next slot. The caller uses it at once.
func (p *Pacer) Wait(ctx context.Context) error {
	_, err := p.Take(ctx, false)
	return err
}

// Take is Wait for a caller who may find that it has no use for the slot, and
// gives it back with Unused then. An urgent one comes before all others who
// wait in this process.
func (p *Pacer) Take(ctx context.Context, urgent bool) (slot time.Time, err error) {
	for p.gap == 0 {
		until := time.Unix(0, p.blocked.Load())
		if err := sleepUntil(ctx, until); err != nil {
			return until, err
		}
		if p.blocked.Load() <= until.UnixNano() {
			return until, nil
		}
	}
	for {
		slot, err := p.next(ctx, urgent)
		if err != nil {
			return slot, err
		}
		if err := sleepUntil(ctx, slot); err != nil {
			p.put(slot)
			return slot, err
		}
		if time.Since(slot) <= tooLate {
			return slot, nil
		}
	}
}

// Unused gives a slot back that wasn't needed after all; it goes to whoever
// asks before it is too late, or is lost.
func (p *Pacer) Unused(slot time.Time) {
	if p.gap > 0 {
		p.put(slot)
	}
}

func (p *Pacer) put(slot time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, _ := slices.BinarySearchFunc(p.slots, slot, time.Time.Compare)
	p.slots = slices.Insert(p.slots, i, slot)
}

func (p *Pacer) pop() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.slots) > 0 {
		slot := p.slots[0]
		p.slots = p.slots[1:]
		if time.Since(slot) <= tooLate {
			return slot, true
		}
	}
	return time.Time{}, false
}

// next takes a slot, one caller at a time; the one whose turn it is reserves
// more for all who wait.
func (p *Pacer) next(ctx context.Context, urgent bool) (time.Time, error) {
	p.waiting.Add(1)
	defer p.waiting.Add(-1)
	if !urgent { // one of them at a time: the next turn is never far
		select {
		case <-p.bulkTurn:
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
		defer func() { p.bulkTurn <- struct{}{} }()
	}
	select {
	case <-p.turn:
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	defer func() { p.turn <- struct{}{} }()
	for {
		if slot, ok := p.pop(); ok {
			return slot, nil
		}
		if wait := askTime - time.Since(p.asked); wait > 0 {
			if err := sleepUntil(ctx, time.Now().Add(wait)); err != nil {
				return time.Time{}, err
			}
			continue // a slot may have been given back
		}
		p.asked = time.Now()
		again, err := p.reserve(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if err := sleepUntil(ctx, again); err != nil {
			return time.Time{}, err
		}
	}
}

// reserve asks for slots, and says when to ask again if there were none.
func (p *Pacer) reserve(ctx context.Context) (again time.Time, err error) {
	want := min(p.most, max(1, int(p.waiting.Load())))
	// The slots are others' too: no single caller may lose them by giving up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	before := time.Now()
	v, err := paceScript.Run(ctx, p.rdb, []string{p.key},
		micros(p.gap), want, (aheadTime + p.gap).Microseconds()).Int64Slice()
	if err != nil {
		return time.Time{}, fmt.Errorf("reserve slots: %w", err)
	}
	if len(v) != 3 {
		return time.Time{}, fmt.Errorf("reserve slots: %d values", len(v))
	}
	p.there.sample(before, time.Since(before), v[0])
	first := p.there.local(v[1])
	if v[2] == 0 {
		return first, nil
	}
	for i := range v[2] {
		p.put(first.Add(time.Duration(i) * p.gap))
	}
	return time.Time{}, nil
}

// Throttled pushes everybody's next slot back: by what Telesign asked for, else
// by a second, doubled each time in a row, a minute at most. It returns for how
// long.
func (p *Pacer) Throttled(ctx context.Context, retryAfter time.Duration) (time.Duration, error) {
	p.throttled.Store(true)
	p.mu.Lock()
	p.slots = nil
	p.mu.Unlock()
	n, err := throttleScript.Run(ctx, p.rdb, []string{p.key}, micros(min(retryAfter, mostPush)), micros(firstPush), micros(mostPush)).Int64()
	if err != nil {
		return 0, fmt.Errorf("push slots back: %w", err)
	}
	wait := time.Duration(n) * time.Microsecond
	p.blocked.Store(time.Now().Add(wait).UnixNano())
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
	here  time.Time // when Redis's clock was read, as good as can be told
	there int64     // what it said, Unix microseconds
	doubt time.Duration
}

// drift is how fast two clocks may part.
const drift = 100e-6

// sample takes what Redis's clock said in a call of this length.
func (c *farClock) sample(before time.Time, took time.Duration, there int64) {
	fresh := farClock{here: before.Add(took / 2), there: there, doubt: took / 2}
	aged := c.doubt + time.Duration(drift*float64(fresh.here.Sub(c.here)))
	off := c.local(there).Sub(fresh.here).Abs() // more than both doubts: another Redis's clock
	if c.here.IsZero() || fresh.doubt <= aged || off > aged+fresh.doubt {
		*c = fresh
	}
}

func (c *farClock) local(there int64) time.Time {
	return c.here.Add(time.Duration(there-c.there) * time.Microsecond)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func sleepUntil(ctx context.Context, t time.Time) error {
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
