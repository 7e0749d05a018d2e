package references

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// CheckStep is how many commands [Store.Check] makes at a time.
const CheckStep = 32

// Check returns what can't be in the index, one line for each kind: a bucket with part of
// an entry, and one that never expires. That an entry is missing is no fault: a receipt
// is then found by its external ID, or its message asked for. It calls turn before each
// of its steps.
func (s *Store) Check(ctx context.Context, now time.Time, turn func(context.Context) error) (faults []string, err error) {
	torn, eternal := 0, 0
	for _, period := range []int64{number(now), number(now) - 1} {
		for first := uint64(0); first < buckets; first += CheckStep / 2 {
			if err := turn(ctx); err != nil {
				return nil, err
			}
			var sizes [CheckStep / 2]*redis.IntCmd
			var lives [CheckStep / 2]*redis.DurationCmd
			_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i := range sizes {
					key := s.keys.bucket(period, first+uint64(i))
					sizes[i], lives[i] = p.StrLen(ctx, key), p.TTL(ctx, key)
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("check the index of references: %w", err)
			}
			for i := range sizes {
				if sizes[i].Val()%entrySize != 0 {
					torn++
				}
				if lives[i].Val() == -1 { // without a unit: there is no expiry
					eternal++
				}
			}
		}
	}
	if torn > 0 {
		faults = append(faults, fmt.Sprintf("%s of the index with part of an entry", campaign.Count(torn, "bucket")))
	}
	if eternal > 0 {
		faults = append(faults, fmt.Sprintf("%s of the index without an expiry", campaign.Count(eternal, "bucket")))
	}
	return faults, nil
}
