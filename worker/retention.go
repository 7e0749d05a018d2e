package worker

import (
	"context"
	"errors"
	"time"
)

const (
	// retentionLook is how often to look whose time has come.
	retentionLook = time.Minute
	// retentionRun bounds one look; a purge that isn't finished goes on at the
	// next one.
	retentionRun = 20 * time.Second
	// retentionBatch is how many campaigns one look takes on.
	retentionBatch = 100
	// retentionStuck is when to look again at a campaign that can't be purged.
	retentionStuck = time.Hour
)

// retain purges campaigns whose retention has passed. It has a goroutine of its
// own: a large purge mustn't keep other campaigns asleep.
func (w *Worker) retain(ctx context.Context) {
	ticker := time.NewTicker(sweepTime)
	defer ticker.Stop()
	for last := (time.Time{}); ; {
		// The worker that looks at all else that is due looks at this, too.
		if w.planner.looking() && time.Since(last) >= retentionLook {
			last = time.Now()
			if err := w.expire(ctx); err != nil {
				w.complain(ctx, "retention", err)
			}
			// For those that commands have purged, too.
			if n, err := w.ledger.RewriteFiles(ctx); err != nil {
				w.complain(ctx, "rewrite of the append-only file after purges", err)
			} else if n > 0 {
				w.log.Info("Redis writes its append-only file anew", "purged", n)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// expire is one look.
func (w *Worker) expire(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, retentionRun)
	defer cancel()
	due, err := w.ledger.Expiring(ctx, w.clock.Now(), retentionBatch)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range due {
		purged, err := w.ledger.Expire(ctx, e, w.clock.Now())
		if ctx.Err() != nil {
			return errors.Join(errs...) // the next look goes on
		}
		if err != nil {
			// One that can't be purged doesn't stand in the way of the others.
			errs = append(errs, err, w.ledger.PutOffExpiry(ctx, e, w.clock.Now().Add(retentionStuck)))
		}
		if purged {
			w.log.Info("purged", "campaign", e.ID)
		}
	}
	return errors.Join(errs...)
}
