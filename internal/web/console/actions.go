package console

import (
	"context"
	"fmt"
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

// retryable are the states that can be asked for again, all at once.
var retryable = []campaign.State{campaign.Failed, campaign.Unconfirmed, campaign.InDoubt}

// actionsOf are what the visitor may do with a campaign now.
func actionsOf(v *visit, s standing) actionsPart {
	if !v.may(access.Control) {
		return actionsPart{Why: "This key has not the scope control: it may look, and change nothing."}
	}
	at := "/campaigns/" + string(s.info.ID)
	var p actionsPart
	phase := s.info.Phase
	steerable := phase == campaign.Running || phase == campaign.Paused || phase == campaign.Held
	switch phase {
	case campaign.Running:
		p.List = append(p.List, action{ID: "pause", Text: "Pause", Address: at + "/pause", Post: true})
	case campaign.Paused, campaign.Held: // asked first: what is sent isn't taken back
		p.List = append(p.List, action{ID: "resume", Text: "Resume…", Address: at + "/resume"})
	}
	if steerable {
		later := "Go on later…"
		if phase == campaign.Running {
			later = "Pause until…"
		}
		p.List = append(p.List,
			action{ID: "reschedule", Text: later, Address: at + "/reschedule"},
			action{ID: "rate", Text: "Rate…", Address: at + "/rate"},
			action{ID: "cancel", Text: "Cancel…", Address: at + "/cancel", Danger: true})
	}
	if !s.info.Canceled && s.info.Gone() == nil && phase != campaign.Draft {
		for _, state := range retryable {
			if n := s.balance.Of(state); n > 0 {
				p.List = append(p.List, action{ID: "retry-" + state.String(), Text: "Send again to " + count(n) + " " + words(state.String()) + "…", Address: at + "/retry?only=" + state.String()})
			}
		}
	}
	if phase == campaign.Done && s.info.EmptiedAt.IsZero() {
		p.List = append(p.List, action{ID: "purge", Text: "Purge…", Address: at + "/purge", Danger: true})
	}
	return p
}

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

// question asks before a verb is done to a campaign, and keeps what the person was
// shown.
func (c *Console) question(s *operations.Standing, do string, verb operations.Verb) question {
	return question{
		ID: string(s.Info.ID), Title: do + " " + string(s.Info.ID) + "?", To: "/campaigns/" + string(s.Info.ID) + "/" + string(verb), Do: do,
		Risk: s.Risk(verb), Hidden: map[string]string{"phase": string(s.Info.Phase), "reason": s.Info.Reason},
	}
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

// steer does a verb to a whole campaign.
func (c *Console) steer(look func(*visit) (*operations.Standing, error), do func(context.Context, *operations.Standing, campaign.Actor) error, done string) func(*visit) (string, error) {
	return func(v *visit) (string, error) {
		s, err := look(v)
		if err != nil {
			return "", err
		}
		if err := do(v.Context(), s, v.actor(reasonOf(v))); err != nil {
			return "", err
		}
		v.flash(fmt.Sprintf(done, leftToSend(s.Left())))
		return "/campaigns/" + string(s.Info.ID), nil
	}
}

// reasonOf is what a person has written, shortened to what a history keeps.
func reasonOf(v *visit) string {
	text := strings.Join(strings.Fields(v.PostFormValue("why")), " ")
	if runes := []rune(text); len(runes) > 500 {
		text = string(runes[:500])
	}
	return text
}

func (c *Console) askResume(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Resume", operations.VerbResume)
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
	q.Fields, q.Danger = []field{why}, q.Risk != ""
	return "ask", q, nil
}

func (c *Console) askCancel(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Cancel", operations.VerbCancel)
	q.Text = []string{
		"It ends for good. Those who haven't been sent to never are: " + count(s.Left()) + " of " + count(s.Balance.Total()) + " people at this moment.",
		"What is under way is still settled.",
	}
	q.Fields, q.Do, q.Danger = []field{why}, "Cancel the campaign", true
	return "ask", q, nil
}

func (c *Console) askReschedule(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Go on then", operations.VerbReschedule)
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
	return "ask", q, nil
}

// fieldTime is how a browser writes a time.
const fieldTime = "2006-01-02T15:04"

func (c *Console) reschedule(v *visit) (string, error) {
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
	s, err := c.asked(v)
	if err != nil {
		return "", err
	}
	if err := c.ops.Reschedule(v.Context(), s, at, true, v.actor(reasonOf(v))); err != nil {
		return "", err
	}
	v.flash("It goes on at " + when(at) + ".")
	return "/campaigns/" + string(s.Info.ID), nil
}
