package console

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

// actionsPart are the buttons of a campaign.
type actionsPart struct {
	List []action
	Why  string // why there are none
}

// action is a button: a form that does it at once, or a link to a page that asks
// first.
type action struct {
	ID, Text, Address string
	Post, Danger      bool
}

// actionsOf are what the visitor may do with a campaign now.
func actionsOf(v *visit, s *operations.Standing) actionsPart {
	if !v.may(access.Control) {
		return actionsPart{Why: readOnly}
	}
	at, phase := "/campaigns/"+string(s.Info.ID)+"/", s.Info.Phase
	var p actionsPart
	add := func(id, text string) *action {
		p.List = append(p.List, action{ID: id, Text: text, Address: at + id})
		return &p.List[len(p.List)-1]
	}
	if s.May(operations.VerbPause) {
		add("pause", "Pause").Post = true
	}
	if s.May(operations.VerbResume) { // asked first: what is sent isn't taken back
		add("resume", "Resume…")
	}
	if s.May(operations.VerbCancel) {
		add("reschedule", "Reschedule…")
		add("rate", "Rate…")
		add("cancel", "Cancel…").Danger = true
	}
	if !s.Info.Canceled && s.Info.Gone() == nil && phase != campaign.Draft {
		for _, state := range operations.Retryable() {
			if n := s.Balance.Of(state); n > 0 {
				name := state.String()
				add("retry-"+name, "Send again to "+campaign.Number(n)+" "+words(name)+"…").Address = at + "retry?only=" + name
			}
		}
	}
	if phase == campaign.Done && s.Info.EmptiedAt.IsZero() {
		add("purge", "Purge…").Danger = true
	}
	return p
}

const readOnly = "This key is read-only: it lacks the control scope."

// question is a page that asks before something is done.
type question struct {
	ID     string // of the campaign
	Title  string
	Text   []string
	Risk   string
	Fields []field
	Hidden map[string]string
	To     string // where the form goes; a GET if Next
	Next   bool
	Do     string // the button
	Danger bool
	Reset  string // a second button, which sends reset=1
}

// field is one that a person fills in.
type field struct {
	Name, Label, Help, Type, Value string
	Required                       bool
}

var why = field{Name: "why", Label: "Why", Help: "For the campaign's history; may stay empty.", Type: "text"}

// leftToSend says how many are still to be sent to.
func leftToSend(n int) string {
	if n == 1 {
		return "1 person is still to be sent to"
	}
	return campaign.Count(n, "person") + " are still to be sent to"
}

// standing reads how the campaign of the path stands.
func (c *Console) standing(v *visit) (*operations.Standing, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	return c.ops.Standing(v.Context(), id)
}

// asked reads how a campaign stands whose question was answered with yes; it must
// stand as the person was shown it.
func (c *Console) asked(v *visit) (*operations.Standing, error) {
	s, err := c.standing(v)
	if err != nil {
		return nil, err
	}
	return s, s.Seen(campaign.Phase(v.PostFormValue("phase")), v.PostFormValue("reason"))
}

// questionOf asks before a verb is done to a campaign, and keeps what the person was
// shown.
func questionOf(s *operations.Standing, do string, verb operations.Verb) question {
	id := string(s.Info.ID)
	return question{
		ID: id, Title: do + " " + id + "?", To: "/campaigns/" + id + "/" + string(verb), Do: do, Fields: []field{why},
		Risk: s.Risk(verb), Hidden: map[string]string{"phase": string(s.Info.Phase), "reason": s.Info.Reason},
	}
}

// steer does a verb to a whole campaign. In done, {left} stands for how many are still
// to be sent to.
func steer(do func(context.Context, *operations.Standing, campaign.Actor) error, done string) func(*visit, *operations.Standing) (string, error) {
	return func(v *visit, s *operations.Standing) (string, error) {
		return strings.Replace(done, "{left}", leftToSend(s.Left()), 1), do(v.Context(), s, v.author())
	}
}

func (c *Console) askResume(_ *visit, s *operations.Standing) (question, error) {
	q := questionOf(s, "Resume", operations.VerbResume)
	q.Text, q.Danger = s.About(operations.VerbResume), q.Risk != ""
	return q, nil
}

func (c *Console) askCancel(_ *visit, s *operations.Standing) (question, error) {
	q := questionOf(s, "Cancel", operations.VerbCancel)
	q.Text, q.Do, q.Danger = s.About(operations.VerbCancel), "Cancel the campaign", true
	return q, nil
}

