package operations

import (
	"context"

	"github.com/handout-dev/handout/campaign"
)

// RewrapMasterKey has the first of the master keys encrypt from now on, and wraps anew
// what the other one has wrapped. It returns how many campaigns' keys that were. It may
// be interrupted, and called again. Errors: Refused without a master key.
func (o *Operations) RewrapMasterKey(ctx context.Context) (n int, err error) {
	if o.o.MasterKeys == nil {
		return 0, refusef(Refused, "", "HANDOUT_MASTER_KEY is not set")
	}
	err = o.traced(ctx, "replace master key", o.o.MasterKeys.IDs()[0], campaign.Actor{}, func() error {
		n, err = o.ledger.Rewrap(ctx)
		return err
	})
	return n, err
}
