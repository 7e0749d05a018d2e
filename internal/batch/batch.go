package batch

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Batcher gathers the items of concurrent callers. While a batch is under way, those
// that come gather for the next one. Its goroutine lives only while items wait or are
// under way, so that there is nothing to close.
type Batcher[T any] struct {
	max     int
	timeout time.Duration
	do      func(ctx context.Context, items []T)

	mu       sync.Mutex
	waiting  []*entry[T] // in the order in which they came
	underWay []*entry[T]
	running  bool
	flush    time.Time     // when the next batch is to begin
	wake     chan struct{} // flush has changed
}

type entry[T any] struct {
	item T
	came time.Time
	done chan struct{}
}

// New returns a batcher that calls do with up to max items. Callers' contexts don't
// reach do, since it carries out other callers' items too; timeout bounds its context.
func New[T any](max int, timeout time.Duration, do func(ctx context.Context, items []T)) *Batcher[T] {
	return &Batcher[T]{max: max, timeout: timeout, do: do, wake: make(chan struct{}, 1)}
}

// Do has an item carried out, and returns when that is done. An item with a delay
// waits so long at most for company; it never waits for more than max items.
//
// Do returns the error of ctx when that ends first, and none otherwise: do writes its
// answer into the item. An item that isn't under way by then isn't carried out; one
// that is will be, and only the caller who got no error may read it.
func (b *Batcher[T]) Do(ctx context.Context, item T, delay time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := &entry[T]{item: item, came: time.Now(), done: make(chan struct{})}
	b.add(e, delay)
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		b.withdraw(e)
		return ctx.Err()
	}
}

func (b *Batcher[T]) add(e *entry[T], delay time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, e)
	if len(b.waiting) >= b.max {
		delay = 0
	}
	if at := e.came.Add(delay); len(b.waiting) == 1 || at.Before(b.flush) {
		b.flush = at
		b.signal()
	}
	if !b.running {
		b.running = true
		go b.run()
	}
}

// withdraw takes out an item that isn't under way yet.
func (b *Batcher[T]) withdraw(e *entry[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.waiting, e); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
		b.signal() // it may have been the last one
	}
}

func (b *Batcher[T]) signal() {
	select {
	case b.wake <- struct{}{}:
	default: // signaled already
	}
}

// run carries out batches until nothing waits.
func (b *Batcher[T]) run() {
	for {
		runtime.Gosched() // callers who are ready to ask go in this batch
		batch, wait, ok := b.next()
		switch {
		case !ok:
			return
		case wait > 0:
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-b.wake:
			}
			timer.Stop()
			continue
		}
		items := make([]T, len(batch))
		for i, e := range batch {
			items[i] = e.item
		}
		ctx, cancel := context.WithTimeout(context.Background(), b.timeout)
		b.do(ctx, items)
		cancel()
		for _, e := range batch {
			close(e.done)
		}
	}
}

// next returns the next batch, or how long to wait for it; false when nothing waits.
func (b *Batcher[T]) next() (batch []*entry[T], wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.underWay = nil
	if len(b.waiting) == 0 {
		b.waiting, b.running = nil, false
		return nil, 0, false
	}
	if wait = time.Until(b.flush); wait > 0 {
		return nil, wait, true
	}
	n := min(len(b.waiting), b.max)
	batch, b.waiting = b.waiting[:n:n], b.waiting[n:]
	b.underWay = batch // those behind have waited for this one: they go next, whatever their delay
	return batch, 0, true
}

// Oldest returns the item that was asked for first of those that wait or are under
// way, and when that was; false if there is none.
func (b *Batcher[T]) Oldest() (item T, came time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, entries := range [...][]*entry[T]{b.underWay, b.waiting} {
		if len(entries) > 0 { // in the order in which they came
			return entries[0].item, entries[0].came, true
		}
	}
	return item, came, false
}

// Waiting returns how many items wait for their batch.
func (b *Batcher[T]) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}
