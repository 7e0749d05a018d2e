package ledger

import (
	"context"
	"errors"
	"time"
)

// HoldAll holds every campaign that runs, for a fault that all of them share:
// the account's. A crash, or an error, in the middle leaves the others to their
// own first fault.
func (l *Ledger) HoldAll(ctx context.Context, reason string, now time.Time) error {
	ids, err := l.Active(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		// One that is only a name here was purged, or isn't committed yet.
		if err := l.Hold(ctx, id, reason, now); err != nil && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
