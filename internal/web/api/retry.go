package api

import (
	"context"

	"github.com/handout-dev/handout/internal/operations"
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
	out := new(retryOutput)
	state, err := operations.RetryState(in.Body.Only)
	if err == nil {
		out.Body.Retried, err = a.decideAll(ctx, in.id(), operations.VerbResend, state, in.Body.Expected, in.Body.Why)
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return out, nil
}
