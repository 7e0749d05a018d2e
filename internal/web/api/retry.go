package api

import (
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Retry names those who are to be sent to again.
type Retry struct {
	Only     string `json:"only" enum:"failed,unconfirmed,in_doubt" example:"failed"`
	Expected int    `json:"expected" minimum:"1" doc:"how many they are by your knowledge"`
	Why      string `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

type retryInput struct {
	CampaignPath
	Body Retry
}

type retryOutput struct {
	Body struct {
		Retried int `json:"retried" doc:"how many are to be sent to again"`
	}
}

func (a *API) retry(ctx context.Context, in *retryInput) (*retryOutput, error) {
	state, _ := campaign.ParseState(in.Body.Only)
	out := new(retryOutput)
	var err error
	out.Body.Retried, err = a.decideAll(ctx, in.id(), state, in.Body.Expected, (*campaign.Info).Resendable, func(info *campaign.Info, began time.Time, progress func(int)) (int, error) {
		return a.ledger.ResendAll(ctx, info, state, actor(ctx, in.Body.Why), began, progress)
	})
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return out, nil
}