func (c *Console) askReschedule(_ *visit, s *operations.Standing) (question, error) {
	q := questionOf(s, "Reschedule", operations.VerbReschedule)
	q.Text = []string{"It is paused, and goes on by itself at this time."}
	switch s.Info.Phase {
	case campaign.Running:
		q.Text = []string{"It is paused at once, and goes on by itself at this time."}
	case campaign.Held:
		q.Text = []string{"handout has held the campaign: " + s.Info.Reason + ".", "It is paused in place of that, and goes on by itself at this time."}
	}
	at := ""
	if !s.Info.StartAt.IsZero() {
		at = s.Info.StartAt.UTC().Format(fieldTime)
	}
	q.Fields = []field{
		{Name: "at", Label: "Date and time", Type: "datetime-local", Value: at, Required: true},
		{Name: "zone", Label: "Time zone", Help: "As in Europe/Berlin.", Type: "text", Value: "UTC", Required: true}, why,
	}
	return q, nil
}

// fieldTime is how a browser writes a time.
const fieldTime = "2006-01-02T15:04"

func (c *Console) reschedule(v *visit, s *operations.Standing) (string, error) {
	zone := strings.TrimSpace(v.PostFormValue("zone"))
	place, err := time.UTC, error(nil)
	if zone != "UTC" {
		if place, err = campaign.LoadZone(zone); err != nil {
			return "", wrong("zone", "The time zone is the name of one, as in Europe/Berlin.")
		}
	}
	at, err := time.ParseInLocation(fieldTime, v.PostFormValue("at"), place)
	if err != nil {
		return "", wrong("at", "The date and time can't be read.")
	}
	return "It goes on at " + when(at) + ".", c.ops.Reschedule(v.Context(), s, at, true, v.author())
}

// those are who is in a state.
var those = map[campaign.State]string{campaign.Failed: "the failed", campaign.Refused: "the refused", campaign.Unconfirmed: "the unconfirmed", campaign.InDoubt: "those in doubt"}

// longTime is how long a form may take for which a whole list is read.
const longTime = 10 * time.Minute

// selection reads how many of the path's campaign the verb is about: those in doubt,
// or for a resend those in the state of this name.
func (c *Console) selection(v *visit, verb operations.Verb, only string) (*operations.Selection, error) {
	id, err := v.id()
	state := campaign.InDoubt
	if err == nil && verb == operations.VerbResend {
		state, err = operations.RetryState(only)
	}
	if err != nil {
		return nil, err
	}
	return c.ops.Select(v.Context(), id, verb, state)
}

// askAll asks before a verb is done to everyone in a state, and keeps what the
// person was shown.
func (c *Console) askAll(verb operations.Verb) func(*visit) (string, any, error) {
	return func(v *visit) (string, any, error) {
		s, err := c.selection(v, verb, v.URL.Query().Get("only"))
		if err != nil {
			return "", nil, err
		}
		if s.Count == 0 {
			return "", nil, refuse(http.StatusConflict, "Nobody in this campaign is %s.", words(s.State.String()))
		}
		n, id := campaign.Number(s.Count), string(s.Info.ID)
		q := question{
			ID: id, Title: "Send again to " + those[s.State] + " of " + id + "?", To: v.URL.Path, Do: "Send again to " + campaign.Count(s.Count, "person"),
			Text: []string{sentence(words(s.State.String())+": "+campaign.Count(s.Count, "person")) + " They are sent the campaign's content as it stands."},
			Risk: verb.RiskOf(s.State), Fields: []field{why}, Danger: true,
			Hidden: map[string]string{"only": s.State.String(), "expected": strconv.Itoa(s.Count), "began": strconv.FormatInt(s.At.UnixMicro(), 10)},
		}
		if verb == operations.VerbAccept {
			q.Title, q.Do = "Take all in doubt in "+id+" as sent?", "Take "+n+" as sent"
			q.Text = []string{"People in doubt: " + n + ". Taken as sent they are unconfirmed; receipts that still come are recorded."}
		}
		return "ask", q, nil
	}
}

