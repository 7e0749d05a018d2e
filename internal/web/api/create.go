package api

import (
	"context"
	"net/http"
)

type createInput struct {
	Replace bool `query:"replace" doc:"replace another campaign file that waits for its list under this id; one whose list has come stays"`
	Body    *CampaignFile
}

func (a *API) create(ctx context.Context, in *createInput) (*campaignOutput, error) {
	if in.Body == nil {
		return nil, problem(invalid, "", Fault{Message: "a campaign file is needed"})
	}
	file, err := in.Body.parse()
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	stands, added, err := a.ops.Propose(ctx, file, in.Replace)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	if stands != nil {
		return a.answer(ctx, stands.Info, http.StatusOK)
	}
	c, err := proposed(file.Spec)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	return &campaignOutput{status, c}, nil
}
