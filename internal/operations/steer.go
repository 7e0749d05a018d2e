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

// Verb is what can be done to a whole campaign.
type Verb string

// The verbs.
const (
	VerbPause      Verb = "pause"
	VerbResume     Verb = "resume"
	VerbCancel     Verb = "cancel"
	VerbReschedule Verb = "reschedule"
)

func steerable(p campaign.Phase) bool {
	return p == campaign.Running || p == campaign.Paused || p == campaign.Held
}

// May reports whether the verb would change anything in a campaign as it stands.
func (s *Standing) May(v Verb) bool {
	switch v {
	case VerbPause:
		return s.Info.Phase == campaign.Running
	case VerbResume:
		return s.Info.Phase == campaign.Paused || s.Info.Phase == campaign.Held
	case VerbCancel, VerbReschedule:
		return steerable(s.Info.Phase)
	}
	return false
}

// Risk says what a person should know before the verb is done; empty for nothing.
func (s *Standing) Risk(v Verb) string {
	if v == VerbPurge {
		return s.purgeRisk()
	}
	if v == VerbResume && s.Info.Phase == campaign.Held && campaign.IsRestored(s.Info.Reason) {
		return "Redis has lost what was recorded in the meantime: people who were sent to then may be sent to again."
	}
	return ""
}

// Pause stops new sends at once. Pausing a paused campaign changes nothing.
func (o *Operations) Pause(ctx context.Context, s *Standing, by campaign.Actor) error {
	return o.traced(ctx, "pause", ofCampaign(s.Info.ID), by, func() error {
		return about(s.Info.ID, o.ledger.Pause(ctx, s.Info.ID, by, now()))
	})
}

// Resume lets a paused or held campaign go on. Resuming a running one changes
// nothing.
func (o *Operations) Resume(ctx context.Context, s *Standing, by campaign.Actor) error {
	return o.traced(ctx, "resume", ofCampaign(s.Info.ID), by, func() error {
		return about(s.Info.ID, o.ledger.Resume(ctx, s.Info.ID, by, now()))
	})
}

// Cancel ends a campaign for good: those who haven't been sent to never are, and
// what is under way is still settled. Canceling a canceled one changes nothing.
func (o *Operations) Cancel(ctx context.Context, s *Standing, by campaign.Actor) error {
	return o.traced(ctx, "cancel", ofCampaign(s.Info.ID), by, func() error {
		return about(s.Info.ID, o.ledger.Cancel(ctx, s.Info.ID, by, now()))
	})
}

// Reschedule pauses a campaign until a time, at which it goes on by itself. seen
// says that a person was shown s: only then is a hold lifted. Else the campaign
// stays held, and waits for the time once a person has resumed it.
func (o *Operations) Reschedule(ctx context.Context, s *Standing, at time.Time, seen bool, by campaign.Actor) error {
	if !at.After(s.At) {
		return refusef(Refused, "at", "%s is past", at.Format(time.RFC3339))
	}
	return o.traced(ctx, "reschedule", ofCampaign(s.Info.ID)+" to "+at.UTC().Format(time.RFC3339), by, func() error {
		return about(s.Info.ID, o.ledger.Reschedule(ctx, s.Info.ID, at, seen, by, now()))
	})
}

// MaxRate is the highest rate that may be set, in messages per second.
const MaxRate = 100_000

// ParseRate reads a rate, in messages per second. The error is Refused.
func ParseRate(text string) (float64, error) {
	rate, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rate > 0 && rate <= MaxRate) {
		return 0, refusef(Refused, "rate", "%q must be a number over 0 and at most %s, in messages per second", text, campaign.Number(MaxRate))
	}
	return rate, nil
}

// SetRate sets a campaign's rate in messages per second for all workers within a second.
// It stays under the account's.
func (o *Operations) SetRate(ctx context.Context, s *Standing, rate float64, by campaign.Actor) error {
	if _, err := ParseRate(strconv.FormatFloat(rate, 'f', -1, 64)); err != nil {
		return err
	}
	return o.changeRate(ctx, s, rate, by)
}

// ResetRate goes back to the rate in the campaign's file.
func (o *Operations) ResetRate(ctx context.Context, s *Standing, by campaign.Actor) error {
	return o.changeRate(ctx, s, 0, by)
}

func (o *Operations) changeRate(ctx context.Context, s *Standing, rate float64, by campaign.Actor) error {
	return o.tracedRate(ctx, ofCampaign(s.Info.ID), rate, by, func() error {
		return about(s.Info.ID, o.ledger.SetRate(ctx, s.Info.ID, rate, by, now()))
	})
}

// SetAccountRate is SetRate for all campaigns of an account together.
func (o *Operations) SetAccountRate(ctx context.Context, account string, rate float64, by campaign.Actor) error {
	if _, err := ParseRate(strconv.FormatFloat(rate, 'f', -1, 64)); err != nil {
		return err
	}
	return o.changeAccountRate(ctx, account, rate, by)
}

// ResetAccountRate goes back to the rate in the file of accounts, or of the environment.
func (o *Operations) ResetAccountRate(ctx context.Context, account string, by campaign.Actor) error {
	return o.changeAccountRate(ctx, account, 0, by)
}

func (o *Operations) changeAccountRate(ctx context.Context, account string, rate float64, by campaign.Actor) error {
	if _, err := o.account(ctx, account); err != nil {
		return err
	}
	if err := accountWide(ctx, "the account's rate is everyone's"); err != nil {
		return err
	}
	object := "account"
	if account != campaign.DefaultAccount {
		object += " " + account
	}
	return o.tracedRate(ctx, object, rate, by, func() error { return about("", o.ledger.SetAccountRate(ctx, account, rate, by, now())) })
}

func (o *Operations) tracedRate(ctx context.Context, object string, rate float64, by campaign.Actor, change func() error) error {
	if rate == 0 {
		return o.traced(ctx, "reset rate", object, by, change)
	}
	return o.traced(ctx, "set rate", fmt.Sprintf("%s to %g a second", object, rate), by, change)
}

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
		return campaign.Number(n) + " of them are in doubt, and what became of them will never be known."
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
		return refusef(Stale, "", "campaign %s has changed since: in doubt now: %s; nothing was done, look again", s.Info.ID, campaign.Number(is))
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
	return o.traced(ctx, "purge", ofCampaign(s.Info.ID), by, func() error { return o.purge(ctx, s, by, progress) })
}

func (o *Operations) purge(ctx context.Context, s *Standing, by campaign.Actor, progress func(done, all int)) error {
	err := o.ledger.Purge(ctx, s.Info, by, now(), progress)
	var steered *campaign.PhaseError
	if err == nil || errors.As(err, &steered) || errors.Is(err, ledger.ErrKeysNeeded) {
		return about(s.Info.ID, err)
	}
	return &Error{Kind: KindOf(err), Text: fmt.Sprintf("campaign %s may be purged in part: %v; the same again finishes it, and so does a worker", s.Info.ID, err)}
}

// Repair sets a campaign's counts to what its records say by v, and returns a line
// for each count that it has changed. Stale when the counts have changed since.
func (o *Operations) Repair(ctx context.Context, info *campaign.Info, v *ledger.Verdict) (done []string, err error) {
	err = o.traced(ctx, "repair counts", ofCampaign(info.ID), campaign.Actor{}, func() error {
		done, err = o.ledger.Repair(ctx, info, v)
		if errors.Is(err, ledger.ErrMoving) {
			return refusef(Stale, "", "campaign %s: %v", info.ID, err)
		}
		return about(info.ID, err)
	})
	return done, err
}
