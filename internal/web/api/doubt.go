package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

func (a *API) registerDoubt() {
	const becomes = "They become unconfirmed, and nobody sends to them again unless a person asks for it; a receipt that still " +
		"comes is recorded. " + translate.AcceptRisk
	huma.Register(a.huma, a.operation("accept-as-sent", http.MethodPost, "/campaigns/{id}/recipients/{recipient}/accept-as-sent", access.Control,
		"Take one recipient in doubt for sent to", becomes+" Who was taken so before is left alone.",
		malformed, notFound, wrongState, ambiguous, tooLarge, mediaType, invalid), a.accept)
	huma.Register(a.huma, a.operation("accept-all-as-sent", http.MethodPost, "/campaigns/{id}/accept-as-sent", access.Control,
		"Take everyone in doubt in a campaign for sent to",
		becomes+" `GET /campaigns/{id}/recipients?state=in_doubt` names them. "+expectedAbout,
		malformed, notFound, wrongState, stale, busy, tooLarge, mediaType, invalid), a.acceptAll)
}

// expectedAbout is of decisions about many.
const expectedAbout = "`expected` is how many there are by your knowledge: if there are others by now, nothing is done. An " +
	"interrupted one is made again with the number that is left."

type acceptInput struct {
	RecipientPath
	Body *Why
}

func (a *API) accept(ctx context.Context, in *acceptInput) (*personOutput, error) {
	return a.decide(ctx, &in.RecipientPath, in.Body, a.ledger.AcceptAsSent)
}

// decide lets somebody decide about one recipient, and answers how they stand then.
func (a *API) decide(ctx context.Context, who *RecipientPath, why *Why,
	do func(context.Context, *campaign.Info, campaign.Place, ledger.Seen, campaign.Actor, time.Time) (ledger.Seen, error),
) (*personOutput, error) {
	info, f, err := a.find(ctx, who)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	if why == nil {
		why = new(Why)
	}
	if f.Seen, err = do(ctx, info, f.Place, f.Seen, actor(ctx, why.Why), time.Now()); err != nil {
		return nil, a.fail(ctx, err)
	}
	return &personOutput{newRecipient(ctx, info.ID, f)}, nil
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
	out.Body.Accepted, err = a.decideAll(ctx, in.id(), campaign.InDoubt, in.Body.Expected, (*campaign.Info).Gone, func(info *campaign.Info, began time.Time, progress func(int)) (int, error) {
		return a.ledger.AcceptAllAsSent(ctx, info, actor(ctx, in.Body.Why), began, progress)
	})
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return out, nil
}

// decideAll lets somebody decide about all recipients in a state, if there are as
// many as they know of, and says about how many it was.
func (a *API) decideAll(ctx context.Context, id campaign.ID, state campaign.State, expected int, may func(*campaign.Info) error,
	decide func(info *campaign.Info, began time.Time, progress func(int)) (int, error),
) (int, error) {
	// Before the number that it is held against: who comes later isn't meant.
	began, err := a.ledger.Now(ctx)
	if err != nil {
		return 0, err
	}
	info, err := a.listed(ctx, id)
	if err != nil {
		return 0, err
	}
	if err := may(info); err != nil {
		return 0, err
	}
	b, err := a.ledger.Balance(ctx, id)
	if err != nil {
		return 0, err
	}
	if n := b.Of(state); n != expected {
		return 0, problem(stale, fmt.Sprintf("%d are %s", n, state), Fault{Field: "expected", Message: "it isn't the number that is so by now"})
	}
	extend(ctx, longTime)
	return decide(info, began, func(int) { extend(ctx, longTime) })
}
