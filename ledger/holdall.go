package ledger

import (
	"context"
	"errors"
	"time"
)

// HoldAll holds every running campaign for a fault that all share: the account's.
// If the process dies in the middle, each other campaign is held at its own first
// fault.
func (l *Ledger) HoldAll(ctx context.Context, reason string, now time.Time) error {
	ids, err := l.Active(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		// Without a hash it was purged, or isn't committed yet.
		if err := l.Hold(ctx, id, reason, now); err != nil && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
