package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// proposalTime is how long a spec waits for its list.
const proposalTime = 24 * time.Hour

// ErrOtherProposal means that another spec waits under the same ID.
var ErrOtherProposal = errors.New("another campaign file waits for its list under this id")

// Propose keeps a spec for a day, for a list that comes later by [Ledger.Open].
// Nothing is sent, and the campaign doesn't exist yet. The same spec again only
// begins the day anew, and added is false. Another spec is [ErrOtherProposal],
// unless replace is true.
func (l *Ledger) Propose(ctx context.Context, s *campaign.Spec, replace bool) (added bool, err error) {
	encoded, err := s.Encode()
	if err != nil {
		return false, fmt.Errorf("propose campaign %s: %w", s.ID, err)
	}
	for {
		added, err = l.rdb.SetNX(ctx, l.keys.proposed(s.ID), encoded, proposalTime).Result()
		if err != nil || added {
			break
		}
		stands, err := l.Proposed(ctx, s.ID)
		if errors.Is(err, ErrNotFound) {
			continue // it has just expired
		}
		if err != nil {
			return false, err
		}
		before, err := stands.Encode()
		if err != nil {
			return false, fmt.Errorf("propose campaign %s: %w", s.ID, err)
		}
		same := string(before) == string(encoded)
		if !same && !replace {
			return false, fmt.Errorf("campaign %s: %w", s.ID, ErrOtherProposal)
		}
		if err := l.rdb.Set(ctx, l.keys.proposed(s.ID), encoded, proposalTime).Err(); err != nil {
			return false, fmt.Errorf("propose campaign %s: %w", s.ID, err)
		}
		return !same, nil
	}
	if err != nil {
		return false, fmt.Errorf("propose campaign %s: %w", s.ID, err)
	}
	return added, nil
}

// Proposed reads the spec that waits for its list; ErrNotFound when none does.
func (l *Ledger) Proposed(ctx context.Context, c campaign.ID) (*campaign.Spec, error) {
	b, err := l.rdb.Get(ctx, l.keys.proposed(c)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read the proposal of campaign %s: %w", c, err)
	}
	return campaign.DecodeSpec(b)
}
