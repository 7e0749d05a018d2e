package campaign

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Fields of meta that a purge writes.
const (
	fieldPurged  = "purged"   // when it began: from here on nobody is in the campaign
	fieldPurgeAt = "purge_at" // how many pages, then buckets of references, are gone
	fieldEmptied = "emptied"  // when all was gone
)

// PurgedError means that a campaign was purged: who was in it, and what became
// of each, is gone. It is an [ErrNotRunning] too, since nobody may be claimed.
type PurgedError struct {
	ID ID
	At time.Time
}

func (e *PurgedError) Error() string {
	return fmt.Sprintf("campaign %s was purged on %s; its people's data is gone", e.ID, e.At.UTC().Format(time.DateOnly))
}

// Is makes a PurgedError an [ErrPurged] and an [ErrNotRunning].
func (e *PurgedError) Is(target error) bool { return target == ErrPurged || target == ErrNotRunning }

// ErrPurged is every [PurgedError].
var ErrPurged = errors.New("the campaign was purged")

// Gone is a *PurgedError if the campaign's people are gone, or about to.
func (i *Info) Gone() error {
	if i.PurgedAt.IsZero() {
		return nil
	}
	return &PurgedError{i.ID, i.PurgedAt}
}

// missing says why a page isn't there.
func (l *Ledger) missing(ctx context.Context, c ID, page int) error {
	ms, err := l.rdb.HGet(ctx, keyMeta(c), fieldPurged).Int64()
	switch {
	case err == nil:
		return &PurgedError{c, time.UnixMilli(ms)}
	case !errors.Is(err, redis.Nil):
		return fmt.Errorf("read campaign %s: %w", c, err)
	}
	return fmt.Errorf("page %d of campaign %s: %w", page, c, ErrNotFound)
}

// KeysUntil is until when a standing campaign must be kept, since one-off sends
// are told by its keys whether they were made before: for two days from its
// day's beginning, and a third for clocks that are wrong. The zero time for any
// other campaign.
func (i *Info) KeysUntil() time.Time {
	day, err := time.Parse(time.DateOnly, strings.TrimPrefix(string(i.ID), "sends-"))
	if !i.Spec.Standing || err != nil {
		return time.Time{}
	}
	return day.AddDate(0, 0, 3)
}

// ErrKeysNeeded means that a standing campaign can't be purged yet: see
// [Info.KeysUntil].
var ErrKeysNeeded = errors.New("its keys still keep one-off sends from being made twice")

// purgeStep is how many pages, or buckets of references, are deleted in one call:
// it takes Redis about a millisecond, and all others wait meanwhile.
const purgeStep = 250

// Purge deletes who is in a campaign that is done, and what became of each. What
// the campaign was, its counts and its history stay, and its ID stays taken. A
// purge that was interrupted goes on when it is called again. progress, if not
// nil, is told how much of the work is done.
//
// Errors: *PhaseError for a campaign that isn't done and ErrKeysNeeded (nothing
// changed); with any other it may be purged in part.
func (l *Ledger) Purge(ctx context.Context, c *Info, a Actor, now time.Time, progress func(done, all int)) error {
	switch {
	case c.Phase != Done:
		return &PhaseError{c.ID, c.Phase, "purged"}
	case c.KeysUntil().After(now):
		return fmt.Errorf("campaign %s: %w", c.ID, ErrKeysNeeded)
	}
	if c.PurgedAt.IsZero() {
		if err := l.markPurged(ctx, c, a, now); err != nil {
			return err
		}
	}
	// From here on nobody is added and no record changes: lua/apply.lua and
	// lua/append.lua refuse.
	if err := l.empty(ctx, c.ID, now, progress); err != nil {
		return fmt.Errorf("purge campaign %s: %w", c.ID, err)
	}
	return nil
}