// decideAll does a verb to everyone in a state, as the person was asked; done says
// about how many.
func (c *Console) decideAll(verb operations.Verb, done string) func(*visit) (string, error) {
	return func(v *visit) (string, error) {
		expected, err := strconv.Atoi(v.PostFormValue("expected"))
		micros, wrong := strconv.ParseInt(v.PostFormValue("began"), 10, 64)
		if err != nil || wrong != nil {
			return "", refuse(http.StatusBadRequest, "The form is incomplete.")
		}
		s, err := c.selection(v, verb, v.PostFormValue("only"))
		if err == nil {
			err = s.Seen(expected, time.UnixMicro(micros))
		}
		if err != nil {
			return "", err
		}
		ctx, end := c.long(v)
		defer end()
		n, err := c.ops.DecideAll(ctx, s, v.author(), nil)
		if err != nil && n > 0 { // how many is more than that Redis is away
			c.o.Logger.Error("a decision about many broke off", "campaign", s.Info.ID, "state", s.State.String(), "error", err)
			return "", refuse(http.StatusServiceUnavailable, "%s", sentence(err.Error()))
		}
		if err != nil {
			return "", err
		}
		v.flash(fmt.Sprintf(done, campaign.Count(n, "person")))
		if verb == operations.VerbAccept {
			return "/doubt", nil
		}
		return "/campaigns/" + string(s.Info.ID), nil
	}
}

// long is the context of something that goes on when the browser has gone, so
// that it isn't left half done; it ends with the console.
func (c *Console) long(v *visit) (context.Context, func()) {
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(longTime)) // without one there is nothing to move
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), longTime)
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

func (c *Console) askPurge(v *visit, s *operations.Standing) (question, error) {
	if err := s.Purgeable(); err != nil {
		return question{}, err
	}
	q := questionOf(s, "Purge", operations.VerbPurge)
	q.Text = []string{"This deletes for good who is in the campaign, " + campaign.Count(s.Balance.Total(), "person") + ": phone numbers, names, columns, and what became of each. The counts and the history stay, and the ID stays taken."}
	q.Danger = true
	if v.Method == http.MethodGet && v.URL.Query().Get("sure") == "" {
		q.Text = append(q.Text, "It can't be undone. Export the campaign first if its people may ask later.")
		q.Next, q.Hidden, q.Do, q.Fields = true, map[string]string{"sure": "1"}, "Go on to the last question", nil
		return q, nil
	}
	q.Title = "Purge " + string(s.Info.ID) + " for good?"
	q.Hidden = map[string]string{"in_doubt": strconv.Itoa(s.Balance.Of(campaign.InDoubt))}
	q.Fields = []field{{Name: "name", Label: "The campaign's ID, to be sure", Help: "Type " + string(s.Info.ID) + ".", Type: "text", Required: true}, why}
	q.Do = "Purge it"
	return q, nil
}

func (c *Console) purge(v *visit, s *operations.Standing) (string, error) {
	err := s.Confirm(v.PostFormValue("name"))
	if err == nil {
		err = s.SeenInDoubt(v.PostFormValue("in_doubt"))
	}
	if err != nil {
		return "", err
	}
	ctx, done := c.long(v)
	defer done()
	return "The campaign is purged: the data of its people is gone.", c.ops.Purge(ctx, s, v.author(), nil)
}

func (c *Console) askRate(v *visit, s *operations.Standing) (question, error) {
	r, err := c.reports.Rate(v.Context(), s.Info.ID)
	if err != nil {
		return question{}, err
	}
	q := questionOf(s, "Set the rate", "rate")
	q.Title = "The rate of " + string(s.Info.ID)
	q.Text = []string{
		"In messages per second, for all workers within a second. It stays under the account's, " + perSecond(r.Account) + ".",
		"In its file: " + perSecond(r.Own) + ".",
	}
	own := r.Own
	if set := r.Set; set != nil {
		text := "Now: " + perSecond(set.Rate) + ", set by " + set.By + " at " + when(set.At)
		if set.Why != "" {
			text += ": " + set.Why
		}
		q.Text, q.Reset, own = append(q.Text, text+"."), "Back to the file's", set.Rate
	}
	value := ""
	if own > 0 {
		value = strconv.FormatFloat(own, 'f', -1, 64)
	}
	q.Fields = []field{{Name: "rate", Label: "Messages per second", Type: "number", Value: value}, why}
	return q, nil
}

func perSecond(rate float64) string {
	if rate == 0 {
		return "no rate of its own"
	}
	return strconv.FormatFloat(math.Round(rate*1000)/1000, 'f', -1, 64)
}

func (c *Console) setRate(v *visit, s *operations.Standing) (string, error) {
	const done = "The rate is set."
	if v.PostFormValue("reset") != "" {
		return done, c.ops.ResetRate(v.Context(), s, v.author())
	}
	rate, err := operations.ParseRate(v.PostFormValue("rate"))
	if err != nil {
		return "", err
	}
	return done, c.ops.SetRate(v.Context(), s, rate, v.author())
}
