package report

import (
	"context"

	"github.com/handout-dev/handout/campaign"
)

// maxRestored is how many campaigns Restored looks at.
const maxRestored = 1000

// Restored returns a campaign that is held since Redis came back with an older state,
// and the reason of the hold. The ID is empty if there is none.
func (r *Reader) Restored(ctx context.Context) (campaign.ID, string, error) {
	ids, err := r.ledger.Active(ctx)
	if err != nil {
		return "", "", err
	}
	for _, id := range ids[:min(len(ids), maxRestored)] {
		phase, reason, _, err := r.ledger.Phase(ctx, id)
		if err == nil && phase == campaign.Held && campaign.IsRestored(reason) {
			return id, reason, nil
		}
	}
	return "", "", nil
}
