package console

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
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
func leftToSend(b *campaign.Balance) string {
	n := b.Of(campaign.Planned) + b.Of(campaign.Retrying)
	if n == 1 {
		return "1 person is still to be sent to"
	}
	return count(n) + " people are still to be sent to"
}

func (c *Console) steer(do func(context.Context, campaign.ID, campaign.Actor, time.Time) error, done string) func(*visit) (string, error) {
	return func(v *visit) (string, error) {
		id, err := v.id()
		if err != nil {
			return "", err
		}
		if err := c.fresh(v, id); err != nil {
			return "", err
		}
		if err := do(v.Context(), id, v.actor(reasonOf(v)), time.Now()); err != nil {
			return "", err
		}
		words := done
		if b, err := c.ledger.Balance(v.Context(), id); err == nil && !strings.HasSuffix(v.URL.Path, "/cancel") { // it is done: only the words could be missing
			words = strings.TrimSuffix(done, ".") + ": " + leftToSend(b) + "."
		}
		v.flash(words)
		return "/campaigns/" + string(id), nil
	}
}

// fresh refuses a form that was made for another state than the campaign is in
// by now.
func (c *Console) fresh(v *visit, id campaign.ID) error {
	info, err := c.ledger.Info(v.Context(), id)
	if err != nil {
		return err
	}
	if info.Phase == campaign.Draft {
		return ledger.ErrNotFound
	}
	reason, asked := v.PostForm["reason"]
	if info.Phase == campaign.Held && strings.HasSuffix(v.URL.Path, "/resume") && !asked {
		return refuse(http.StatusConflict, "The campaign is held: %s. Nothing was done: look at it, and resume it from there.", info.Reason)
	}
	if asked && (info.Phase != campaign.Held || len(reason) != 1 || reason[0] != info.Reason) {
		return refuse(http.StatusConflict, "The campaign isn't held for that reason any more: it is %s. Nothing was done.", strings.TrimSuffix(string(info.Phase)+": "+info.Reason, ": "))
	}
	return nil
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
	s, err := c.look(v)
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Resume", "resume")
	toSend := leftToSend(s.balance)
	q.Text = []string{"The campaign is " + string(s.info.Phase) + ".", "It goes on at once: " + toSend + "."}
	if s.info.Phase == campaign.Paused && !s.info.StartAt.IsZero() {
		q.Text[0] = reasonNow(s.info)
	}
	q.Fields = []field{why}
	if s.info.Phase == campaign.Held {
		q.Text = []string{"handout has held the campaign: " + s.info.Reason + ".", "Resume it when the cause is gone; it goes on where it stopped: " + toSend + "."}
		q.Hidden = map[string]string{"reason": s.info.Reason}
		if ledger.IsRestored(s.info.Reason) {
			q.Risk = "Redis forgot what was done meanwhile: whoever was sent to then may be sent to again."
			q.Danger = true
		}
	}
	return "ask", q, nil
}

func (c *Console) question(s standing, do, verb string) question {
	return question{ID: string(s.info.ID), Title: do + " " + string(s.info.ID) + "?", To: "/campaigns/" + string(s.info.ID) + "/" + verb, Do: do}
}

func (c *Console) askCancel(v *visit) (string, any, error) {
	s, err := c.look(v)
	if err != nil {
		return "", nil, err
	}
	left := s.balance.Of(campaign.Planned) + s.balance.Of(campaign.Retrying)
	q := c.question(s, "Cancel", "cancel")
	q.Text = []string{
		"It ends for good. Those who haven't been sent to never are: " + count(left) + " of " + count(s.balance.Total()) + " people at this moment.",
		"What is under way is still settled.",
	}
	q.Fields, q.Do, q.Danger = []field{why}, "Cancel the campaign", true
	return "ask", q, nil
}

func (c *Console) askReschedule(v *visit) (string, any, error) {
	s, err := c.look(v)
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Go on later", "reschedule")
	q.Title, q.Do = "Let "+string(s.info.ID)+" go on later", "Go on then"
	q.Text = []string{"It is paused, and goes on by itself at this time."}
	if s.info.Phase == campaign.Running {
		q.Title, q.Do = "Pause "+string(s.info.ID)+" until a time", "Pause until then"
		q.Text = []string{"It is paused at once, and goes on by itself at this time."}
	}
	at := ""
	if !s.info.StartAt.IsZero() {
		at = s.info.StartAt.UTC().Format(fieldTime)
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
	id, err := v.id()
	if err != nil {
		return "", err
	}
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
	now := time.Now()
	if !at.After(now) {
		return "", refuse(http.StatusUnprocessableEntity, "%s is past.", when(at))
	}
	if err := c.ledger.Reschedule(v.Context(), id, at, v.actor(reasonOf(v)), now); err != nil {
		return "", err
	}
	v.flash("It goes on at " + when(at) + ".")
	return "/campaigns/" + string(id), nil
}

// mostRate is the highest rate that may be set, in messages per second.
const mostRate = 100_000

func (c *Console) askRate(v *visit) (string, any, error) {
	s, err := c.look(v)
	if err != nil {
		return "", nil, err
	}
	rates, err := c.ledger.Rates(v.Context())
	if err != nil {
		return "", nil, err
	}
	q := c.question(s, "Set the rate", "rate")
	q.Title = "The rate of " + string(s.info.ID)
	q.Text = []string{
		"In messages per second, for all workers within a second. It stays under the account's, " + perSecond(rates.Account(c.o.AccountRate)) + ".",
		"In its file: " + perSecond(s.info.Spec.Rate) + ".",
	}
	if set := rates.SetFor(s.info.ID); set != nil {
		text := "Now: " + perSecond(set.Rate) + ", set by " + set.By + " at " + when(set.At)
		if set.Why != "" {
			text += ": " + set.Why
		}
		q.Text, q.Reset = append(q.Text, text+"."), "Back to the file's"
	}
	value := ""
	if own := rates.Campaign(s.info); own > 0 {
		value = strconv.FormatFloat(own, 'f', -1, 64)
	}
	q.Fields = []field{{Name: "rate", Label: "Messages per second", Type: "number", Value: value}, why}
	return "ask", q, nil
}

func perSecond(rate float64) string {
	if rate == 0 {
		return "no rate of its own"
	}
	return strconv.FormatFloat(math.Round(rate*1000)/1000, 'f', -1, 64)
}

func (c *Console) setRate(v *visit) (string, error) {
	id, err := v.id()
	if err != nil {
		return "", err
	}
	rate := 0.0
	if v.PostFormValue("reset") == "" {
		if rate, err = strconv.ParseFloat(v.PostFormValue("rate"), 64); err != nil || !(rate > 0 && rate <= mostRate) {
			return "", refuse(http.StatusUnprocessableEntity, "The rate is a number over 0 and at most %d, in messages per second.", mostRate)
		}
	}
	if err := c.ledger.SetRate(v.Context(), id, rate, v.actor(reasonOf(v)), time.Now()); err != nil {
		return "", err
	}
	v.flash("The rate is set.")
	return "/campaigns/" + string(id), nil
}
