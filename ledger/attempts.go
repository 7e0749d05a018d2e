package ledger

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/handout-dev/handout/campaign"
)

// maxAttempts is how many earlier attempts of a recipient are kept; lua/apply.lua
// has the number, too.
const maxAttempts = 20

// Attempts returns the records of a recipient's earlier attempts, the first one
// first, as they stood when another attempt was asked for or made. seen is the
// recipient's record. The latest 20 are kept.
func (l *Ledger) Attempts(ctx context.Context, c *campaign.Info, p campaign.Place, seen *campaign.Record) ([]campaign.Record, error) {
	last := seen.Attempt - 1
	if seen.Reason == campaign.ReasonResent {
		last = seen.Attempt // asked for, and not made yet
	}
	if last < 1 {
		return nil, nil
	}
	var fields []string
	for n := max(1, last-maxAttempts+1); n <= last; n++ {
		fields = append(fields, strconv.Itoa(p.Index)+"."+strconv.Itoa(n))
	}
	stored, err := l.rdb.HMGet(ctx, keyPast(c.ID, p.Page), fields...).Result()
	if err != nil {
		return nil, fmt.Errorf("read earlier attempts of %s of campaign %s: %w", place(p), c.ID, err)
	}
	var past []campaign.Record
	for _, s := range stored {
		raw, _ := s.(string)
		if raw == "" {
			continue
		}
		r, err := campaign.DecodeRecord([]byte(raw))
		if err != nil {
			return nil, fmt.Errorf("earlier attempt of %s of campaign %s: %w", place(p), c.ID, err)
		}
		past = append(past, r)
	}
	return slices.Clip(past), nil
}
