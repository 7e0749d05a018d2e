package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

const (
	// windowTime is how long the queue of a lane lasts, all its campaigns together:
	// short, since another campaign waits for it to drain, and longer than a few
	// sweeps, or it would run dry.
	windowTime = 3 * time.Second
	// sharedTime is the same for campaigns that are fed side by side: what stands
	// there of each is sent in one go, so a shorter time is more even. A sweep would
	// come too late for it; the feed looks again in sharedLook.
	sharedTime = 2 * time.Second
	sharedLook = 250 * time.Millisecond
	// feedRun is how long one feed stays with a campaign that drains fast.
	feedRun = 10 * time.Second
	// feedLook is how often it looks meanwhile, at most.
	feedLook = 50 * time.Millisecond
	// lostAfter is when settle looks at a page that has been fed: a task that is
	// still unsent by then may have been lost.
	lostAfter = 30 * time.Second
	// leaseTime is longer than the longest step of a settle.
	leaseTime = 30 * time.Second
	// feedLease is longer than that of a feed, and short: a campaign isn't fed until
	// the lease of a killed worker runs out.
	feedLease = 5 * time.Second
)

// feed keeps a bounded window of a campaign's tasks in the queue.
func (w *Worker) feed(ctx context.Context, t *asynq.Task) error {
	payload, err := tasks.ParseForCampaign(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	again := false
	err = w.leased(ctx, payload.Campaign, "feed", feedLease, func(s *subject, keep func() error) error {
		for until := time.Now().Add(feedRun); ; {
			more, err := w.fill(ctx, s)
			if again = err == nil && more && time.Now().After(until); err != nil || !more || again {
				return err
			}
			if err := keep(); err != nil {
				return err
			}
			if err := pacing.SleepUntil(ctx, time.Now().Add(w.lookIn(s))); err != nil {
				return nil // a shutdown: another feed goes on
			}
		}
	})
	if err != nil || !again {
		return err
	}
	// Another campaign's feed may run first. A sweep might find the window empty.
	return w.queue.Enqueue(ctx, tasks.NewFeed(payload.Campaign, time.Now().UnixNano()))
}

// leased runs work on a campaign unless another worker has its lease. Two at once
// would do no harm: every step is checked in the ledger.
func (w *Worker) leased(ctx context.Context, id campaign.ID, work string, lease time.Duration, run func(s *subject, keep func() error) error) error {
	token := fmt.Sprintf("%s-%d", w.name, w.leases.Add(1))
	mine, err := w.ledger.Lease(ctx, id, work, token, lease)
	if err != nil || !mine {
		return err
	}
	defer func() {
		// Should this fail, the lease runs out by itself.
		_ = w.ledger.Release(context.WithoutCancel(ctx), id, work, token)
	}()
	s, err := w.cache.fresh(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return w.ledger.Retire(ctx, id) // purged
	}
	if err != nil {
		return err
	}
	err = run(s, func() error {
		mine, err := w.ledger.Lease(ctx, id, work, token, lease)
		if err == nil && !mine {
			err = errLeaseLost
		}
		return err
	})
	if errors.Is(err, errLeaseLost) {
		return nil // the other worker goes on
	}
	return err
}

var errLeaseLost = errors.New("another worker has the lease")

// fill tops the window up; more says whether to look again soon.
func (w *Worker) fill(ctx context.Context, s *subject) (more bool, err error) {
	// This first: whatever another worker feeds after it was read makes Advance refuse.
	f, err := w.ledger.Feed(ctx, s.Info)
	if err != nil || f.Cursor >= s.Total {
		return false, err
	}
	switch f.Phase {
	case campaign.Running:
	case campaign.Ended:
		return w.cancelNext(ctx, s, f)
	default:
		return false, nil
	}
	if pass, more, err := w.filesPass(ctx, s); err != nil || !pass {
		return more, err
	}
	balance, err := w.ledger.Balance(ctx, s.ID)
	if err != nil {
		return false, err
	}
	end, err := w.canary(ctx, s, f.Cursor, balance)
	if err != nil {
		return false, err
	}
	open, closed := s.zones.split(w.clock.Now())
	last := min(end-f.Cursor, s.zones.left(open, f.ByZone))
	if last <= 0 {
		return false, nil
	}
	stuck, err := w.stuckIn(ctx, s, closed, f.ByZone)
	if err != nil {
		return false, err
	}
	// Fed, still planned and not stuck: what stands in the queue, and what got lost
	// there.
	queued := f.Cursor - (s.Total - balance.Of(campaign.Planned)) - stuck
	window := w.windowOf(s)
	room := min(window-queued, last)
	if room > 0 && (queued < w.refillAt(s, window) || room == last) {
		if err := w.enqueue(ctx, s, f, open, room); err != nil {
			return false, err
		}
		last -= room
	}
	return last > 0 && w.drainsFast(s), nil
}

// refillAt is how few stand in the queue when more are written. Campaigns that are
// fed side by side get a little each time: one worker takes what is written at
// once, and the other workers would have none of the campaign.
func (w *Worker) refillAt(s *subject, window int) int {
	if w.beside(s) > 1 {
		return window
	}
	return max(1, window*3/4)
}

// drainsFast reports whether the window may run dry before the next sweep.
func (w *Worker) drainsFast(s *subject) bool {
	rate := w.rateOf(s)
	return rate == 0 || w.beside(s) > 1 || float64(w.windowOf(s)) < rate*windowTime.Seconds()*2/3
}

// lookIn is when to look at a window again that drains fast.
func (w *Worker) lookIn(s *subject) time.Duration {
	if rate := w.rateOf(s); rate > 0 && float64(w.windowOf(s)) >= w.shareOf(s)*sharedTime.Seconds() {
		return sharedLook
	}
	return feedLook
}

// enqueue hands the next n recipients of open zones to the queue.
func (w *Worker) enqueue(ctx context.Context, s *subject, f *ledger.Feed, open []int, n int) error {
	parts, fed := s.zones.choose(open, f.ByZone, n)
	var sends []*asynq.Task
	run := w.runOf(s)
	for _, p := range parts {
		for i := 0; i < p.count; i += run {
			place := campaign.Place{Page: p.page, Index: p.index + i}
			sends = append(sends, tasks.NewSends(s.Attempt(place, 1), min(run, p.count-i), s.Spec.Lane))
		}
	}
	// The tasks first: a crash in between enqueues them again, or others of zones
	// that are open then. Either is harmless: a recipient who is sent to has a
	// record, which refuses a second claim when they are fed later. The other way
	// round they would be missing until settle looks.
	if _, err := w.queue.EnqueueAll(ctx, sends); err != nil {
		return err
	}
	_, err := w.ledger.Advance(ctx, s.ID, f.Cursor, fed, pagesOf(parts), w.clock.Now().Add(w.lookAfter()))
	return err
}

// pagesOf are the pages that the parts stand in.
func pagesOf(parts []part) []int {
	pages := make([]int, len(parts))
	for i, p := range parts {
		pages[i] = p.page
	}
	return pages
}

// lookAfter is when settle looks at a recipient whose task has just been written.
func (w *Worker) lookAfter() time.Duration {
	if w.receiptIn > 0 {
		return min(lostAfter, w.receiptIn)
	}
	return lostAfter
}

// rateOf is what a campaign may send per second now; 0 is no limit.
func (w *Worker) rateOf(s *subject) float64 { return w.rates.of(s.Info) }

const (
	// runTime is how much of the rate one task may hold, and maxRun how many
	// recipients: few, to spread a window over all workers.
	runTime = 500 * time.Millisecond
	maxRun  = 25
	// sharedRun is runTime for campaigns that are fed side by side: each worker is
	// to have tasks of all of them.
	sharedRun = 100 * time.Millisecond
)

// runOf is how many recipients one task holds: one below 4 a second, where the
// queue's own work is nothing beside the wait.
func (w *Worker) runOf(s *subject) int {
	rate, lasts := w.shareOf(s), runTime
	if rate == 0 {
		return maxRun
	}
	if w.beside(s) > 1 {
		lasts = sharedRun
	}
	return max(1, min(maxRun, int(rate*lasts.Seconds())))
}

// windowOf is how many of a campaign's recipients may stand in the queue. Campaigns
// that are fed side by side have windows of one size: the queue is first come,
// first served, and so each gets as much as the others.
func (w *Worker) windowOf(s *subject) int {
	window := w.window
	if rate := w.shareOf(s); rate > 0 {
		lasts := windowTime
		if w.beside(s) > 1 {
			lasts = sharedTime
		}
		window = min(window, int(rate*lasts.Seconds()))
	}
	return max(1, window, min(w.window, w.runOf(s)))
}

// shareOf is a campaign's part of the rate, beside the others in its lane.
func (w *Worker) shareOf(s *subject) float64 {
	return w.rateOf(s) / float64(w.beside(s))
}

// beside is how many campaigns are fed in its lane, with it.
func (w *Worker) beside(s *subject) int { return w.fed.beside(s.ID, s.Spec.Lane) }

// cancelNext cancels recipients of a canceled campaign who were never fed, whether
// their zone is open or not.
func (w *Worker) cancelNext(ctx context.Context, s *subject, f *ledger.Feed) (more bool, err error) {
	every := make([]int, len(s.zones.all))
	for i := range every {
		every[i] = i
	}
	parts, fed := s.zones.choose(every, f.ByZone, cancelBatch)
	var places []campaign.Place
	for _, p := range parts {
		for i := range p.count {
			places = append(places, campaign.Place{Page: p.page, Index: p.index + i})
		}
	}
	err = each(len(places), func(i int) error {
		_, err := w.ledger.Apply(ctx, s.Info, places[i], ledger.Seen{}, campaign.Event{Kind: campaign.EventCancel, At: w.clock.Now()})
		var refused *campaign.TransitionError
		if errors.As(err, &refused) {
			return nil
		}
		return err
	})
	if err != nil {
		return false, err
	}
	_, err = w.ledger.Advance(ctx, s.ID, f.Cursor, fed, pagesOf(parts), w.clock.Now())
	return len(parts) > 0, err
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
