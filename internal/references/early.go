package references

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// A receipt without our external ID may overtake the answer to its request: its
// reference is unknown then. It is kept here until the answer is recorded.
const (
	// EarlyLife is how long a receipt is kept.
	EarlyLife = 24 * time.Hour
	// maxEarly bounds the references kept, and maxPerReference the receipts of each:
	// other applications on this account must not fill Redis.
	maxEarly        = 100_000
	maxPerReference = 16
)

// Early is a reference with early receipts, and when to look it up again.
type Early struct {
	Reference string
	redisx.Timed
}

// KeepEarly keeps a receipt for an unknown reference; false when too many are kept
// already.
func (s *Store) KeepEarly(ctx context.Context, reference string, body []byte, now time.Time) (bool, error) {
	n, err := s.rdb.ZCard(ctx, s.keys.earlyDue()).Result()
	if err != nil {
		return false, fmt.Errorf("keep an early receipt: %w", err)
	}
	if n >= maxEarly {
		return false, nil
	}
	err = keepScript.Run(ctx, s.rdb, []string{s.keys.early(reference)}, body, maxPerReference, int64(EarlyLife/time.Second)).Err()
	if err == nil {
		// After the receipt: if the process dies here, the receipt expires by itself;
		// the other way round the line would hold an entry without one.
		err = redisx.Call(ctx, s.rdb, s.keys.earlyDue(), now.UnixMicro(), reference)
	}
	if err != nil {
		return false, fmt.Errorf("keep an early receipt: %w", err)
	}
	return true, nil
}

// EarlyDue lists the references that are due for a look-up.
func (s *Store) EarlyDue(ctx context.Context, now time.Time, most int) ([]Early, error) {
	members, err := redisx.Due(ctx, s.rdb, s.keys.earlyDue(), now.UnixMicro(), most)
	if err != nil {
		return nil, fmt.Errorf("list early receipts: %w", err)
	}
	due := make([]Early, len(members))
	for i, m := range members {
		due[i] = Early{m.Member, m}
	}
	return due, nil
}

// EarlyReceipts reads the receipts kept for a reference, and how long they have
// been there.
func (s *Store) EarlyReceipts(ctx context.Context, reference string) (bodies []string, age time.Duration, err error) {
	key := s.keys.early(reference)
	if bodies, err = s.rdb.LRange(ctx, key, 0, -1).Result(); err != nil {
		return nil, 0, fmt.Errorf("read early receipts: %w", err)
	}
	left, err := s.rdb.TTL(ctx, key).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("read early receipts: %w", err)
	}
	return bodies, EarlyLife - max(0, left), nil
}

// DropEarly deletes a receipt that has been recorded.
func (s *Store) DropEarly(ctx context.Context, reference, body string) error {
	if err := s.rdb.LRem(ctx, s.keys.early(reference), 1, body).Err(); err != nil {
		return fmt.Errorf("drop an early receipt: %w", err)
	}
	return nil
}

// PutOffEarly sets when to look a reference up again; the zero time: never. It does
// nothing when another receipt for it has arrived since.
func (s *Store) PutOffEarly(ctx context.Context, e Early, next time.Time) error {
	if _, err := redisx.PutOff(ctx, s.rdb, s.keys.earlyDue(), e.Timed, max(0, next.UnixMicro())); err != nil {
		return fmt.Errorf("put off an early receipt: %w", err)
	}
	return nil
}

// scanReferences is how many references ForgetEarly looks through at a time.
const scanReferences = 1000

// ForgetEarly deletes the receipts kept for the references that known returns of
// those that it is given.
func (s *Store) ForgetEarly(ctx context.Context, known func(all []string) ([]string, error)) error {
	for cursor := uint64(0); ; {
		pairs, next, err := s.rdb.ZScan(ctx, s.keys.earlyDue(), cursor, "", scanReferences).Result()
		if err != nil {
			return fmt.Errorf("list early receipts: %w", err)
		}
		all := make([]string, 0, len(pairs)/2) // each is followed by its time
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, pairs[i])
		}
		if len(all) > 0 {
			if err := s.forget(ctx, all, known); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func (s *Store) forget(ctx context.Context, all []string, known func(all []string) ([]string, error)) error {
	ours, err := known(all)
	if err != nil || len(ours) == 0 {
		return err
	}
	_, err = s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, reference := range ours {
			p.Unlink(ctx, s.keys.early(reference))
			p.ZRem(ctx, s.keys.earlyDue(), reference)
		}
		return nil
	})
	return err
}
