package worker

import (
	"context"
	"errors"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
)

// sweepTime is how often a worker looks over the active campaigns.
const sweepTime = time.Second

// sweep wakes campaigns up: it writes their feed and settle notes from what the
// ledger says, so that whatever happens to the queue, work goes on within
// seconds. All workers sweep; notes of the same second are one.
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
	if err := w.beat(ctx); err != nil {
		return err
	}
	ids, err := w.ledger.Active(ctx)
	if err != nil {
		return err
	}
	// A campaign that can't be woken doesn't keep the others asleep.
	var errs []error
	for _, id := range ids {
		if err := w.wake(ctx, id); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// wake writes the notes that a campaign needs now.
func (w *Worker) wake(ctx context.Context, id campaign.ID) error {
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
