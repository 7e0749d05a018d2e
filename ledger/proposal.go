package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// proposalTime is how long a spec waits for its list.
const proposalTime = 24 * time.Hour

// ErrOtherProposal means that another spec waits under the same ID.
var ErrOtherProposal = errors.New("another campaign file waits for its list under this id")

// ForeignError means that the spec that waits under an ID is another caller's.
type ForeignError struct {
	ID campaign.ID
	By string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("campaign %s waits for the list of %s, whose campaign file it is", e.ID, cmp.Or(e.By, "someone without a key"))
}

// Propose keeps a spec for a day, for a list that comes later by [Ledger.Open], as
// by's. Nothing is sent, and the campaign doesn't exist yet. The same spec again only
// begins the day anew, and added is false. Another spec is [ErrOtherProposal] unless
// replace is true; one of another caller is a [*ForeignError] unless others is.
func (l *Ledger) Propose(ctx context.Context, s *campaign.Spec, by campaign.Actor, replace, others bool) (added bool, err error) {
	encoded, err := s.Encode()
	if err != nil {
		return false, fmt.Errorf("propose campaign %s: %w", s.ID, err)
	}
	now, set := time.Now(), map[bool]int{true: 1}
	answer, err := proposeScript.Run(ctx, l.rdb, []string{l.keys.proposed(s.ID)}, encoded, by.Name, by.Entry(now, "proposed", "").Encode(),
		by.Entry(now, "replaced", "the campaign file").Encode(), proposalTime.Milliseconds(), set[replace], set[others]).StringSlice()
	switch {
	case err != nil:
		return false, fmt.Errorf("propose campaign %s: %w", s.ID, err)
	case answer[0] == "foreign":
		return false, &ForeignError{s.ID, answer[1]}
	case answer[0] == "other":
		return false, fmt.Errorf("campaign %s: %w", s.ID, ErrOtherProposal)
	}
	return answer[0] == "added", nil
}

// Proposed reads the spec that waits for its list, and whose it is; ErrNotFound when
// none does.
func (l *Ledger) Proposed(ctx context.Context, c campaign.ID) (_ *campaign.Spec, by string, _ error) {
	v, err := l.rdb.HMGet(ctx, l.keys.proposed(c), "spec", "by").Result()
	if err != nil {
		return nil, "", fmt.Errorf("read the proposal of campaign %s: %w", c, err)
	}
	spec, ok := v[0].(string)
	if !ok {
		return nil, "", fmt.Errorf("campaign %s: %w", c, ErrNotFound)
	}
	by, _ = v[1].(string)
	s, err := campaign.DecodeSpec([]byte(spec))
	return s, by, err
}
