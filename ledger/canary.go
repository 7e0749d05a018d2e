package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Canary reads the outcome of a campaign's canary; empty: not decided.
func (l *Ledger) Canary(ctx context.Context, c campaign.ID) (string, error) {
	v, err := l.rdb.HGet(ctx, keyMeta(c), fieldCanary).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("read the canary of campaign %s: %w", c, err)
	}
	return v, nil
}

// PassCanary lets a running campaign go on beyond its canary; words say the result.
// stood is what [Ledger.Canary] returned: another worker's decision since then
// stands.
func (l *Ledger) PassCanary(ctx context.Context, c campaign.ID, stood, words string, now time.Time) error {
	_, _, err := l.steer(ctx, c, steering{
		from: []campaign.Phase{campaign.Running}, field: fieldCanary, value: stood,
		set: []any{fieldCanary, campaign.CanaryPassed}, entry: campaign.Machine(words).Entry(now, "passed the canary", ""),
	})
	return err
}

// FailCanary holds a campaign whose canary has failed; words say the result, and
// stood is as in PassCanary.
func (l *Ledger) FailCanary(ctx context.Context, c *campaign.Info, stood, words string, now time.Time) error {
	reason := fmt.Sprintf("canary: %s, %s %% are needed", words, campaign.Percent(c.Spec.CanaryLimit()))
	_, _, err := l.steer(ctx, c.ID, steering{
		from: []campaign.Phase{campaign.Running}, field: fieldCanary, value: stood,
		set:   []any{fieldState, string(campaign.Held), fieldReason, reason, fieldCanary, campaign.CanaryFailed},
		entry: campaign.Machine(reason).Entry(now, "held", ""),
	})
	return err
}

// overruled returns the fields of meta that a resume sets after a failed canary: a
// person's decision to send to the others all the same. A canary that fails at the
// same moment isn't overruled: the feed looks again.
func (l *Ledger) overruled(ctx context.Context, c campaign.ID) ([]any, error) {
	canary, err := l.Canary(ctx, c)
	if err != nil || canary != campaign.CanaryFailed {
		return nil, err
	}
	return []any{fieldCanary, campaign.CanaryPassed}, nil
}
