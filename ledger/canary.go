package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// PassCanary lets a running campaign go on beyond its canary; words say the result.
// stood is the outcome that was read: another worker's decision since then stands.
func (l *Ledger) PassCanary(ctx context.Context, c campaign.ID, stood, words string, now time.Time) error {
	return l.judge(ctx, c, fieldCanary, stood, campaign.CanaryPassed, "", campaign.Machine(words).Entry(now, "passed the canary", ""))
}

// FailCanary holds a campaign whose canary has failed; words say the result, and
// stood is as in PassCanary.
func (l *Ledger) FailCanary(ctx context.Context, c *campaign.Info, stood, words string, now time.Time) error {
	reason := fmt.Sprintf("canary: %s, %s %% are needed", words, campaign.Percent(c.Spec.CanaryLimit()))
	return l.judge(ctx, c.ID, fieldCanary, stood, campaign.CanaryFailed, reason, campaign.Machine(reason).Entry(now, "held", ""))
}

// judge sets a field of a running campaign that stood at a value, and holds it if
// there is a reason.
func (l *Ledger) judge(ctx context.Context, c campaign.ID, field, stood, becomes, hold string, e campaign.Entry) error {
	set := []any{field, becomes}
	if hold != "" {
		set = append(set, fieldState, string(campaign.Held), fieldReason, hold)
	}
	_, _, err := l.steer(ctx, c, steering{from: []campaign.Phase{campaign.Running}, field: field, value: stood, set: set, entry: e})
	return err
}
