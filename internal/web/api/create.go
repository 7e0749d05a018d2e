package api

import (
	"context"
	"net/http"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/producer"
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
	stands, err := a.ops.Standing(ctx, file.Spec.ID)
	switch {
	case err == nil:
		if !equalSpecs(stands.Info.Spec, file.Spec) {
			return nil, a.fail(ctx, &producer.OtherContentError{Info: stands.Info})
		}
		return a.answer(ctx, stands.Info, http.StatusOK)
	case operations.KindOf(err) != operations.NotFound:
		return nil, a.fail(ctx, err)
	}
	added, err := a.ledger.Propose(ctx, file.Spec, in.Replace)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	status := http.StatusOK
	if added {
		status = http.StatusCreated
	}
	c, err := proposed(file.Spec)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return &campaignOutput{status, c}, nil
}
