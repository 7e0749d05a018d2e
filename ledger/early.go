package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// A receipt without our external ID may overtake the answer to its request:
// then nobody knows its reference yet. It is kept here until somebody does.
const (
	// EarlyLife is how long it is kept.
	EarlyLife = 24 * time.Hour
	// mostEarly bounds the references kept, and mostPerReference the receipts of
	// each: whatever else is sent on this account must not fill Redis.
	mostEarly        = 100_000
	mostPerReference = 16
)

// Early is a reference with early receipts, and when to look for it again.
type Early struct {
	Reference string
	at        float64
}

// KeepEarly keeps a receipt for a reference that nobody knows; false when too
// many are kept already.
func (l *Ledger) KeepEarly(ctx context.Context, reference string, body []byte, now time.Time) (bool, error) {
	n, err := l.rdb.ZCard(ctx, keyEarlyDue).Result()
	if err != nil {
		return false, fmt.Errorf("keep an early receipt: %w", err)
	}
	if n >= mostEarly {
		return false, nil
	}
	key := keyEarly(reference)
	_, err = l.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, key, body)
		p.LTrim(ctx, key, -mostPerReference, -1)
		p.ExpireNX(ctx, key, EarlyLife)
		return nil
	})
	if err == nil {
		// After the receipt: one without a place in the line expires, a place
		// without one is cleared away.
		err = callScript.Run(ctx, l.rdb, []string{keyEarlyDue}, now.UnixMicro(), reference).Err()
	}
	if err != nil {
		return false, fmt.Errorf("keep an early receipt: %w", err)
	}
	return true, nil
}

// EarlyDue lists references to look for now.
func (l *Ledger) EarlyDue(ctx context.Context, now time.Time, most int) ([]Early, error) {
	z, err := l.rdb.ZRangeByScoreWithScores(ctx, keyEarlyDue, &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(now.UnixMicro(), 10), Count: int64(most),
	}).Result()
	if err != nil {
		return nil, fmt.Errorf("list early receipts: %w", err)
	}
	due := make([]Early, len(z))
	for i := range z {
		due[i].Reference, _ = z[i].Member.(string)
		due[i].at = z[i].Score
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

// PutOffEarly sets when to look for a reference again; the zero time: never. It
// does nothing when another receipt for it has come since.
func (l *Ledger) PutOffEarly(ctx context.Context, e Early, next time.Time) error {
	at := ""
	if !next.IsZero() {
		at = strconv.FormatInt(next.UnixMicro(), 10)
	}
	err := dueScript.Run(ctx, l.rdb, []string{keyEarlyDue}, e.Reference, strconv.FormatFloat(e.at, 'f', -1, 64), at).Err()
	if err != nil {
		return fmt.Errorf("put off an early receipt: %w", err)
	}
	return nil
}
