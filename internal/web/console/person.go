package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
)

type personPage struct {
	Row        personRow
	Means      string // what the state means
	Words      string // what our reason means
	Waits      string // whether an outcome may still come
	Attempts   []attempt
	PutOff     int
	Legs       []campaign.ChannelLeg
	Info       *campaign.Info
	Moments    []report.Moment
	Columns    []fact // of the list; nothing without the scope people
	Hidden     bool   // there are columns that aren't shown
	Suppressed string
	Resend     string // addresses; empty: it can't be done now
	Accept     string
	Hint       string // why a button is missing
}

type attempt struct {
	Number     int
	ExternalID string
	Reference  string
	At         time.Time
	State, Why string // how it stands, or stood in the end
	Lost       bool   // it isn't kept
}

var rankWords = map[campaign.Rank]string{
	campaign.RankProgress: "on its way", campaign.RankGateway: "at the gateway",
	campaign.RankProbable: "sent out; a confirmation isn't to be had", campaign.RankFailed: "it failed on this channel",
	campaign.RankDelivered: "delivered", campaign.RankRead: "read",
}

var reasonWords = map[campaign.Reason]string{
	campaign.ReasonThrottled:   "Telesign said “too fast”. It isn't counted as a fault, and is tried again.",
	campaign.ReasonUnavailable: "Telesign said that it didn't process the request.",
	campaign.ReasonNotWritten:  "The connection failed before the request was written: certainly not sent.",
	campaign.ReasonAccount:     "The fault is our account's, its key's or its configuration's: the campaign is held.",
	campaign.ReasonTimeout:     "There was no answer in time. The request was written: it may have been sent.",
	campaign.ReasonReset:       "The connection broke after the request was written: it may have been sent.",
	campaign.ReasonServerError: "The answer doesn't say whether the request was processed.",
	campaign.ReasonUnreadable:  "The answer can't be read.",
	campaign.ReasonWorkerLost:  "The worker died, or stalled, after it had claimed: it may have sent.",
	campaign.ReasonRefused:     "Telesign refused the request for this person.",
	campaign.ReasonUnsendable:  "No request can be made of this person's columns.",
	campaign.ReasonGaveUp:      "It was tried for as long as the campaign allows. Certainly not sent.",
	campaign.ReasonUndelivered: "Every channel failed.",
	campaign.ReasonNoReceipt:   "No final receipt came by the deadline.",
	campaign.ReasonExpired:     "Telesign no longer knows the reference, and can't be asked.",
	campaign.ReasonCanceled:    "The campaign was canceled first.",
	campaign.ReasonSuppressed:  "The number is on the suppression list.",
	campaign.ReasonResent:      "Another attempt was asked for.",
	campaign.ReasonLostClaim:   "Telesign answered for an attempt that the ledger doesn't know: Redis had forgotten it.",

	campaign.ReasonTakenAsSent: "It was in doubt, and a person has decided that it was sent.",
}

// broughtBy says which channels delivered, in a sentence.
func broughtBy(r *campaign.Record, legs []campaign.ChannelLeg) string {
	switch r.DeliveredBy() {
	case campaign.BySMS:
		if r.Legs[campaign.WhatsApp].Rank != campaign.RankNone {
			return "the SMS brought it, and WhatsApp didn't"
		}
		return "the SMS brought it"
	case campaign.ByBoth:
		return "the SMS brought it, and so did WhatsApp"
	}
	return deliveredBy(r, legs) + " brought it"
}

// deliveredBy names the channels that delivered; empty for none.
func deliveredBy(r *campaign.Record, legs []campaign.ChannelLeg) string {
	names := campaign.DeliveredChannels(legs)
	for i := range names {
		names[i] = channelName(names[i])
	}
	switch by := r.DeliveredBy(); {
	case by == campaign.ByBoth:
		return "both"
	case by == campaign.ByOther && len(names) == 0:
		return "a channel that Telesign didn't name"
	}
	return strings.Join(names, " and ")
}

func (c *Console) personAt(v *visit) (*operations.Person, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	at, ok := campaign.ParsePlace(v.PathValue("place"))
	if !ok {
		return nil, errNoPage
	}
	return c.ops.PersonAt(v.Context(), id, at)
}

