package api

import (
	"cmp"
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerSteering() {
	for _, verb := range []struct {
		name, summary, about string
		do                   func(context.Context, *operations.Standing, campaign.Actor) error
	}{
		{"pause", "Pause a campaign", "Nothing more is sent from now on. Pausing a paused one changes nothing.", a.ops.Pause},
		{"resume", "Let a paused or held campaign go on", "Resuming a running one changes nothing.", a.ops.Resume},
		{"cancel", "End a campaign for good", "Those who haven't been sent to never are. What is under way is still settled.", a.ops.Cancel},
	} {
		add(a, a.operation(verb.name+"-campaign", "POST /campaigns/{id}/"+verb.name, access.Control,
			verb.summary, verb.about, malformed, notFound, wrongState, tooLarge, mediaType, invalid),
			func(ctx context.Context, in *about[*Reason]) (*Campaign, error) {
				return a.steer(ctx, in.id(), func(s *operations.Standing) error { return verb.do(ctx, s, actor(ctx, in.Body.text())) })
			})
	}
	add(a, a.operation("start-campaign", "POST /campaigns/{id}/start", access.Control,
		"Start a campaign that began paused, now or later",
		"With `at` it is paused until then, and goes on by itself. Without, it runs at once; starting a running one changes nothing.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid), a.start)
	add(a, a.operation("reschedule-campaign", "POST /campaigns/{id}/reschedule", access.Control,
		"Reschedule a campaign", "It is paused until the time, and goes on by itself then. The same time again changes nothing. A held campaign stays held; resumed by then, it waits for the time.",
		malformed, notFound, wrongState, stale, tooLarge, mediaType, invalid), a.reschedule)
	add(a, a.operation("purge-campaign", "POST /campaigns/{id}/purge", access.Control,
		"Delete who is in a campaign that is done",
		"Phone numbers, names, columns, and what became of each; it can't be undone. The campaign's content, counts and history "+
			"stay, and its id stays taken. Workers do the same by themselves when its retention has passed. An interrupted "+
			"purge is finished by the same request, or by a worker.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid), a.purge)

	const expected = " `expected` is how many there are by your knowledge: if there are others by now, nothing is done. An " +
		"interrupted one is made again with the number that is left."
	becomes := "They become unconfirmed, and nothing is sent to them again unless a person asks for it; a receipt that still " +
		"comes is recorded. " + operations.VerbAccept.RiskOf(campaign.InDoubt)
	add(a, a.operation("retry-campaign", "POST /campaigns/{id}/retry", access.Control,
		"Send again to all who are in one state",
		"With the campaign's content as it stands. Who is in doubt or unconfirmed may get the file twice."+expected,
		malformed, notFound, wrongState, stale, busy, tooLarge, mediaType, invalid), a.retry)
	add(a, a.operation("accept-as-sent", "POST /campaigns/{id}/recipients/{recipient}/accept-as-sent", access.Control,
		"Take one recipient in doubt for sent to", becomes+" Who was taken so before is left alone.",
		malformed, notFound, wrongState, stale, ambiguous, tooLarge, mediaType, invalid), a.decide(operations.VerbAccept))
	add(a, a.operation("accept-all-as-sent", "POST /campaigns/{id}/accept-as-sent", access.Control,
		"Take everyone in doubt in a campaign for sent to",
		becomes+" `GET /campaigns/{id}/recipients?state=in_doubt` names them."+expected,
		malformed, notFound, wrongState, stale, busy, tooLarge, mediaType, invalid), a.acceptAll)
}

// about is a request about a campaign with a body; a pointer's may be missing.
type about[B any] struct {
	CampaignPath
	Body B
}

// Reason is why something is done.
type Reason struct {
	Why string `json:"why,omitempty" maxLength:"500" example:"wrong file" doc:"for the campaign's history"`
}

func (r *Reason) text() string {
	if r == nil {
		return ""
	}
	return r.Why
}

// steer does something to a campaign and answers how it stands then.
func (a *API) steer(ctx context.Context, id campaign.ID, do func(*operations.Standing) error) (*Campaign, error) {
	s, err := a.standing(ctx, id)
	if err == nil {
		err = do(s)
	}
	if err != nil {
		return nil, err
	}
	return a.campaign(ctx, id)
}

// Start is when a campaign begins.
type Start struct {
	At *time.Time `json:"at,omitempty" example:"2026-11-23T09:00:00+01:00" doc:"not before this time; left out: at once"`
	Reason
}

func (a *API) start(ctx context.Context, in *about[*Start]) (*Campaign, error) {
	return a.steer(ctx, in.id(), func(s *operations.Standing) error {
		switch body := in.Body; {
		case body == nil:
			return a.ops.Resume(ctx, s, actor(ctx, ""))
		case body.At == nil:
			return a.ops.Resume(ctx, s, actor(ctx, body.Why))
		default:
			return a.ops.Reschedule(ctx, s, *body.At, false, actor(ctx, body.Why))
		}
	})
}

// Reschedule is when a campaign goes on.
type Reschedule struct {
	At time.Time `json:"at" example:"2026-11-23T09:00:00+01:00"`
	Reason
}

func (a *API) reschedule(ctx context.Context, in *about[Reschedule]) (*Campaign, error) {
	return a.steer(ctx, in.id(), func(s *operations.Standing) error {
		return a.ops.Reschedule(ctx, s, in.Body.At, false, actor(ctx, in.Body.Why))
	})
}

// Purge confirms which campaign it is about.
type Purge struct {
	ID string `json:"id" maxLength:"48" example:"order-history-2026-11" doc:"the campaign's id once more"`
	Reason
}

func (a *API) purge(ctx context.Context, in *about[Purge]) (*Campaign, error) {
	return a.steer(ctx, in.id(), func(s *operations.Standing) error {
		if err := s.Confirm(in.Body.ID); err != nil {
			return err
		}
		extend(ctx, longTime)
		return a.ops.Purge(ctx, s, actor(ctx, in.Body.Why), func(int, int) { extend(ctx, longTime) })
	})
}

// Retry names those who are to be sent to again.
type Retry struct {
	Only     string `json:"only" enum:"failed,refused,unconfirmed,in_doubt" example:"failed"`
	Expected int    `json:"expected" minimum:"1" doc:"how many they are by your knowledge"`
	Reason
}

// Retried is what a retry came to.
type Retried struct {
	Retried int `json:"retried" doc:"how many are to be sent to again"`
}

func (a *API) retry(ctx context.Context, in *about[Retry]) (Retried, error) {
	state, err := operations.RetryState(in.Body.Only)
	if err != nil {
		return Retried{}, err
	}
	n, err := a.decideAll(ctx, in.id(), operations.VerbResend, state, in.Body.Expected, in.Body.Why)
	return Retried{n}, err
}

// AcceptAll says how many in doubt are to be taken for sent to.
type AcceptAll struct {
	Expected int `json:"expected" minimum:"1" doc:"how many are in doubt by your knowledge"`
	Reason
}

// Accepted is what taking everyone in doubt for sent to came to.
type Accepted struct {
	Accepted int `json:"accepted" doc:"how many were taken for sent to"`
}

func (a *API) acceptAll(ctx context.Context, in *about[AcceptAll]) (Accepted, error) {
	n, err := a.decideAll(ctx, in.id(), operations.VerbAccept, campaign.InDoubt, in.Body.Expected, in.Body.Why)
	return Accepted{n}, err
}

// decideAll decides about everyone in a state, and returns about how many.
func (a *API) decideAll(ctx context.Context, id campaign.ID, v operations.Verb, state campaign.State, expected int, why string) (int, error) {
	if _, err := a.standing(ctx, id); err != nil {
		return 0, err
	}
	s, err := a.ops.Select(ctx, id, v, state)
	if err == nil {
		err = s.Seen(expected, s.At)
	}
	if err != nil {
		return 0, err
	}
	extend(ctx, longTime)
	return a.ops.DecideAll(ctx, s, actor(ctx, why), func(int) { extend(ctx, longTime) })
}

type decisionInput struct {
	RecipientPath
	Body *Reason
}

// decide decides about one recipient, and answers how they stand then.
func (a *API) decide(v operations.Verb) func(context.Context, *decisionInput) (Recipient, error) {
	return func(ctx context.Context, in *decisionInput) (Recipient, error) {
		p, err := a.find(ctx, &in.RecipientPath)
		if err == nil {
			err = a.ops.Decide(ctx, p, v, actor(ctx, in.Body.text()))
		}
		if err != nil {
			return Recipient{}, err
		}
		return newRecipient(ctx, p.Info, p.Found), nil
	}
}

func (a *API) registerRates() {
	add(a, a.operation("get-campaign-rate", "GET /campaigns/{id}/rate", access.Read, "Look at a campaign's rate",
		"What is in force, and where it comes from.", notFound, wrongState, invalid),
		func(ctx context.Context, in *CampaignPath) (*report.Rate, error) { return a.rate(ctx, in.id(), nil) })
	add(a, a.operation("set-campaign-rate", "PUT /campaigns/{id}/rate", access.Control, "Set a campaign's rate",
		"Whatever its file says, for all workers within a second, until it is set anew. It stays under the account's.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid),
		func(ctx context.Context, in *about[NewRate]) (*report.Rate, error) {
			return a.rate(ctx, in.id(), func(s *operations.Standing) error {
				return a.ops.SetRate(ctx, s, in.Body.Rate, actor(ctx, in.Body.Why))
			})
		})
	add(a, a.operation("reset-campaign-rate", "DELETE /campaigns/{id}/rate", access.Control,
		"Go back to the rate of the campaign's file", "If it has none, only the account's is left.", notFound, wrongState, invalid),
		func(ctx context.Context, in *CampaignPath) (*report.Rate, error) {
			return a.rate(ctx, in.id(), func(s *operations.Standing) error { return a.ops.ResetRate(ctx, s, actor(ctx, "")) })
		})
	add(a, a.operation("get-account-rate", "GET /account/rate", access.Read, "Look at the account's rate",
		"What is in force for all campaigns together, and where it comes from.", notFound, invalid),
		func(ctx context.Context, in *AccountQuery) (*report.Rate, error) {
			return a.reports.AccountRate(ctx, in.account())
		})
	add(a, a.operation("set-account-rate", "PUT /account/rate", access.Control, "Set the account's rate",
		"For all campaigns together and all workers within a second, until it is set anew.",
		malformed, tooLarge, mediaType, invalid),
		func(ctx context.Context, in *struct {
			AccountQuery
			Body NewRate
		}) (*report.Rate, error) {
			return a.accountRate(ctx, in.account(), a.ops.SetAccountRate(ctx, in.account(), in.Body.Rate, actor(ctx, in.Body.Why)))
		})
	add(a, a.operation("reset-account-rate", "DELETE /account/rate", access.Control,
		"Go back to the workers' HANDOUT_RATE", "Nothing changes if none was set.", invalid),
		func(ctx context.Context, in *AccountQuery) (*report.Rate, error) {
			return a.accountRate(ctx, in.account(), a.ops.ResetAccountRate(ctx, in.account(), actor(ctx, "")))
		})
}

// NewRate is the rate that is to be.
type NewRate struct {
	Rate float64 `json:"rate" example:"5" doc:"messages per second, over 0"`
	Reason
}

// AccountQuery names an account.
type AccountQuery struct {
	Account string `query:"account" maxLength:"24" default:"default" example:"us" doc:"the Telesign account"`
}

func (q AccountQuery) account() string { return cmp.Or(q.Account, campaign.DefaultAccount) }

// accountRate answers with the rate of an account once a change was made.
func (a *API) accountRate(ctx context.Context, account string, changed error) (*report.Rate, error) {
	if changed != nil {
		return nil, changed
	}
	return a.reports.AccountRate(ctx, account)
}

// rate makes a change, if there is one, and answers with the rate of a campaign.
func (a *API) rate(ctx context.Context, id campaign.ID, change func(*operations.Standing) error) (*report.Rate, error) {
	s, err := a.standing(ctx, id)
	if err == nil && change != nil {
		err = change(s)
	}
	if err != nil {
		return nil, err
	}
	return a.reports.Rate(ctx, id)
}
