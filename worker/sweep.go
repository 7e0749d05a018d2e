package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
)

// sweepTime is how often a worker looks over the active campaigns.
const sweepTime = time.Second

// sweep wakes campaigns up: it writes their feed and settle tasks from what the
// ledger says, so that whatever happens to the queue, work goes on within
// seconds. All workers sweep; tasks of the same second are one.
func (w *Worker) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepTime)
	defer ticker.Stop()
	for {
		if err := w.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			w.metrics.ledgerErrors.Inc()
			w.log.Warn("sweep", "error", err)
		}
		select {
		case <-ticker.C:
		case <-w.look:
		case <-ctx.Done():
			return
		}
	}
}

func (w *Worker) sweepOnce(ctx context.Context) error {
	if err := w.clock.sync(ctx, w.rdb); err != nil {
		return err
	}
	// Before anything is woken: it may be what has been sent since.
	if err := w.heartbeat(ctx); err != nil {
		return err
	}
	if err := w.showPace(ctx); err != nil {
		return err
	}
	ids, err := w.ledger.Active(ctx)
	if err != nil {
		return err
	}
	// A campaign that can't be woken doesn't keep the others asleep.
	errs := []error{w.ledger.Sample(ctx, w.clock.Now(), ids...)}
	fed := make(map[campaign.ID]campaign.Lane)
	for _, id := range ids {
		if err := w.wake(ctx, id, fed); err != nil {
			errs = append(errs, err)
		}
	}
	w.fed.set(fed)
	return errors.Join(errs...)
}

// fed are the campaigns that are fed, as the last sweep saw it.
type fed struct {
	lanes atomic.Pointer[map[campaign.ID]campaign.Lane]
}

func (f *fed) set(lanes map[campaign.ID]campaign.Lane) { f.lanes.Store(&lanes) }

// beside is how many campaigns are fed in the lane of one, with it: also when
// it is too new for the sweep to have seen it.
func (f *fed) beside(c campaign.ID, lane campaign.Lane) int {
	n := 1
	if lanes := f.lanes.Load(); lanes != nil {
		for id, l := range *lanes {
			if l == lane && id != c {
				n++
			}
		}
	}
	return n
}

// wake writes the tasks that a campaign needs now, and counts it if it's fed.
func (w *Worker) wake(ctx context.Context, id campaign.ID, fed map[campaign.ID]campaign.Lane) error {
	s, err := w.cache.fresh(ctx, id)
	if err != nil {
		// A draft that isn't committed yet, or has been purged: not ours to wake.
		return ignoreNotFound(err)
	}
	now := w.clock.Now()
	tick := now.Unix()
	phase, _, cursor, err := w.ledger.Phase(ctx, id)
	if err != nil {
		return ignoreNotFound(err)
	}
	if phase == campaign.Running && cursor < s.Total {
		fed[id] = s.Spec.Lane
	}
	if (phase == campaign.Running || phase == campaign.Ended) && cursor < s.Total {
		if err := w.queue.Enqueue(ctx, tasks.NewFeed(id, tick)); err != nil {
			return err
		}
	}
	if phase == campaign.Paused {
		if err := w.start(ctx, id, now); err != nil {
			return err
		}
	}
	due, err := w.ledger.NextDue(ctx, id)
	if err != nil {
		return err
	}
	concludes := cursor >= s.Total && phase != campaign.Paused && phase != campaign.Held
	if concludes || (!due.IsZero() && !due.After(now)) {
		return w.queue.Enqueue(ctx, tasks.NewSettle(id, tick))
	}
	return nil
}

// start lets a campaign run whose start has come.
func (w *Worker) start(ctx context.Context, id campaign.ID, now time.Time) error {
	info, err := w.ledger.Info(ctx, id)
	if err != nil {
		return err
	}
	err = w.ledger.Start(ctx, info, now)
	var steered *campaign.PhaseError
	if errors.As(err, &steered) {
		return nil // by a person, just now
	}
	return err
}