func (c *Console) person(v *visit) (string, any, error) {
	who, err := c.personAt(v)
	if err != nil {
		return "", nil, err
	}
	info, f := who.Info, who.Found
	r := &f.Seen.Record
	legs := info.Spec.Legs(&f.Recipient, r)
	story, err := c.reports.Story(v.Context(), info, f)
	if err != nil {
		return "", nil, err
	}
	p := personPage{
		Row: v.personRow(info, f), Means: statesInWords[r.State], Words: reasonWords[r.Reason],
		Waits: waits(r), Legs: withStatus(r, legs), PutOff: r.Faults,
		Attempts: attempts(info, f, story.Earlier), Info: info, Moments: story.Moments,
	}
	if r.State == campaign.Delivered {
		p.Means = broughtBy(r, legs)
		if r.Read() {
			p.Means += ", and it was read"
		}
	}
	if p.Hidden = !v.may(access.People) && len(info.Columns) > 0; !p.Hidden {
		for i, name := range info.Columns {
			if i < len(f.Recipient.Values) {
				p.Columns = append(p.Columns, fact{name, f.Recipient.Values[i]})
			}
		}
	}
	if s := who.Suppressed; s != nil {
		p.Suppressed = "On the suppression list since " + when(s.At) + ": " + s.Reason() + ". Nothing is sent to this number."
	}
	p.deeds(v, who)
	return "person", p, nil
}

// deeds are what the visitor may do about the person.
func (p *personPage) deeds(v *visit, who *operations.Person) {
	if !who.May(operations.VerbResend) {
		return
	}
	if !v.may(access.Control) {
		p.Hint = readOnly
		return
	}
	if err := who.Check(operations.VerbResend); err != nil {
		p.Hint = sentence(err.Error())
	} else {
		p.Resend = p.Row.Address + "/resend"
	}
	if who.May(operations.VerbAccept) {
		p.Accept = p.Row.Address + "/accept"
	}
}

// waits says whether the machine still waits for something.
func waits(r *campaign.Record) string {
	switch {
	case r.State == campaign.InDoubt && r.DueAt.IsZero():
		return "Nothing is waited for any more. A receipt that still comes settles it; else it is for a person to decide."
	case r.State == campaign.InDoubt:
		return "A receipt may still come, and settles it. It is waited for until " + when(r.DueAt) + "."
	case r.State == campaign.Accepted && !r.DueAt.IsZero():
		return "The receipt is waited for; from " + when(r.DueAt) + " on Telesign is asked."
	case r.State == campaign.Retrying && !r.DueAt.IsZero():
		return "The next attempt is not before " + when(r.DueAt) + "."
	case r.State == campaign.Failed, r.State == campaign.Unconfirmed, r.State == campaign.Refused:
		return "A late receipt of a delivery would still be recorded."
	}
	return ""
}

func attempts(info *campaign.Info, f report.Found, past []campaign.Record) []attempt {
	kept := make(map[int]*campaign.Record)
	for i := range past {
		kept[past[i].Attempt] = &past[i]
	}
	r := &f.Seen.Record
	if kept[r.Attempt] == nil {
		kept[r.Attempt] = r
	}
	var all []attempt
	for n := 1; n <= r.Attempt; n++ {
		a := attempt{Number: n, ExternalID: info.ExternalID(f.Place, n), Lost: kept[n] == nil}
		if r := kept[n]; r != nil {
			a.Reference, a.At, a.State, a.Why = r.Reference, r.ClaimedAt, r.State.String(), translate.Reason(r, info.Spec.Legs(&f.Recipient, r))
		}
		all = append(all, a)
	}
	return all
}

// withStatus adds what is known of the whole transaction.
func withStatus(r *campaign.Record, legs []campaign.ChannelLeg) []campaign.ChannelLeg {
	if r.Status.Rank != campaign.RankNone {
		legs = append(legs, campaign.ChannelLeg{Channel: "the message", Leg: r.Status})
	}
	return legs
}

