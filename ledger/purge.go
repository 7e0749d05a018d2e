package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
)

// Fields of meta that a purge writes.
const (
	fieldPurged  = "purged"   // when it began: from here on the campaign has no people
	fieldPurgeAt = "purge_at" // how many pages, then buckets of references, are gone
	fieldEmptied = "emptied"  // when all was gone
)

// Rewrap has the ring's current master key wrap from now on, and wraps anew what the one
// before has; it returns how many keys of campaigns. It may be interrupted anywhere, and
// called again: until it has returned, both master keys are needed.
func (l *Ledger) Rewrap(ctx context.Context) (int, error) {
	n, err := l.seals.Rewrap(ctx, l.named, func(ctx context.Context, c campaign.ID) (bool, error) {
		return l.rdb.HExists(ctx, l.keys.meta(c), fieldPurged).Result()
	})
	if err != nil {
		return n, err
	}
	return n, l.outbox.Rewrap(ctx)
}

// Dark returns the campaigns whose recipients no master key of this process opens.
func (l *Ledger) Dark(ctx context.Context) ([]campaign.ID, error) {
	ids, err := l.named(ctx)
	if err != nil {
		return nil, err
	}
	return l.seals.Dark(ctx, ids)
}

// RewriteFiles is [sealed.Store.RewriteFiles].
func (l *Ledger) RewriteFiles(ctx context.Context) (int64, error) { return l.seals.RewriteFiles(ctx) }

// missing says why a page isn't there.
func (l *Ledger) missing(ctx context.Context, c campaign.ID, page int) error {
	ms, err := l.rdb.HGet(ctx, l.keys.meta(c), fieldPurged).Int64()
	switch {
	case err == nil:
		return &campaign.PurgedError{ID: c, At: time.UnixMilli(ms)}
	case !errors.Is(err, redis.Nil):
		return fmt.Errorf("read campaign %s: %w", c, err)
	}
	return fmt.Errorf("page %d of campaign %s: %w", page, c, ErrNotFound)
}

// ErrKeysNeeded means that a standing campaign can't be purged yet: see
// [campaign.Info.KeysUntil].
var ErrKeysNeeded = errors.New("its keys still keep one-off sends from being made twice")

// purgeStep is how many pages, or buckets of references, are deleted in one call:
// it takes Redis about a millisecond, and all others wait meanwhile.
const purgeStep = 250

// Purge deletes who is in a campaign that is done, and what became of each. What
// the campaign was, its counts and its history stay, and its ID stays taken. A
// purge that was interrupted goes on when it is called again. progress, if not
// nil, is called with how much of the work is done.
//
// Errors: *PhaseError for a campaign that isn't done and ErrKeysNeeded (nothing
// changed); with any other it may be purged in part.
func (l *Ledger) Purge(ctx context.Context, c *campaign.Info, a campaign.Actor, now time.Time, progress func(done, all int)) error {
	switch {
	case c.Phase != campaign.Done:
		return &campaign.PhaseError{ID: c.ID, Phase: c.Phase, Verb: "purged"}
	case c.KeysUntil().After(now):
		return fmt.Errorf("campaign %s: %w", c.ID, ErrKeysNeeded)
	}
	if c.PurgedAt.IsZero() {
		if err := l.markPurged(ctx, c, a, now); err != nil {
			return err
		}
	}
	// From here on no one is added and no record changes: lua/apply.lua and
	// lua/append.lua refuse.
	if err := l.empty(ctx, c.ID, now, progress); err != nil {
		return fmt.Errorf("purge campaign %s: %w", c.ID, err)
	}
	return nil
}

// markPurged makes it a purged campaign, which still has everything.
func (l *Ledger) markPurged(ctx context.Context, c *campaign.Info, a campaign.Actor, now time.Time) error {
	// The line first: if the process dies in the middle, a worker finishes the purge.
	if err := l.scheduleExpiry(ctx, c.ID, now); err != nil {
		return err
	}
	reason := a.Reason("purged on " + now.UTC().Format(time.DateOnly))
	if c.Reason != "" {
		reason = c.Reason + "; " + reason
	}
	was, _, err := l.steer(ctx, c.ID, steering{
		from: []campaign.Phase{campaign.Done}, field: fieldPurged, value: "",
		set:   []any{fieldPurged, now.UnixMilli(), fieldReason, reason},
		entry: a.Entry(now, "purged", campaign.Count(c.Total, "recipient")),
	})
	if err == nil && was != campaign.Done {
		err = &campaign.PhaseError{ID: c.ID, Phase: was, Verb: "purged"} // sent to again, just now
	}
	return err
}

