package operations

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// What is decided about one recipient, or about everyone in a state.
const (
	VerbResend Verb = "resend" // another attempt is made
	VerbAccept Verb = "accept" // those in doubt are taken for sent to
)

// Retryable are the states whose recipients can be sent to again all at once.
func Retryable() []campaign.State {
	return []campaign.State{campaign.Failed, campaign.Unconfirmed, campaign.InDoubt}
}

// RetryState reads the name of one of [Retryable].
func RetryState(name string) (campaign.State, error) {
	state, ok := campaign.ParseState(name)
	if !ok || !slices.Contains(Retryable(), state) {
		return 0, refusef(Refused, "only", "only must be failed, unconfirmed or in_doubt")
	}
	return state, nil
}

// RiskOf says what a person should know before a decision about those in a state;
// empty for nothing.
func (v Verb) RiskOf(s campaign.State) string {
	switch {
	case v == VerbAccept && s == campaign.InDoubt:
		return "Telesign may not have taken the message: who is taken for sent to and wasn't, gets nothing."
	case v == VerbResend && s == campaign.InDoubt:
		return "Telesign may have taken the message: sent again, it may arrive twice."
	case v == VerbResend && s == campaign.Unconfirmed:
		return "Telesign took the message, and whether it arrived isn't known: sent again, it may arrive twice."
	case v == VerbResend && s == campaign.Failed:
		return "A late delivery isn't excluded: sent again, it may arrive twice."
	}
	return ""
}

// event is what a decision does to a record.
func (v Verb) event() campaign.Event {
	if v == VerbAccept {
		return campaign.Event{Kind: campaign.EventAcceptAsSent, At: now()}
	}
	return campaign.Event{Kind: campaign.EventResend, At: now()}
}

// allowed reports what keeps a campaign from the decision.
func (v Verb) allowed(info *campaign.Info) error {
	if v == VerbResend && info.Canceled {
		return refusef(WrongPhase, "", "campaign %s was canceled: its recipients can't be sent to again", info.ID)
	}
	return about(info.ID, info.Gone())
}

// Selection is everyone of a campaign who was in a state at a moment, and what is
// to be decided about them.
type Selection struct {
	Standing
	Verb  Verb
	State campaign.State
	Count int
}

// Select reads how many are in a state, for [VerbResend] or [VerbAccept]. Errors:
// NotFound; WrongPhase for a campaign that was canceled or purged.
func (o *Operations) Select(ctx context.Context, id campaign.ID, v Verb, state campaign.State) (*Selection, error) {
	s, err := o.Standing(ctx, id)
	if err == nil {
		err = v.allowed(s.Info)
	}
	if err != nil {
		return nil, err
	}
	return &Selection{*s, v, state, s.Balance.Of(state)}, nil
}

// Seen makes the selection the one that a person was shown: so many, at this time
// by Redis's clock. The error is Stale.
func (s *Selection) Seen(count int, at time.Time) error {
	if s.Count != count {
		return refusef(Stale, "expected", "%d are %s by now, not %d; nothing was done, look again", s.Count, s.State, count)
	}
	s.At = at
	return nil
}

// questionLife is how long a selection may wait for the decision.
const questionLife = time.Hour

// DecideAll decides about all who were in the state at the time of the selection,
// and are still, and returns about how many. It may be interrupted and made again.
// progress gets how many it was so far, and may be nil.
func (o *Operations) DecideAll(ctx context.Context, s *Selection, by campaign.Actor, progress func(n int)) (int, error) {
	stands, err := o.Select(ctx, s.Info.ID, s.Verb, s.State)
	if err != nil {
		return 0, err
	}
	if s.At.After(stands.At) || stands.At.Sub(s.At) > questionLife {
		return 0, refusef(Stale, "", "the question is over an hour old; nothing was done, look again")
	}
	var n int
	if s.Verb == VerbAccept {
		n, err = o.ledger.AcceptAllAsSent(ctx, stands.Info, by, s.At, progress)
	} else {
		n, err = o.ledger.ResendAll(ctx, stands.Info, s.State, by, s.At, progress)
	}
	if err != nil && n > 0 {
		err = &Error{Kind: KindOf(err), Text: fmt.Sprintf("it stopped after %d recipients; do it again for the others: %v", n, err), Err: err}
	}
	return n, about(s.Info.ID, err)
}
