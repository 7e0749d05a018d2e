package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

// those are who is in a state.
var those = map[campaign.State]string{campaign.Failed: "the failed", campaign.Unconfirmed: "the unconfirmed", campaign.InDoubt: "those in doubt"}

// longTime is how long a form may take for which a whole list is read.
const longTime = 10 * time.Minute

// questionLife is how old the answer to a question may be.
const questionLife = time.Hour

func retryState(name string) (campaign.State, error) {
	state, ok := campaign.ParseState(name)
	if !ok || !slices.Contains(retryable, state) {
		return 0, refuse(http.StatusBadRequest, "Who can be sent to again are the failed, the unconfirmed and those in doubt.")
	}
	return state, nil
}

func (c *Console) askRetry(v *visit) (string, any, error) {
	state, err := retryState(v.URL.Query().Get("only"))
	if err != nil {
		return "", nil, err
	}
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	if err := s.Info.Gone(); err != nil {
		return "", nil, err
	}
	n := s.Balance.Of(state)
	switch {
	case s.Info.Canceled:
		return "", nil, campaign.ErrCanceled
	case n == 0:
		return "", nil, refuse(http.StatusConflict, "Nobody in this campaign is %s.", words(state.String()))
	}
	q := c.question(s, "Send again to "+count(n)+" people", "retry")
	q.Title = "Send again to " + those[state] + " of " + string(s.Info.ID) + "?"
	q.Text = []string{count(n) + " people are " + words(state.String()) + ". They are sent the campaign's content as it stands."}
	q.Risk, q.Fields, q.Danger = translate.ResendRisk(state), []field{why}, true
	q.Hidden = map[string]string{"only": state.String(), "expected": strconv.Itoa(n), "began": strconv.FormatInt(s.At.UnixMicro(), 10)}
	return "ask", q, nil
}

func (c *Console) retry(v *visit) (string, error) {
	state, err := retryState(v.PostFormValue("only"))
	if err != nil {
		return "", err
	}
	n, id, err := c.decideAll(v, state, (*campaign.Info).Resendable, func(ctx context.Context, info *campaign.Info, a campaign.Actor, began time.Time, progress func(int)) (int, error) {
		return c.ledger.ResendAll(ctx, info, state, a, began, progress)
	})
	if err != nil {
		return "", err
	}
	v.flash(count(n) + " people are sent to again.")
	return "/campaigns/" + string(id), nil
}

// decideAll answers a question about all people in a state: the decision is made
// if as many are in it as were named, and returns about how many.
func (c *Console) decideAll(v *visit, state campaign.State, may func(*campaign.Info) error, decide decision) (int, campaign.ID, error) {
	expected, err := strconv.Atoi(v.PostFormValue("expected"))
	micros, wrong := strconv.ParseInt(v.PostFormValue("began"), 10, 64)
	if err != nil || wrong != nil {
		return 0, "", refuse(http.StatusBadRequest, "The form is incomplete.")
	}
	s, err := c.look(v)
	if err != nil {
		return 0, "", err
	}
	if err := may(s.info); err != nil {
		return 0, "", err
	}
	now, err := c.ledger.Now(v.Context())
	if err != nil {
		return 0, "", err
	}
	began := time.UnixMicro(micros)
	switch n := s.balance.Of(state); {
	case n != expected:
		return 0, "", refuse(http.StatusConflict, "You said yes to %s people, and %s are %s by now. Nothing was done: look again.", count(expected), count(n), words(state.String()))
	case began.After(now) || now.Sub(began) > questionLife:
		return 0, "", refuse(http.StatusConflict, "The question is over an hour old. Nothing was done: look again.")
	}
	ctx, done := c.long(v)
	defer done()
	n, err := decide(ctx, s.info, v.actor(reasonOf(v)), began, nil)
	if err != nil && n > 0 && !errors.Is(err, ledger.ErrRetrying) {
		c.o.Logger.Error("a decision about many broke off", "campaign", s.info.ID, "state", state.String(), "error", err)
		return n, "", refuse(http.StatusServiceUnavailable, "It broke off after %s people. Look again: the others are still there.", count(n))
	}
	return n, s.info.ID, err
}

// decision is one of the ledger's about many.
type decision func(context.Context, *campaign.Info, campaign.Actor, time.Time, func(int)) (int, error)

// long is the context of something that goes on when the browser has gone, so
// that it isn't left half done; it ends with the console.
func (c *Console) long(v *visit) (context.Context, func()) {
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(longTime)) // without one there is nothing to move
	ctx, cancel := context.WithTimeout(context.WithoutCancel(v.Context()), longTime)
	stop := context.AfterFunc(c.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}
