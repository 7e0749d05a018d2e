package simulator

import (
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

// agenda is the callbacks to come: those that wait have a timer each, those that
// are due wait in line for one of [callbackSenders].
type agenda struct {
	mu      sync.Mutex
	due     []*errand
	senders int
	pending int           // callbacks that are neither answered nor given up
	quiet   chan struct{} // closed while none is
	closed  bool          // no attempt begins any more
	works   sync.WaitGroup
}

func newAgenda() *agenda {
	quiet := make(chan struct{})
	close(quiet)
	return &agenda{quiet: quiet}
}

// add has attempt called with an errand when it is due.
func (a *agenda) add(e *errand, attempt func(*errand)) {
	time.AfterFunc(time.Until(e.due), func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.due = append(a.due, e)
		if a.senders == callbackSenders || a.closed {
			return
		}
		a.senders++
		a.works.Add(1)
		defer a.works.Done()
		for len(a.due) > 0 && !a.closed {
			next := a.due[0]
			a.due = a.due[1:]
			a.mu.Unlock()
			attempt(next)
			a.mu.Lock()
		}
		a.senders--
	})
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
	if a.pending--; a.pending == 0 && !a.closed {
		close(a.quiet)
	}
}

// close drops everything, also what is added later, and waits for the attempts
// under way.
func (a *agenda) close() {
	a.mu.Lock()
	if !a.closed && a.pending > 0 {
		close(a.quiet)
	}
	a.closed = true
	a.mu.Unlock()
	a.works.Wait()
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
	if a.closed {
		return 0
	}
	return a.pending
}
