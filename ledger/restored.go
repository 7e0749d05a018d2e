package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// restoredPrefix begins the reason of a campaign whose records are older than
// what has been sent.
const restoredPrefix = "Redis was restored from an older state"

// IsRestored reports whether a campaign is held for such a reason.
func IsRestored(reason string) bool { return strings.HasPrefix(reason, restoredPrefix) }

// RestoredReason returns the reason of a campaign whose Redis has lost what was
// recorded after since, or, if before is true, from some time before then.
func RestoredReason(since time.Time, before bool) string {
	of := "of "
	if before {
		of = "of before "
	}
	return restoredPrefix + " (" + of + since.UTC().Format(time.RFC3339) + "): who was sent to since then isn't known here"
}

// HoldRestored holds a campaign whose records may be older than what has been sent.
// That includes paused ones, which would start by themselves or be resumed by a
// person who doesn't know, and settling ones with recipients to be sent to again. It
// may be called again.
func (l *Ledger) HoldRestored(ctx context.Context, c campaign.ID, reason string, now time.Time) error {
	for range holdTries { // a person may steer it at the same moment
		phase, why, _, err := l.Phase(ctx, c)
		if err != nil {
			return err
		}
		switch phase {
		case campaign.Running, campaign.Paused, campaign.Held:
			if phase == campaign.Held && IsRestored(why) {
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
		default: // a draft, or canceled: nothing is sent
			return nil
		}
	}
	return fmt.Errorf("campaign %s: %w", c, ErrSteered)
}

const holdTries = 5
