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
	Legs       []report.Leg
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
		Row: v.personRow(info, f), Means: report.Means(r, legs), Words: report.ReasonMeans(r.Reason),
		Waits: report.Waits(r), Legs: report.Legs(r, legs), PutOff: r.Faults,
		Attempts: attempts(info, f, story.Earlier), Info: info, Moments: story.Moments,
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
			q.Text = append(q.Text, report.Waits(r), "Taken as sent they are unconfirmed; a receipt that still comes is recorded.")
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
