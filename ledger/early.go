package ledger

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
func (l *Ledger) KeepEarly(ctx context.Context, reference string, body []byte, now time.Time) (bool, error) {
	n, err := l.rdb.ZCard(ctx, keyEarlyDue).Result()
	if err != nil {
		return false, fmt.Errorf("keep an early receipt: %w", err)
	}
	if n >= maxEarly {
		return false, nil
	}
	key := keyEarly(reference)
	_, err = l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, key, body)
		p.LTrim(ctx, key, -maxPerReference, -1)
		p.ExpireNX(ctx, key, EarlyLife)
		return nil
	})
	if err == nil {
		// After the receipt: if the process dies here, the receipt expires by itself;
		// the other way round the line would hold an entry without one.
		err = redisx.Call(ctx, l.rdb, keyEarlyDue, now.UnixMicro(), reference)
	}
	if err != nil {
		return false, fmt.Errorf("keep an early receipt: %w", err)
	}
	return true, nil
}

// EarlyDue lists the references that are due for a look-up.
func (l *Ledger) EarlyDue(ctx context.Context, now time.Time, most int) ([]Early, error) {
	members, err := redisx.Due(ctx, l.rdb, keyEarlyDue, now.UnixMicro(), most)
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
func (l *Ledger) EarlyReceipts(ctx context.Context, reference string) (bodies []string, age time.Duration, err error) {
	key := keyEarly(reference)
	if bodies, err = l.rdb.LRange(ctx, key, 0, -1).Result(); err != nil {
		return nil, 0, fmt.Errorf("read early receipts: %w", err)
	}
	left, err := l.rdb.TTL(ctx, key).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("read early receipts: %w", err)
	}
	return bodies, EarlyLife - max(0, left), nil
}

// DropEarly deletes a receipt that has been recorded.
func (l *Ledger) DropEarly(ctx context.Context, reference, body string) error {
	if err := l.rdb.LRem(ctx, keyEarly(reference), 1, body).Err(); err != nil {
		return fmt.Errorf("drop an early receipt: %w", err)
	}
	return nil
}

// PutOffEarly sets when to look a reference up again; the zero time: never. It does
// nothing when another receipt for it has arrived since.
func (l *Ledger) PutOffEarly(ctx context.Context, e Early, next time.Time) error {
	if _, err := redisx.PutOff(ctx, l.rdb, keyEarlyDue, e.Timed, max(0, next.UnixMicro())); err != nil {
		return fmt.Errorf("put off an early receipt: %w", err)
	}
	return nil
}
