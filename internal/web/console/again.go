package console

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

// those are who is in a state.
var those = map[campaign.State]string{campaign.Failed: "the failed", campaign.Unconfirmed: "the unconfirmed", campaign.InDoubt: "those in doubt"}

// longTime is how long a form may take for which a whole list is read.
const longTime = 10 * time.Minute

// selection reads how many of the path's campaign are in a state.
func (c *Console) selection(v *visit, verb operations.Verb, state campaign.State) (*operations.Selection, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	return c.ops.Select(v.Context(), id, verb, state)
}

// askAll makes a question one about everyone in a state, and keeps what the person
// was shown.
func (q *question) askAll(s *operations.Selection) error {
	if s.Count == 0 {
		return refuse(http.StatusConflict, "Nobody in this campaign is %s.", words(s.State.String()))
	}
	q.ID, q.Risk, q.Fields, q.Danger = string(s.Info.ID), s.Risk(), []field{why}, true
	q.Hidden = map[string]string{"only": s.State.String(), "expected": strconv.Itoa(s.Count), "began": strconv.FormatInt(s.At.UnixMicro(), 10)}
	return nil
}

func (c *Console) askRetry(v *visit) (string, any, error) {
	state, err := operations.RetryState(v.URL.Query().Get("only"))
	if err != nil {
		return "", nil, err
	}
	s, err := c.selection(v, operations.VerbResend, state)
	if err != nil {
		return "", nil, err
	}
	n, at := count(s.Count), string(s.Info.ID)
	q := question{
		Title: "Send again to " + those[state] + " of " + at + "?", To: "/campaigns/" + at + "/retry", Do: "Send again to " + n + " people",
		Text: []string{n + " people are " + words(state.String()) + ". They are sent the campaign's content as it stands."},
	}
	err = q.askAll(s)
	return "ask", q, err
}

func (c *Console) retry(v *visit) (string, error) {
	state, err := operations.RetryState(v.PostFormValue("only"))
	if err != nil {
		return "", err
	}
	n, err := c.decideAll(v, operations.VerbResend, state)
	if err != nil {
		return "", err
	}
	v.flash(count(n) + " people are sent to again.")
	return "/campaigns/" + v.PathValue("id"), nil
}

func (c *Console) askAcceptAll(v *visit) (string, any, error) {
	s, err := c.selection(v, operations.VerbAccept, campaign.InDoubt)
	if err != nil {
		return "", nil, err
	}
	n, at := count(s.Count), string(s.Info.ID)
	q := question{
		Title: "Take all in doubt in " + at + " as sent?", To: "/doubt/" + at + "/accept", Do: "Take " + n + " as sent",
		Text: []string{"People in doubt: " + n + ". Taken as sent they are unconfirmed; receipts that still come are recorded."},
	}
	err = q.askAll(s)
	return "ask", q, err
}

func (c *Console) acceptAll(v *visit) (string, error) {
	n, err := c.decideAll(v, operations.VerbAccept, campaign.InDoubt)
	if err != nil {
		return "", err
	}
	v.flash(count(n) + " in doubt are taken as sent.")
	return "/doubt", nil
}

// decideAll decides about everyone in a state, as the person was asked, and returns
// about how many.
func (c *Console) decideAll(v *visit, verb operations.Verb, state campaign.State) (int, error) {
	expected, err := strconv.Atoi(v.PostFormValue("expected"))
	micros, wrong := strconv.ParseInt(v.PostFormValue("began"), 10, 64)
	if err != nil || wrong != nil {
		return 0, refuse(http.StatusBadRequest, "The form is incomplete.")
	}
	s, err := c.selection(v, verb, state)
	if err == nil {
		err = s.Seen(expected, time.UnixMicro(micros))
	}
	if err != nil {
		return 0, err
	}
	ctx, done := c.long(v)
	defer done()
	n, err := c.ops.DecideAll(ctx, s, v.actor(reasonOf(v)), nil)
	if err != nil && n > 0 { // how many is more than that Redis is away
		c.o.Logger.Error("a decision about many broke off", "campaign", s.Info.ID, "state", state.String(), "error", err)
		return n, refuse(http.StatusServiceUnavailable, "%s", sentence(err.Error()))
	}
	return n, err
}

// long is the context of something that goes on when the browser has gone, so
// that it isn't left half done; it ends with the console.
func (c *Console) long(v *visit) (context.Context, func()) {
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(longTime)) // without one there is nothing to move
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), longTime)
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}
