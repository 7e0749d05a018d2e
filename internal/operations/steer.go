package operations

import (
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
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

// steerable are the phases in which a campaign can be steered.
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
	return about(s.Info.ID, o.ledger.Pause(ctx, s.Info.ID, by, now()))
}

// Resume lets a paused or held campaign go on. Resuming a running one changes
// nothing.
func (o *Operations) Resume(ctx context.Context, s *Standing, by campaign.Actor) error {
	return about(s.Info.ID, o.ledger.Resume(ctx, s.Info.ID, by, now()))
}

// Cancel ends a campaign for good: those who haven't been sent to never are, and
// what is under way is still settled. Canceling a canceled one changes nothing.
func (o *Operations) Cancel(ctx context.Context, s *Standing, by campaign.Actor) error {
	return about(s.Info.ID, o.ledger.Cancel(ctx, s.Info.ID, by, now()))
}

// Reschedule pauses a campaign until a time, at which it goes on by itself. seen
// says that a person was shown s: only then is a hold lifted. Else the campaign
// stays held, and waits for the time once a person has resumed it.
func (o *Operations) Reschedule(ctx context.Context, s *Standing, at time.Time, seen bool, by campaign.Actor) error {
	if !at.After(s.At) {
		return refusef(Refused, "at", "%s is past", at.Format(time.RFC3339))
	}
	return about(s.Info.ID, o.ledger.Reschedule(ctx, s.Info.ID, at, seen, by, now()))
}
