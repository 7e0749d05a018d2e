package operations

import (
	"context"
	"errors"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// Repair sets a campaign's counts to what its records say by v, and returns a line
// for each count that it has changed. Stale when the counts have changed since.
func (o *Operations) Repair(ctx context.Context, info *campaign.Info, v *ledger.Verdict) ([]string, error) {
	done, err := o.ledger.Repair(ctx, info, v)
	if errors.Is(err, ledger.ErrMoving) {
		return nil, refusef(Stale, "", "campaign %s: %v", info.ID, err)
	}
	return done, about(info.ID, err)
}
