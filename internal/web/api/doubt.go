package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerDoubt() {
	becomes := "They become unconfirmed, and nobody sends to them again unless a person asks for it; a receipt that still " +
		"comes is recorded. " + operations.VerbAccept.RiskOf(campaign.InDoubt)
	huma.Register(a.huma, a.operation("accept-as-sent", http.MethodPost, "/campaigns/{id}/recipients/{recipient}/accept-as-sent", access.Control,
		"Take one recipient in doubt for sent to", becomes+" Who was taken so before is left alone.",
		malformed, notFound, wrongState, stale, ambiguous, tooLarge, mediaType, invalid), a.decide(operations.VerbAccept))
	huma.Register(a.huma, a.operation("accept-all-as-sent", http.MethodPost, "/campaigns/{id}/accept-as-sent", access.Control,
		"Take everyone in doubt in a campaign for sent to",
		becomes+" `GET /campaigns/{id}/recipients?state=in_doubt` names them. "+expectedAbout,
		malformed, notFound, wrongState, stale, busy, tooLarge, mediaType, invalid), a.acceptAll)
}

// expectedAbout is of decisions about many.
const expectedAbout = "`expected` is how many there are by your knowledge: if there are others by now, nothing is done. An " +
	"interrupted one is made again with the number that is left."

type decisionInput struct {
	RecipientPath
	Body *Why
}

// decide decides about one recipient, and answers how they stand then.
func (a *API) decide(v operations.Verb) func(context.Context, *decisionInput) (*personOutput, error) {
	return func(ctx context.Context, in *decisionInput) (*personOutput, error) {
		why := ""
		if in.Body != nil {
			why = in.Body.Why
		}
		p, err := a.find(ctx, &in.RecipientPath)
		if err == nil {
			err = a.ops.Decide(ctx, p, v, actor(ctx, why))
		}
		if err != nil {
			return nil, a.fail(ctx, err)
		}
		return &personOutput{newRecipient(ctx, p.Info, p.Found)}, nil
	}
}

// AcceptAll says how many in doubt are to be taken for sent to.
type AcceptAll struct {
	Expected int    `json:"expected" minimum:"1" doc:"how many are in doubt by your knowledge"`
	Why      string `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

type acceptAllInput struct {
	CampaignPath
	Body AcceptAll
}

type acceptAllOutput struct {
	Body struct {
		Accepted int `json:"accepted" doc:"how many were taken for sent to"`
	}
}

func (a *API) acceptAll(ctx context.Context, in *acceptAllInput) (*acceptAllOutput, error) {
	out := new(acceptAllOutput)
	var err error
	out.Body.Accepted, err = a.decideAll(ctx, in.id(), operations.VerbAccept, campaign.InDoubt, in.Body.Expected, in.Body.Why)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return out, nil
}

// decideAll decides about everyone in a state, and returns about how many.
func (a *API) decideAll(ctx context.Context, id campaign.ID, v operations.Verb, state campaign.State, expected int, why string) (int, error) {
	if _, err := a.listed(ctx, id); err != nil {
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
