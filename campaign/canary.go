package campaign

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redis/go-redis/v9"
)

// What a canary has come to; the empty text while it isn't decided.
const (
	CanaryPassed = "passed"
	CanaryFailed = "failed"
)

// CanarySize is how many recipients, the first that are fed, are the canary of
// a list of total; 0 for none.
func (s *Spec) CanarySize(total int) int { return min(s.Canary, total) }

// CanaryMoving says whether outcomes of the canary are missing by the counts
// alone: fed are so many recipients, and nobody after them.
func (b *Balance) CanaryMoving(fed int) bool {
	unfed := b.Total() - fed
	return b.Moving() > unfed
}

// JudgeCanary says whether enough of the canary were delivered to, and what it
// came to in words. Who was never sent to, because the number is suppressed or
// the campaign was canceled, says nothing; a canary of nobody else has proved
// nothing. All of the canary must have an outcome.
func (b *Balance) JudgeCanary(fed int, limit float64) (passed bool, words string) {
	of := fed - b.Of(Suppressed) - b.Of(Canceled)
	delivered := b.Of(Delivered)
	need := int(math.Ceil(limit*float64(of) - 1e-9))
	return of > 0 && delivered >= need, fmt.Sprintf("%d of %d delivered", delivered, of)
}

// Canary reads what a campaign's canary has come to.
func (l *Ledger) Canary(ctx context.Context, c ID) (string, error) {
	v, err := l.rdb.HGet(ctx, keyMeta(c), fieldCanary).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("read the canary of campaign %s: %w", c, err)
	}
	return v, nil
}

// PassCanary lets a campaign that runs go on beyond its canary, which has come
// to words. stood is what [Ledger.Canary] said: someone else's decision since
// then stands.
func (l *Ledger) PassCanary(ctx context.Context, c ID, stood, words string, now time.Time) error {
	_, _, err := l.steer(ctx, c, steering{
		from: []Phase{Running}, field: fieldCanary, value: stood,
		set: []any{fieldCanary, CanaryPassed}, entry: Machine(words).entry(now, "passed the canary", ""),
	})
	return err
}

// FailCanary holds a campaign whose canary has come to words, as PassCanary lets
// it go on.
func (l *Ledger) FailCanary(ctx context.Context, c *Info, stood, words string, now time.Time) error {
	reason := fmt.Sprintf("canary: %s, %s %% are needed", words, percent(c.Spec.CanaryLimit()))
	_, _, err := l.steer(ctx, c.ID, steering{
		from: []Phase{Running}, field: fieldCanary, value: stood,
		set:   []any{fieldState, string(Held), fieldReason, reason, fieldCanary, CanaryFailed},
		entry: Machine(reason).entry(now, "held", ""),
	})
	return err
}

// overruled is what a resume sets in meta besides: after a failed canary it is a
// person's word that the others are to be sent to all the same. A canary that
// fails at the same moment isn't overruled: the feed will look again.
func (l *Ledger) overruled(ctx context.Context, c ID) ([]any, error) {
	canary, err := l.Canary(ctx, c)
	if err != nil || canary != CanaryFailed {
		return nil, err
	}
	return []any{fieldCanary, CanaryPassed}, nil
}
