package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handout-dev/handout/internal/batch"
)

// log is what a batcher was asked to do.
type log struct {
	mu      sync.Mutex
	batches [][]int
	takes   time.Duration // each batch
}

func (l *log) do(_ context.Context, items []int) {
	l.mu.Lock()
	l.batches = append(l.batches, items)
	l.mu.Unlock()
	time.Sleep(l.takes)
}

func (l *log) sizes() []int {
	var sizes []int
	for _, b := range l.batches {
		sizes = append(sizes, len(b))
	}
	return sizes
}

const aWhile = time.Minute // bounds a batch

func TestBatcher_ItemsThatComeDuringABatchShareTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{takes: time.Second}
		b := batch.New(3, aWhile, l.do)
		var callers sync.WaitGroup
		for i := range 8 {
			callers.Go(func() {
				if err := b.Do(t.Context(), i, 0); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		if sizes := l.sizes(); !slices.Equal(sizes, []int{1, 3, 3, 1}) {
			t.Errorf("batches of %v", sizes)
		}
		if all := slices.Concat(l.batches...); !slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Errorf("%v aren't in the order in which they came", all)
		}
	})
}

func TestBatcher_ADelayedItemTravelsWithTheNextOneThatHasNoDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(log)
		b := batch.New(100, aWhile, l.do)
		var callers sync.WaitGroup
		start := time.Now()
		for i := range 4 {
			callers.Go(func() { _ = b.Do(t.Context(), i, time.Minute) })
		}
		time.Sleep(time.Second)
		callers.Go(func() { _ = b.Do(t.Context(), 4, 0) })
		callers.Wait()
		if took, sizes := time.Since(start), l.sizes(); took != time.Second || !slices.Equal(sizes, []int{5}) {
			t.Errorf("batches of %v after %v", sizes, took)
		}
	})
}

func TestBatcher_ADelayedItemGoesAloneWhenItsDelayHasPassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(log)
		b := batch.New(100, aWhile, l.do)
		var callers sync.WaitGroup
		start := time.Now()
		callers.Go(func() { _ = b.Do(t.Context(), 0, time.Hour) })
		synctest.Wait()
		callers.Go(func() { _ = b.Do(t.Context(), 1, time.Second) }) // the shortest delay counts
		callers.Wait()
		if took, sizes := time.Since(start), l.sizes(); took != time.Second || !slices.Equal(sizes, []int{2}) {
			t.Errorf("batches of %v after %v", sizes, took)
		}
	})
}

func TestBatcher_DelayedItemsBeyondABatchAreCarriedOut(t *testing.T) {
	t.Parallel()
	for _, n := range []int{99, 100, 101, 199, 250, 1000} {
		synctest.Test(t, func(t *testing.T) {
			l := &log{takes: time.Millisecond}
			b := batch.New(100, aWhile, l.do)
			var done atomic.Int32
			for i := range n {
				go func() {
					_ = b.Do(t.Context(), i, time.Second)
					done.Add(1)
				}()
			}
			synctest.Wait()
			if err := b.Do(t.Context(), n, 0); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			if int(done.Load()) != n {
				t.Errorf("%d of %d are carried out", done.Load(), n)
			}
		})
	}
}

func TestBatcher_AnItemWhoseCallerGaveUpInTimeIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{takes: time.Minute}
		b := batch.New(100, aWhile, l.do)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var callers sync.WaitGroup
		for i := range 3 {
			callers.Go(func() {
				ctx := short
				if i == 1 {
					ctx = t.Context()
				}
				err := b.Do(ctx, i, 0)
				if gaveUp := errors.Is(err, context.DeadlineExceeded); gaveUp != (i != 1) {
					t.Errorf("item %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		callers.Wait()
		// The first one was under way, and is finished.
		if all := slices.Concat(l.batches...); !slices.Equal(all, []int{0, 1}) {
			t.Errorf("%v are carried out", all)
		}
		if err := b.Do(short, 3, 0); err == nil {
			t.Error("a caller whose context has ended is served")
		}
	})
}

func TestBatcher_LeavesNoGoroutineBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it fails while a goroutine is left
		l := new(log)
		b := batch.New(100, aWhile, l.do)
		_ = b.Do(t.Context(), 0, 0)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if err := b.Do(ctx, 1, time.Hour); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		if took := time.Since(start); took != time.Second || b.Waiting() != 0 {
			t.Errorf("after %v %d wait", took, b.Waiting())
		}
	})
}

func TestBatcher_BoundsABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(100, time.Second, func(ctx context.Context, _ []int) { <-ctx.Done() })
		start := time.Now()
		if err := b.Do(t.Context(), 0, 0); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestOldest_IsTheItemThatCameFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &log{takes: time.Minute}
		b := batch.New(1, aWhile, l.do)
		if _, _, ok := b.Oldest(); ok {
			t.Error("there is one before there was any")
		}
		start := time.Now()
		for i := range 2 {
			go func() { _ = b.Do(t.Context(), i, 0) }()
			time.Sleep(time.Second)
		}
		if item, came, ok := b.Oldest(); item != 0 || !came.Equal(start) || !ok {
			t.Errorf("under way: %d since %v, %v", item, came, ok)
		}
		time.Sleep(time.Minute)
		if item, came, ok := b.Oldest(); item != 1 || !came.Equal(start.Add(time.Second)) || !ok {
			t.Errorf("behind it: %d since %v, %v", item, came, ok)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, _, ok := b.Oldest(); ok {
			t.Error("there is one when all are carried out")
		}
	})
}