// empty deletes what a purged campaign holds. It may be interrupted anywhere.
func (l *Ledger) empty(ctx context.Context, id campaign.ID, now time.Time, progress func(done, all int)) error {
	c, err := l.Info(ctx, id) // a standing campaign has grown until it was marked
	if err != nil {
		return err
	}
	if c.EmptiedAt.IsZero() {
		// First of all: no file of Redis's can give back from here on who was in it. If the
		// process dies after this, the pages can't be read, and a worker goes on.
		if err := l.seals.Destroy(ctx, id); err != nil {
			return err
		}
		// While the references are there to tell whose they are.
		if err := l.forgetEarly(ctx, c); err != nil {
			return err
		}
		if err := l.emptyPages(ctx, c, progress); err != nil {
			return err
		}
		if err := l.rdb.Unlink(ctx, l.keys.due(id), l.keys.line(id, Unsent), l.keys.line(id, Overdue), l.keys.keys(id), pacing.KeyCampaign(l.rdb, id), l.keys.watch(id), l.keys.samples(id), l.keys.zones(id), l.outbox.KeyProgress(id), l.outbox.Key(id),
			l.keys.lease(id, leaseRetry)).Err(); err != nil {
			return err
		}
		// Changes of the rate that are announced first, see SetRate: none is made after.
		_, err := l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Unlink(ctx, l.keys.rateChanges(id))
			p.HDel(ctx, l.keys.rates(), string(id))
			return nil
		})
		if err != nil {
			return err
		}
		if err := l.seals.Erased(ctx); err != nil {
			return err
		}
		if err := l.rdb.HSet(ctx, l.keys.meta(id), fieldEmptied, now.UnixMilli()).Err(); err != nil {
			return err
		}
	}
	if err := l.rdb.HDel(ctx, l.keys.meta(id), fieldPurgeAt).Err(); err != nil {
		return err
	}
	return l.rdb.ZRem(ctx, l.keys.retention(), string(id)).Err()
}

// emptyPages deletes pages with their records, then references, from where the
// last purge of the campaign stopped.
func (l *Ledger) emptyPages(ctx context.Context, c *campaign.Info, progress func(done, all int)) error {
	at, err := l.rdb.HGet(ctx, l.keys.meta(c.ID), fieldPurgeAt).Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for all := c.Pages + refBuckets(c); at < all; {
		to := min(at+purgeStep, all)
		keys := make([]string, 0, 3*purgeStep)
		for ; at < to; at++ {
			if at < c.Pages {
				keys = append(keys, l.keys.page(c.ID, at), l.keys.records(c.ID, at), l.keys.past(c.ID, at))
			} else {
				keys = append(keys, l.keys.references(c.ID, at-c.Pages))
			}
		}
		if err := l.rdb.Unlink(ctx, keys...).Err(); err != nil {
			return err
		}
		if err := l.rdb.HSet(ctx, l.keys.meta(c.ID), fieldPurgeAt, at).Err(); err != nil {
			return err
		}
		if progress != nil {
			progress(at, all)
		}
	}
	return nil
}

// forgetEarly deletes early receipts for references of the campaign. Others, which may
// be its own, expire within a day of their coming.
func (l *Ledger) forgetEarly(ctx context.Context, c *campaign.Info) error {
	return l.references.ForgetEarly(ctx, func(all []string) (ours []string, err error) {
		known := make([]*redis.BoolCmd, len(all))
		_, err = l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, r := range all {
				field, bucket := referenceField(campaign.StorableReference(r), refBuckets(c))
				known[i] = p.HExists(ctx, l.keys.references(c.ID, bucket), field)
			}
			return nil
		})
		for i, r := range all {
			if err == nil && known[i].Val() {
				ours = append(ours, r)
			}
		}
		return ours, err
	})
}
