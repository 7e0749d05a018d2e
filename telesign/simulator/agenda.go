package simulator

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// errand is one attempt at one callback.
type errand struct {
	due     time.Time
	trip    *trip
	call    int
	early   bool // one of the calls before the POST's answer
	attempt int
	done    chan struct{} // closed after the attempt, if anyone waits for it
}

// agenda hands out errands when they are due, the earliest first, to what
// receives from out. However many wait, there is one timer and one goroutine.
type agenda struct {
	out  chan *errand
	wake chan struct{} // an errand became the earliest

	mu      sync.Mutex
	queue   errands
	pending int           // callbacks that are neither answered nor given up
	quiet   chan struct{} // closed while none is
	closed  bool          // nothing is taken any more
}

func newAgenda() *agenda {
	quiet := make(chan struct{})
	close(quiet)
	return &agenda{out: make(chan *errand), wake: make(chan struct{}, 1), quiet: quiet}
}

func (a *agenda) add(e *errand) {
	a.mu.Lock()
	first := false
	if !a.closed {
		heap.Push(&a.queue, e)
		first = a.queue[0] == e
	}
	a.mu.Unlock()
	if first {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// next takes the first errand if it is due, else says how long it isn't.
func (a *agenda) next(now time.Time) (*errand, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return nil, time.Hour
	}
	if wait := a.queue[0].due.Sub(now); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&a.queue).(*errand), 0
}

func (a *agenda) run(done <-chan struct{}) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		e, wait := a.next(time.Now())
		if e != nil {
			select {
			case a.out <- e:
			case <-done:
				return
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-a.wake:
		case <-timer.C:
		case <-done:
			return
		}
	}
}

// expect counts callbacks that will come.
func (a *agenda) expect(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || n == 0 {
		return
	}
	if a.pending == 0 {
		a.quiet = make(chan struct{})
	}
	a.pending += n
}

// settle counts one that is over.
func (a *agenda) settle() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending--
	if a.pending == 0 {
		close(a.quiet)
	}
}

// close drops everything, also what is added later.
func (a *agenda) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queue, a.closed = nil, true
	if a.pending > 0 {
		a.pending = 0
		close(a.quiet)
	}
}

func (a *agenda) idle(ctx context.Context) error {
	a.mu.Lock()
	quiet := a.quiet
	a.mu.Unlock()
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *agenda) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pending
}

// errands is a heap by due time.
type errands []*errand

func (q errands) Len() int           { return len(q) }
func (q errands) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q errands) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *errands) Push(x any)        { *q = append(*q, x.(*errand)) }
func (q *errands) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
