package operations

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

// Person is one recipient of a campaign, as they stood when they were read.
type Person struct {
	Info       *campaign.Info
	Found      ledger.Found
	Suppressed *suppression.Entry // nil: the number isn't on the suppression list
}

// Person finds one recipient: by the place in the list, as in 12.7, which reads
// one page; else by the name in the list or, with numbers, the phone number in
// E.164 form, which reads the list up to the second one of that name.
//
// Errors: NotFound, WrongPhase for a purged campaign, and Ambiguous with the
// places of those among whom the name doesn't decide.
func (o *Operations) Person(ctx context.Context, id campaign.ID, who string, numbers bool) (*Person, error) {
	if at, ok := campaign.ParsePlace(who); ok {
		p, err := o.PersonAt(ctx, id, at)
		if KindOf(err) != NotFound {
			return p, err
		}
	}
	info, err := o.listed(ctx, id)
	if err != nil {
		return nil, err
	}
	found, err := o.ledger.Find(ctx, info, who, numbers)
	key := access.Caller(ctx)
	found = slices.DeleteFunc(found, func(f ledger.Found) bool { return !key.Owns(info.OwnerOf(&f.Recipient), info.Spec.AccountName()) })
	switch {
	case err != nil:
		return nil, about(id, err)
	case len(found) == 0:
		return nil, noSuchRecipient(id)
	case len(found) > 1:
		return nil, ambiguous(id, found)
	}
	return o.person(ctx, info, found[0])
}

// PersonAt reads the recipient at a place. Errors: as of [Operations.Person].
func (o *Operations) PersonAt(ctx context.Context, id campaign.ID, at campaign.Place) (*Person, error) {
	info, err := o.listed(ctx, id)
	if err != nil {
		return nil, err
	}
	page, err := o.ledger.Recipients(ctx, id, at.Page)
	if KindOf(err) == NotFound || (err == nil && at.Index >= len(page)) {
		return nil, noSuchRecipient(id)
	}
	if err != nil {
		return nil, about(id, err)
	}
	f := ledger.Found{Place: at, Recipient: page[at.Index]}
	if f.Seen, err = o.ledger.ReadRecord(ctx, info, at); err != nil {
		return nil, about(id, err)
	}
	return o.person(ctx, info, f)
}

func (o *Operations) person(ctx context.Context, info *campaign.Info, f ledger.Found) (*Person, error) {
	if err := access.Caller(ctx).See("recipient "+f.Place.String()+" of campaign "+string(info.ID), info.OwnerOf(&f.Recipient), info.Spec.AccountName()); err != nil {
		return nil, about(info.ID, err)
	}
	p := &Person{Info: info, Found: f}
	for _, address := range info.Addresses(&f.Recipient) {
		entry, suppressed, err := o.suppressions.Find(ctx, address)
		if suppressed { // also by an entry that can't be read
			p.Suppressed = &entry
			break
		} else if err != nil {
			return nil, about(info.ID, err)
		}
	}
	return p, nil
}

// listed reads a campaign that has its recipients.
func (o *Operations) listed(ctx context.Context, id campaign.ID) (*campaign.Info, error) {
	info, err := o.ledger.Info(ctx, id)
	if err == nil && info.Phase == campaign.Draft {
		err = ledger.ErrNotFound
	}
	if err == nil && !info.Spec.Standing { // of whom each has an owner
		err = access.Caller(ctx).See(string(id), info.Owner, info.Spec.AccountName())
	}
	if err == nil {
		err = info.Gone()
	}
	return info, about(id, err)
}

func noSuchRecipient(id campaign.ID) error {
	return refusef(NotFound, "", "there is no such recipient in campaign %s", id)
}

func ambiguous(id campaign.ID, found []ledger.Found) error {
	e := &Error{Kind: Ambiguous, Field: "recipient"}
	words := make([]string, len(found))
	for i, f := range found {
		e.Places = append(e.Places, PersonPlace{f.Place, f.Seen.Record.State})
		words[i] = fmt.Sprintf("%s (%s)", f.Place, f.Seen.Record.State)
	}
	e.Text = fmt.Sprintf("several recipients of campaign %s have this name; name one by its place: %s", id, strings.Join(words, ", "))
	return e
}

// Seen reports whether the recipient still is as a person has seen them: in this
// state, at this attempt. The error is Stale.
func (p *Person) Seen(state campaign.State, attempt int) error {
	r := &p.Found.Seen.Record
	if r.State == state && r.Attempt == attempt {
		return nil
	}
	return refusef(Stale, "", "recipient %s is %s by now, at attempt %d; nothing was done, look again", p.Found.Place, r.State, r.Attempt)
}

