package operations

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// VerbPurge deletes who was in a campaign.
const VerbPurge Verb = "purge"

// Purgeable returns why a campaign can't be purged as it stands: WrongPhase.
func (s *Standing) Purgeable() error {
	id := s.Info.ID
	switch s.Info.Phase {
	case campaign.Done:
	case campaign.Settling, campaign.Ended:
		return refusef(WrongPhase, "", "campaign %s is %s: outcomes are still to come; purge it when it is done", id, s.Info.Phase)
	default:
		return refusef(WrongPhase, "", "campaign %s is %s: it can be purged when it is done; cancel it to end it", id, s.Info.Phase)
	}
	if until := s.Info.KeysUntil(); until.After(s.At) {
		return refusef(WrongPhase, "", "campaign %s keeps one-off sends from being made twice; it can be purged from %s on", id, until.Format(time.RFC3339))
	}
	return nil
}

func (s *Standing) purgeRisk() string {
	switch n := s.Balance.Of(campaign.InDoubt); n {
	case 0:
		return ""
	case 1:
		return "1 of them is in doubt, and what became of them will never be known."
	default:
		return fmt.Sprintf("%d of them are in doubt, and what became of them will never be known.", n)
	}
}

// Confirm reports whether a person has typed the campaign's ID. The error is Refused.
func (s *Standing) Confirm(id string) error {
	if id == string(s.Info.ID) {
		return nil
	}
	return refusef(Refused, "id", "that isn't the ID of campaign %s; nothing was deleted", s.Info.ID)
}

// SeenInDoubt reports whether as many people are in doubt as a page has shown. The
// error is Stale.
func (s *Standing) SeenInDoubt(shown string) error {
	if is := s.Balance.Of(campaign.InDoubt); strconv.Itoa(is) != shown {
		return refusef(Stale, "", "campaign %s has changed since: %d people are in doubt now; nothing was done, look again", s.Info.ID, is)
	}
	return nil
}

// Purge deletes who was in a campaign that is done, and what became of each. Its
// content, counts and history stay, and its ID stays taken. Purging a purged one
// changes nothing, and finishes a purge that was interrupted. progress, if not nil,
// is called with how much of the work is done.
func (o *Operations) Purge(ctx context.Context, s *Standing, by campaign.Actor, progress func(done, all int)) error {
	if err := s.Purgeable(); err != nil {
		return err
	}
	err := o.ledger.Purge(ctx, s.Info, by, now(), progress)
	var steered *campaign.PhaseError
	if err == nil || errors.As(err, &steered) || errors.Is(err, ledger.ErrKeysNeeded) {
		return about(s.Info.ID, err)
	}
	return &Error{Kind: KindOf(err), Text: fmt.Sprintf("campaign %s may be purged in part: %v; the same again finishes it, and so does a worker", s.Info.ID, err)}
}
