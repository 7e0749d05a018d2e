package worker

import (
	"context"
	"time"
)

// sweepTime is how often a worker reads the clock and leaves its heartbeat.
const sweepTime = time.Second

// sweep keeps a worker in step with Redis, whichever worker looks at what is due.
func (w *Worker) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepTime)
	defer ticker.Stop()
	for {
		if err := w.sweepOnce(ctx); err != nil {
			w.complain(ctx, "sweep", err)
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
	if err := w.heartbeat(ctx); err != nil {
		return err
	}
	return w.showPace(ctx)
}