// May reports whether the verb would change anything about a recipient in this
// state; [Person.Check] reports what else stands against it.
func (p *Person) May(v Verb) bool {
	r := p.Found.Seen.Record
	next, err := campaign.Next(r, v.event().BoundTo(&r))
	return err == nil && next != r
}

// Check reports why the verb can't be done to the recipient; nil if it can, or if
// it was done before.
func (p *Person) Check(v Verb) error {
	if err := v.allowed(p.Info); err != nil {
		return err
	}
	at, r := p.Found.Place, p.Found.Seen.Record
	if _, err := campaign.Next(r, v.event().BoundTo(&r)); err != nil {
		if v == VerbAccept {
			return refusef(WrongPhase, "", "recipient %s is %s, and not in doubt", at, r.State)
		}
		return refusef(WrongPhase, "", "recipient %s is %s and can't be sent to again", at, r.State)
	}
	if v == VerbResend && p.Suppressed != nil {
		return refusef(WrongPhase, "", "the number of recipient %s is suppressed since %s (%s), and nothing is sent to it; take it off the suppression list first",
			at, p.Suppressed.At.UTC().Format("2006-01-02 15:04 UTC"), p.Suppressed.Reason())
	}
	return nil
}

// Decide does [VerbResend] or [VerbAccept] to a recipient who stands as p says,
// and makes p what stands then. What was decided before is left alone.
func (o *Operations) Decide(ctx context.Context, p *Person, v Verb, by campaign.Actor) error {
	shown := p.Found.Seen.Record
	stands, err := o.PersonAt(ctx, p.Info.ID, p.Found.Place)
	if err == nil {
		err = stands.Check(v)
	}
	if err != nil {
		return err
	}
	if stands.May(v) {
		if err := stands.Seen(shown.State, shown.Attempt); err != nil {
			return err
		}
		do := o.ledger.Resend
		if v == VerbAccept {
			do = o.ledger.AcceptAsSent
		}
		f := &stands.Found
		err := o.traced(ctx, v.traced(), fmt.Sprintf("recipient %s of %s", f.Place, ofCampaign(p.Info.ID)), by, func() error {
			seen, err := do(ctx, stands.Info, f.Place, f.Seen, by, now())
			if err == nil {
				f.Seen = seen
			}
			return about(p.Info.ID, err)
		})
		if err != nil {
			return err
		}
	}
	*p = *stands
	return nil
}

// What is decided about one recipient, or about everyone in a state.
const (
	VerbResend Verb = "resend" // another attempt is made
	VerbAccept Verb = "accept" // those in doubt are taken for sent to
)

// traced is the verb as the trace names it.
func (v Verb) traced() string {
	if v == VerbAccept {
		return "accept as sent"
	}
	return "resend"
}

// Retryable are the states whose recipients can be sent to again all at once.
func Retryable() []campaign.State {
	return []campaign.State{campaign.Failed, campaign.Refused, campaign.Unconfirmed, campaign.InDoubt}
}

// RetryState reads the name of one of [Retryable].
func RetryState(name string) (campaign.State, error) {
	state, ok := campaign.ParseState(name)
	if !ok || !slices.Contains(Retryable(), state) {
		return 0, refusef(Refused, "only", "only must be failed, refused, unconfirmed or in_doubt")
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

func (v Verb) event() campaign.Event {
	if v == VerbAccept {
		return campaign.Event{Kind: campaign.EventAcceptAsSent, At: now()}
	}
	return campaign.Event{Kind: campaign.EventResend, At: now()}
}

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
		return refusef(Stale, "expected", "%s are %s by now, not %s; nothing was done, look again", campaign.Number(s.Count), s.State, campaign.Number(count))
	}
	s.At = at
	return nil
}

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
	n := 0
	err = o.traced(ctx, s.Verb.traced(), fmt.Sprintf("%d %s of %s", s.Count, s.State, ofCampaign(s.Info.ID)), by, func() error {
		var err error
		if s.Verb == VerbAccept {
			n, err = o.ledger.AcceptAllAsSent(ctx, stands.Info, by, s.At, progress)
		} else {
			n, err = o.ledger.ResendAll(ctx, stands.Info, s.State, by, s.At, progress)
		}
		if err != nil && n > 0 {
			err = &Error{Kind: KindOf(err), Text: fmt.Sprintf("it stopped after %s; do it again for the others: %v", campaign.Count(n, "recipient"), err), Err: err}
		}
		return about(s.Info.ID, err)
	})
	return n, err
}
