package api

import (
	"context"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerRates() {
	add(a, a.operation("get-campaign-rate", "GET /campaigns/{id}/rate", access.Read, "Look at a campaign's rate",
		"What is in force, and where it comes from.", notFound, wrongState, invalid),
		func(ctx context.Context, in *CampaignPath) (*report.Rate, error) { return a.rate(ctx, in.id(), nil) })
	add(a, a.operation("set-campaign-rate", "PUT /campaigns/{id}/rate", access.Control, "Set a campaign's rate",
		"Whatever its file says, for all workers within a second, until it is set anew. It stays under the account's.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid),
		func(ctx context.Context, in *about[NewRate]) (*report.Rate, error) {
			return a.rate(ctx, in.id(), a.setRate(ctx, in.Body))
		})
	add(a, a.operation("reset-campaign-rate", "DELETE /campaigns/{id}/rate", access.Control,
		"Go back to the rate of the campaign's file", "If it has none, only the account's is left.", notFound, wrongState, invalid),
		func(ctx context.Context, in *CampaignPath) (*report.Rate, error) {
			return a.rate(ctx, in.id(), a.resetRate(ctx))
		})
	add(a, a.operation("get-account-rate", "GET /account/rate", access.Read, "Look at the account's rate",
		"What is in force for all campaigns together, and where it comes from.", invalid),
		func(ctx context.Context, _ *struct{}) (*report.Rate, error) { return a.rate(ctx, "", nil) })
	add(a, a.operation("set-account-rate", "PUT /account/rate", access.Control, "Set the account's rate",
		"For all campaigns together and all workers within a second, until it is set anew.",
		malformed, tooLarge, mediaType, invalid),
		func(ctx context.Context, in *struct{ Body NewRate }) (*report.Rate, error) {
			return a.rate(ctx, "", a.setRate(ctx, in.Body))
		})
	add(a, a.operation("reset-account-rate", "DELETE /account/rate", access.Control,
		"Go back to the workers' HANDOUT_RATE", "Nothing changes if none was set.", invalid),
		func(ctx context.Context, _ *struct{}) (*report.Rate, error) { return a.rate(ctx, "", a.resetRate(ctx)) })
}

// NewRate is the rate that is to be.
type NewRate struct {
	Rate float64 `json:"rate" example:"5" doc:"messages per second, over 0"`
	Reason
}

func (a *API) setRate(ctx context.Context, to NewRate) func(*operations.Standing) error {
	return func(s *operations.Standing) error { return a.ops.SetRate(ctx, s, to.Rate, actor(ctx, to.Why)) }
}

func (a *API) resetRate(ctx context.Context) func(*operations.Standing) error {
	return func(s *operations.Standing) error { return a.ops.ResetRate(ctx, s, actor(ctx, "")) }
}

// rate makes a change, if there is one, and answers with the rate of a campaign, or
// of the account if id is empty.
func (a *API) rate(ctx context.Context, id campaign.ID, change func(*operations.Standing) error) (*report.Rate, error) {
	var s *operations.Standing
	var err error
	if id != "" {
		s, err = a.standing(ctx, id)
	}
	if err == nil && change != nil {
		err = change(s)
	}
	if err != nil {
		return nil, err
	}
	return a.reports.Rate(ctx, id)
}