func channelName(channel string) string {
	switch channel {
	case "whatsapp":
		return "WhatsApp"
	case "sms":
		return "SMS"
	case "rcs", "mms":
		return strings.ToUpper(channel)
	case "viber":
		return "Viber"
	}
	return channel
}

// what says what happened to a person, or will.
func what(m report.Moment) string {
	switch m.What {
	case report.MomentClaimed:
		return "attempt " + strconv.Itoa(m.Attempt) + " began"
	case report.MomentPutOff:
		return "put off for the first time"
	case report.MomentHeard:
		return channelName(m.Leg.Channel) + " " + heard[m.Leg.Rank]
	case report.MomentSettled:
		return words(m.State.String())
	case report.MomentDue:
		return due(m.State)
	}
	return m.What
}

// note says why something happened, or what Telesign said.
func note(m report.Moment) string {
	if m.What != report.MomentHeard {
		return m.Why
	}
	if m.Leg.Code == 0 {
		return translate.Words(m.Leg.Leg)
	}
	return translate.Words(m.Leg.Leg) + " (" + strconv.Itoa(m.Leg.Code) + ")"
}

var heard = map[campaign.Rank]string{
	campaign.RankProgress: "is on its way", campaign.RankGateway: "is at the gateway", campaign.RankProbable: "was sent out",
	campaign.RankFailed: "failed", campaign.RankDelivered: "delivered", campaign.RankRead: "was read",
}

// due is what happens, or is waited for, at the time that a state has set.
func due(s campaign.State) string {
	switch s {
	case campaign.Retrying:
		return "the next attempt, not before"
	case campaign.InDoubt:
		return "a receipt is waited for until then"
	case campaign.Claimed:
		return "the claim's answer is due"
	}
	return "the outcome is asked for"
}

func stateAndWhy(p *operations.Person) string {
	r := &p.Found.Seen.Record
	return strings.TrimSuffix(words(r.State.String())+": "+translate.Reason(r, p.Info.Spec.Legs(&p.Found.Recipient, r)), ": ")
}

// askDecision asks before a verb is done to a person, and keeps what the visitor
// was shown.
func (c *Console) askDecision(verb operations.Verb) func(*visit) (string, any, error) {
	return func(v *visit) (string, any, error) {
		who, err := c.personAt(v)
		if err == nil {
			err = who.Check(verb)
		}
		if err != nil {
			return "", nil, err
		}
		r, at, to := &who.Found.Seen.Record, who.Found.Place, who.Found.Recipient
		q := question{
			ID: string(who.Info.ID), To: personAddress(who.Info.ID, at) + "/" + string(verb), Risk: verb.RiskOf(r.State), Fields: []field{why},
			Text:   []string{v.name(to.ID, to.Phone) + ", " + v.phone(to.Phone) + ", is " + stateAndWhy(who) + "."},
			Hidden: map[string]string{"state": r.State.String(), "attempt": strconv.Itoa(r.Attempt)},
		}
		if verb == operations.VerbAccept {
			q.Title, q.Do = "Take "+at.String()+" as sent?", "Take as sent"
			q.Text = append(q.Text, waits(r), "Taken as sent they are unconfirmed; a receipt that still comes is recorded.")
		} else {
			q.Title, q.Do, q.Danger = "Send again to "+at.String()+"?", "Send again", q.Risk != ""
			q.Text = append(q.Text, "The campaign's content is sent as it stands.")
		}
		return "ask", q, nil
	}
}

// decide does a verb to a person, as the visitor was asked; done says so.
func (c *Console) decide(verb operations.Verb, done string) func(*visit) (string, error) {
	return func(v *visit) (string, error) {
		who, err := c.personAt(v)
		if err != nil {
			return "", err
		}
		state, _ := campaign.ParseState(v.PostFormValue("state"))
		attempt, _ := strconv.Atoi(v.PostFormValue("attempt")) // 0 of none: nothing can be decided about such a person
		if err = who.Seen(state, attempt); err == nil {
			err = c.ops.Decide(v.Context(), who, verb, v.author())
		}
		if err != nil {
			return "", err
		}
		v.flash(fmt.Sprintf(done, who.Found.Place))
		return personAddress(who.Info.ID, who.Found.Place), nil
	}
}
