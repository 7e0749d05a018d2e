package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

// lostAfter is when settle looks at a page whose tasks have been written: one that is
// still unsent by then may have been lost.
const lostAfter = 30 * time.Second

// lookAfter is when settle looks at a recipient whose task has just been written.
func (w *Worker) lookAfter() time.Duration {
	if w.receiptIn > 0 {
		return min(lostAfter, w.receiptIn)
	}
	return lostAfter
}

// rateOf is what a campaign may send per second now; 0 is no limit.
func rateOf(s *subject) float64 { return s.account.rates.of(s.Info) }

// enqueue hands the next n recipients of open zones to the queue.
func (l *look) enqueue(ctx context.Context, n, run int) error {
	// A campaign of a line isn't looked at for the time of the page that is fed now: what
	// got lost of it is found at the next turn.
	l.changed = l.changed || !l.k.line || l.planned.IsZero()
	parts, fed := l.s.zones.choose(l.open, l.feed.ByZone, n)
	var sends []*asynq.Task
	span := tracing.BeginFeed(l.s.Info)
	for _, p := range parts {
		for i := 0; i < p.count; i += run {
			place := campaign.Place{Page: p.page, Index: p.index + i}
			sends = append(sends, tasks.NewSends(l.s.Attempt(place, 1), min(run, p.count-i), span.Headers()))
		}
	}
	// The tasks first: a crash in between enqueues them again, or others of zones
	// that are open then. Either is harmless: a recipient who is sent to has a
	// record, which refuses a second claim when they are fed later. The other way
	// round they would be missing until settle looks.
	_, err := l.w.queue.EnqueueAll(ctx, queueOf(l.s.Spec), sends)
	if span.End(l.s.Info, n, err); err != nil {
		return err
	}
	return l.advance(ctx, parts, fed, l.w.clock.Now().Add(l.w.lookAfter()))
}

// advance moves the feed over these parts, whose pages settle looks at at due.
func (l *look) advance(ctx context.Context, parts []part, fed []int, due time.Time) error {
	pages := make([]int, len(parts))
	for i, p := range parts {
		pages[i] = p.page
	}
	ok, err := l.w.ledger.Advance(ctx, l.id, l.feed.Cursor, fed, pages, due)
	if err == nil && ok {
		l.feed.ByZone, l.feed.Cursor = fed, 0
		for _, n := range fed {
			l.feed.Cursor += n
		}
	}
	return err
}

// cancelNext cancels recipients of a canceled campaign who were never fed, whether
// their zone is open or not.
func (l *look) cancelNext(ctx context.Context) error {
	l.changed = true
	if l.feed.Cursor >= l.s.Total {
		return nil
	}
	every := make([]int, len(l.s.zones.all))
	for i := range every {
		every[i] = i
	}
	parts, fed := l.s.zones.choose(every, l.feed.ByZone, cancelBatch)
	var places []campaign.Place
	for _, p := range parts {
		for i := range p.count {
			places = append(places, campaign.Place{Page: p.page, Index: p.index + i})
		}
	}
	err := each(len(places), func(i int) error {
		_, err := l.w.ledger.Apply(ctx, l.s.Info, places[i], ledger.Seen{}, campaign.Event{Kind: campaign.EventCancel, At: l.w.clock.Now()})
		var refused *campaign.TransitionError
		if errors.As(err, &refused) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	l.again(l.now.Add(againLook))
	return l.advance(ctx, parts, fed, l.w.clock.Now())
}

// cancelBatch is how many recipients are canceled side by side.
const cancelBatch = 10 * campaign.PageSize

// each calls do for 0 to n-1 side by side: the ledger batches their changes.
func each(n int, do func(i int) error) error {
	errs := make([]error, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	return errors.Join(errs...)
}
