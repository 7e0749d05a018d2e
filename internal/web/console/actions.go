package console

import (
	"context"
	"net/http"
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
		later := "Go on later…"
		if phase == campaign.Running {
			later = "Pause until…"
		}
		add("reschedule", later)
		add("rate", "Rate…")
		add("cancel", "Cancel…").Danger = true
	}
	if !s.Info.Canceled && s.Info.Gone() == nil && phase != campaign.Draft {
		for _, state := range operations.Retryable() {
			if n := s.Balance.Of(state); n > 0 {
				name := state.String()
				add("retry-"+name, "Send again to "+count(n)+" "+words(name)+"…").Address = at + "retry?only=" + name
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
	return count(n) + " people are still to be sent to"
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
	toSend := leftToSend(s.Left())
	q.Text = []string{"The campaign is " + string(s.Info.Phase) + ".", "It goes on at once: " + toSend + "."}
	if s.Info.Phase == campaign.Paused && !s.Info.StartAt.IsZero() {
		q.Text[0] = reasonNow(s.Info)
	}
	if s.Info.Phase == campaign.Held {
		q.Text = []string{"handout has held the campaign: " + s.Info.Reason + ".", "Resume it when the cause is gone; it goes on where it stopped: " + toSend + "."}
		if !s.Info.StartAt.IsZero() {
			q.Text[1] = "Resume it when the cause is gone; it goes on at " + when(s.Info.StartAt) + ": " + toSend + "."
		}
	}
	q.Danger = q.Risk != ""
	return q, nil
}

func (c *Console) askCancel(_ *visit, s *operations.Standing) (question, error) {
	q := questionOf(s, "Cancel", operations.VerbCancel)
	q.Text = []string{
		"It ends for good. Those who haven't been sent to never are: " + count(s.Left()) + " of " + count(s.Balance.Total()) + " people at this moment.",
		"What is under way is still settled.",
	}
	q.Do, q.Danger = "Cancel the campaign", true
	return q, nil
}

func (c *Console) askReschedule(_ *visit, s *operations.Standing) (question, error) {
	q := questionOf(s, "Go on then", operations.VerbReschedule)
	q.Title = "Let " + string(s.Info.ID) + " go on later"
	q.Text = []string{"It is paused, and goes on by itself at this time."}
	switch s.Info.Phase {
	case campaign.Running:
		q.Title, q.Do = "Pause "+string(s.Info.ID)+" until a time", "Pause until then"
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
			return "", refuse(http.StatusUnprocessableEntity, "The time zone is the name of one, as in Europe/Berlin.")
		}
	}
	at, err := time.ParseInLocation(fieldTime, v.PostFormValue("at"), place)
	if err != nil {
		return "", refuse(http.StatusUnprocessableEntity, "The date and time can't be read.")
	}
	return "It goes on at " + when(at) + ".", c.ops.Reschedule(v.Context(), s, at, true, v.author())
}
