package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Heartbeat reads the time that a worker has left; the zero time when none is
// there.
func (l *Ledger) Heartbeat(ctx context.Context, worker string) (time.Time, error) {
	ms, err := l.rdb.Get(ctx, l.keys.heartbeat(worker)).Int64()
	if errors.Is(err, redis.Nil) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the worker's heartbeat: %w", err)
	}
	return time.UnixMilli(ms), nil
}

// LeaveHeartbeat leaves a worker's time for so long.
func (l *Ledger) LeaveHeartbeat(ctx context.Context, worker string, at time.Time, life time.Duration) error {
	if err := l.rdb.Set(ctx, l.keys.heartbeat(worker), at.UnixMilli(), life).Err(); err != nil {
		return fmt.Errorf("leave the worker's heartbeat: %w", err)
	}
	return nil
}

// HoldRestored holds a campaign whose records may be older than what has been sent,
// in whatever phase it is: a paused one would start by itself, or be resumed by a
// person who doesn't know. One that only settles is held if it has recipients to
// send to again. It may be called again.
func (l *Ledger) HoldRestored(ctx context.Context, c campaign.ID, reason string, now time.Time) error {
	for range holdTries { // a person may steer it at the same moment
		phase, why, _, err := l.Phase(ctx, c)
		if err != nil {
			return err
		}
		switch phase {
		case campaign.Running, campaign.Paused, campaign.Held:
			if phase == campaign.Held && campaign.IsRestored(why) {
				return nil
			}
			_, changed, err := l.steer(ctx, c, steering{
				from: []campaign.Phase{phase}, set: []any{fieldState, string(campaign.Held), fieldReason, reason, fieldStartAt, ""},
				entry: campaign.Machine(reason).Entry(now, "held", ""),
			})
			if err != nil || changed {
				return err
			}
		case campaign.Settling, campaign.Done:
			b, err := l.Balance(ctx, c)
			if err != nil || b.Of(campaign.Retrying) == 0 {
				return err
			}
			if err := l.Reopen(ctx, c); err != nil {
				return err
			}
		default: // a draft, or canceled: it sends nothing
			return nil
		}
	}
	return fmt.Errorf("campaign %s: %w", c, ErrSteered)
}

const holdTries = 5

// HoldAccount holds every running campaign of an account for a fault of the account's.
// It was found by an attempt that was claimed at a time: a campaign that was started or
// resumed since then runs on, as a person may have mended the fault. If the process
// dies in the middle, each other campaign is held at its own first fault.
func (l *Ledger) HoldAccount(ctx context.Context, account, reason string, claimed, now time.Time) error {
	ids, err := l.Active(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		// Without a hash it was purged, or isn't committed yet.
		if err := l.holdSince(ctx, id, account, reason, claimed, now); err != nil && !errors.Is(err, ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// HoldSince holds a campaign for a fault that an attempt claimed at a time has found,
// unless it was started or resumed since then.
func (l *Ledger) HoldSince(ctx context.Context, c campaign.ID, reason string, claimed, now time.Time) error {
	return l.holdSince(ctx, c, "", reason, claimed, now)
}

// holdSince is HoldSince for a campaign of an account; empty: whichever it has.
func (l *Ledger) holdSince(ctx context.Context, c campaign.ID, account, reason string, claimed, now time.Time) error {
	v, err := l.rdb.HMGet(ctx, l.keys.meta(c), fieldResumed, fieldStarted, fieldAccount).Result()
	if err != nil {
		return fmt.Errorf("hold campaign %s: %w", c, err)
	}
	if its, _ := v[2].(string); account != "" && its != campaign.StoredAccount(account) {
		return nil // another account's goes on
	}
	runs := time.UnixMilli(max(number(v[0]), number(v[1]))).Truncate(time.Second) // as claims are stored
	if claimed.Before(runs) && !runs.After(now) {                                 // after now: by a clock that is wrong
		return nil
	}
	s := holding(reason, now)
	s.field = fieldResumed // one that is resumed at this moment runs on
	s.value, _ = v[0].(string)
	_, _, err = l.steer(ctx, c, s)
	return err
}
