package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

const (
	// retentionLook is how often all workers together look whose time has come.
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
	token := rand.Text()
	ticker := time.NewTicker(retentionLook)
	defer ticker.Stop()
	for {
		if err := w.expire(ctx, token); err != nil && ctx.Err() == nil {
			w.metrics.ledgerErrors.Inc()
			w.log.Warn("retention", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			// The next worker needn't wait; if this fails, the lease runs out by itself.
			_, _ = w.ledger.LeaseRetention(context.WithoutCancel(ctx), token, 0)
			return
		}
	}
}

// expire is one look. It keeps its lease: no other worker looks again at once.
func (w *Worker) expire(ctx context.Context, token string) error {
	mine, err := w.ledger.LeaseRetention(ctx, token, retentionLook)
	if err != nil || !mine {
		return err
	}
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
