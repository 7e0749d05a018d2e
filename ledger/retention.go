package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
)

// A campaign that is done is put into a sorted set by the time when its recipients
// are to be deleted. The set only says where to look: the campaign itself says
// whether it is time.

// retainAgain is the longest time until the next look at a campaign that isn't done.
const retainAgain = 24 * time.Hour

// scheduleRetention schedules the expiry of a campaign that is about to be done.
func (l *Ledger) scheduleRetention(ctx context.Context, c campaign.ID, now time.Time) error {
	info, err := l.Info(ctx, c)
	if errors.Is(err, ErrNotFound) || (err == nil && info.Phase != campaign.Settling) {
		return nil // it won't be done
	}
	if err != nil {
		return err
	}
	return l.scheduleExpiry(ctx, c, now.Add(info.Spec.Keep()))
}

func (l *Ledger) scheduleExpiry(ctx context.Context, c campaign.ID, at time.Time) error {
	err := l.rdb.ZAdd(ctx, l.keys.retention(), redis.Z{Score: float64(at.UnixMilli()), Member: string(c)}).Err()
	if err != nil {
		return fmt.Errorf("note the retention of campaign %s: %w", c, err)
	}
	return nil
}

// Expiring is a campaign whose retention may have passed.
type Expiring struct {
	ID campaign.ID
	redisx.Timed
}

// Expiring lists the campaigns that are due for a look, the longest due first.
func (l *Ledger) Expiring(ctx context.Context, now time.Time, most int) ([]Expiring, error) {
	members, err := redisx.Due(ctx, l.rdb, l.keys.retention(), now.UnixMilli(), most)
	if err != nil {
		return nil, fmt.Errorf("list campaigns by their retention: %w", err)
	}
	due := make([]Expiring, len(members))
	for i, m := range members {
		due[i] = Expiring{campaign.ID(m.Member), m}
	}
	return due, nil
}

// Expire purges a campaign whose retention has passed, and finishes a purge that
// was interrupted; any other campaign is put off. It reports whether it has purged.
func (l *Ledger) Expire(ctx context.Context, e Expiring, now time.Time) (bool, error) {
	info, err := l.Info(ctx, e.ID)
	if errors.Is(err, ErrNotFound) {
		return false, l.PutOffExpiry(ctx, e, time.Time{})
	}
	if err != nil {
		return false, err
	}
	keep := info.Spec.Keep()
	due := info.FinishedAt.Add(keep)
	if until := info.KeysUntil(); due.Before(until) {
		due = until
	}
	switch {
	case !info.PurgedAt.IsZero(): // a purge that was interrupted
	case info.Phase != campaign.Done:
		return false, l.PutOffExpiry(ctx, e, now.Add(min(keep, retainAgain)))
	case due.After(now):
		return false, l.PutOffExpiry(ctx, e, due)
	}
	err = l.Purge(ctx, info, campaign.Machine("retention of "+campaign.FormatDuration(keep)+" has passed"), now, nil)
	var steered *campaign.PhaseError
	if errors.As(err, &steered) {
		return false, nil // a resend has just reopened it: the next look puts it off
	}
	return err == nil, err
}

// PutOffExpiry sets when to look at a campaign again; the zero time: never. It
// does nothing when another time has been set since.
func (l *Ledger) PutOffExpiry(ctx context.Context, e Expiring, next time.Time) error {
	if _, err := redisx.PutOff(ctx, l.rdb, l.keys.retention(), e.Timed, millis(next)); err != nil {
		return fmt.Errorf("put off the retention of campaign %s: %w", e.ID, err)
	}
	return nil
}