// markPurged makes it a purged campaign, which still has everything.
func (l *Ledger) markPurged(ctx context.Context, c *Info, a Actor, now time.Time) error {
	// The line first: whoever dies in the middle, a worker finishes it.
	if err := l.look(ctx, c.ID, now); err != nil {
		return err
	}
	reason := a.reason("purged on " + now.UTC().Format(time.DateOnly))
	if c.Reason != "" {
		reason = c.Reason + "; " + reason
	}
	was, _, err := l.steer(ctx, c.ID, steering{
		from: []Phase{Done}, field: fieldPurged, value: "",
		set:   []any{fieldPurged, now.UnixMilli(), fieldReason, reason},
		entry: a.entry(now, "purged", strconv.Itoa(c.Total)+" recipients"),
	})
	if err == nil && was != Done {
		err = &PhaseError{c.ID, was, "purged"} // sent to again, just now
	}
	return err
}

// empty deletes what a purged campaign holds. It may be interrupted anywhere.
func (l *Ledger) empty(ctx context.Context, id ID, now time.Time, progress func(done, all int)) error {
	c, err := l.Info(ctx, id) // a standing campaign has grown until it was marked
	if err != nil {
		return err
	}
	if c.EmptiedAt.IsZero() {
		// While the references are there to tell whose they are.
		if err := l.forgetEarly(ctx, c); err != nil {
			return err
		}
		if err := l.emptyPages(ctx, c, progress); err != nil {
			return err
		}
		if err := l.rdb.Unlink(ctx, keyDue(id), keyKeys(id), KeyCampaignPace(id), keyWatch(id), keySamples(id), keyZones(id), keyFed(id), keyTold(id), keyOutbox(id),
			keyLease(id, "feed"), keyLease(id, "settle"), keyLease(id, leaseRetry)).Err(); err != nil {
			return err
		}
		if err := l.rdb.HDel(ctx, keyRates, string(id)).Err(); err != nil {
			return err
		}
		if err := l.rdb.HSet(ctx, keyMeta(id), fieldEmptied, now.UnixMilli()).Err(); err != nil {
			return err
		}
	}
	if err := l.rdb.HDel(ctx, keyMeta(id), fieldPurgeAt).Err(); err != nil {
		return err
	}
	return l.rdb.ZRem(ctx, keyRetention, string(id)).Err()
}

// emptyPages deletes pages with their records, then references, from where the
// last purge of the campaign stopped.
func (l *Ledger) emptyPages(ctx context.Context, c *Info, progress func(done, all int)) error {
	at, err := l.rdb.HGet(ctx, keyMeta(c.ID), fieldPurgeAt).Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for all := c.Pages + refBuckets(c); at < all; {
		to := min(at+purgeStep, all)
		keys := make([]string, 0, 3*purgeStep)
		for ; at < to; at++ {
			if at < c.Pages {
				keys = append(keys, keyPage(c.ID, at), keyRecords(c.ID, at), keyPast(c.ID, at))
			} else {
				keys = append(keys, keyReferences(c.ID, at-c.Pages))
			}
		}
		if err := l.rdb.Unlink(ctx, keys...).Err(); err != nil {
			return err
		}
		if err := l.rdb.HSet(ctx, keyMeta(c.ID), fieldPurgeAt, at).Err(); err != nil {
			return err
		}
		if progress != nil {
			progress(at, all)
		}
	}
	return nil
}

// forgetEarly deletes early receipts for references of the campaign. Those that
// nobody can tell to be its own expire within a day of their coming.
func (l *Ledger) forgetEarly(ctx context.Context, c *Info) error {
	for cursor := uint64(0); ; {
		pairs, next, err := l.rdb.ZScan(ctx, keyEarlyDue, cursor, "", scanKeys).Result()
		if err != nil {
			return err
		}
		if err := l.forgetEarlyOf(ctx, c, pairs); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// forgetEarlyOf looks through references, each followed by its time.
func (l *Ledger) forgetEarlyOf(ctx context.Context, c *Info, pairs []string) error {
	if len(pairs) == 0 {
		return nil
	}
	known := make(map[string]*redis.BoolCmd, len(pairs)/2)
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := 0; i < len(pairs); i += 2 {
			field, bucket := referenceField(storableReference(pairs[i]), refBuckets(c))
			known[pairs[i]] = p.HExists(ctx, keyReferences(c.ID, bucket), field)
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for reference, ours := range known {
			if ours.Val() {
				p.Unlink(ctx, keyEarly(reference))
				p.ZRem(ctx, keyEarlyDue, reference)
			}
		}
		return nil
	})
	return err
}
