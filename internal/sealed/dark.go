package sealed

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// darkBatch is how many campaigns are read in one round trip.
const darkBatch = 500

// Dark returns those of the campaigns that have a key which is wrapped by a master key
// that isn't in the ring. It is an error if the installation keeps the keys elsewhere.
func (s *Store) Dark(ctx context.Context, campaigns []campaign.ID) ([]campaign.ID, error) {
	if err := s.checkStore(ctx); err != nil {
		return nil, err
	}
	var dark []campaign.ID
	for batch := range slices.Chunk(campaigns, darkBatch) {
		found, err := s.darkIn(ctx, s.rdb, batch)
		if err == nil && s.at != s.rdb {
			var beside []campaign.ID
			beside, err = s.darkIn(ctx, s.at, batch)
			found = append(found, beside...)
		}
		if err != nil {
			return nil, fmt.Errorf("read the keys of campaigns: %w", err)
		}
		slices.Sort(found)
		dark = append(dark, slices.Compact(found)...)
	}
	return dark, nil
}

func (s *Store) darkIn(ctx context.Context, rdb redis.UniversalClient, campaigns []campaign.ID) ([]campaign.ID, error) {
	ids := s.ring.IDs()
	pipe, keys := rdb.Pipeline(), make([]*redis.StringSliceCmd, len(campaigns))
	for i, c := range campaigns {
		keys[i] = pipe.HVals(ctx, s.keys.key(c))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var dark []campaign.ID
	for i, c := range campaigns {
		if slices.ContainsFunc(keys[i].Val(), func(wrapped string) bool {
			return len(wrapped) < idBytes || !slices.Contains(ids, hex.EncodeToString([]byte(wrapped[:idBytes])))
		}) {
			dark = append(dark, c)
		}
	}
	return dark, nil
}
