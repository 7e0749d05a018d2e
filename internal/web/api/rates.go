package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerRates() {
	huma.Register(a.huma, a.operation("get-campaign-rate", http.MethodGet, "/campaigns/{id}/rate", access.Read, "Look at a campaign's rate",
		"What is in force, and where it comes from.", notFound, wrongState, invalid),
		func(ctx context.Context, in *CampaignPath) (*rateOutput, error) { return a.rate(ctx, in.id(), nil) })
	huma.Register(a.huma, a.operation("set-campaign-rate", http.MethodPut, "/campaigns/{id}/rate", access.Control, "Set a campaign's rate",
		"Whatever its file says, for all workers within a second, until it is set anew. It stays under the account's.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid),
		func(ctx context.Context, in *campaignRateInput) (*rateOutput, error) {
			return a.rate(ctx, in.id(), a.setRate(ctx, in.Body))
		})
	huma.Register(a.huma, a.operation("reset-campaign-rate", http.MethodDelete, "/campaigns/{id}/rate", access.Control,
		"Go back to the rate of the campaign's file", "If it has none, only the account's is left.", notFound, wrongState, invalid),
		func(ctx context.Context, in *CampaignPath) (*rateOutput, error) {
			return a.rate(ctx, in.id(), a.resetRate(ctx))
		})
	huma.Register(a.huma, a.operation("get-account-rate", http.MethodGet, "/account/rate", access.Read, "Look at the account's rate",
		"What is in force for all campaigns together, and where it comes from.", invalid),
		func(ctx context.Context, _ *struct{}) (*rateOutput, error) { return a.rate(ctx, "", nil) })
	huma.Register(a.huma, a.operation("set-account-rate", http.MethodPut, "/account/rate", access.Control, "Set the account's rate",
		"For all campaigns together and all workers within a second, until it is set anew.",
		malformed, tooLarge, mediaType, invalid),
		func(ctx context.Context, in *accountRateInput) (*rateOutput, error) {
			return a.rate(ctx, "", a.setRate(ctx, in.Body))
		})
	huma.Register(a.huma, a.operation("reset-account-rate", http.MethodDelete, "/account/rate", access.Control,
		"Go back to the workers' HANDOUT_RATE", "Nothing changes if none was set.", invalid),
		func(ctx context.Context, _ *struct{}) (*rateOutput, error) { return a.rate(ctx, "", a.resetRate(ctx)) })
}

// Rate is a rate with where it comes from, in messages per second.
type Rate struct {
	Campaign string   `json:"campaign,omitempty" example:"order-history-2026-11" doc:"left out: the account's"`
	Rate     float64  `json:"rate" minimum:"0" doc:"in force"`
	Set      *RateSet `json:"set,omitempty" doc:"by a person; left out: none is set"`
	Own      float64  `json:"own,omitempty" doc:"of the campaign's file, or HANDOUT_RATE of the console; left out: none"`
	Account  float64  `json:"account" minimum:"0" doc:"in force for the account"`
	Granted  float64  `json:"granted,omitempty" doc:"what Telesign grants of the account's, as measured; left out: all of it"`
	// A pointer, since a zero time isn't left out.
	GrantedSince *time.Time `json:"granted_since,omitempty" doc:"since when Telesign grants less than the account's rate"`
}

// RateSet is a rate that a person has set.
type RateSet struct {
	Rate float64   `json:"rate"`
	By   string    `json:"by" example:"billing"`
	Why  string    `json:"why,omitempty"`
	At   time.Time `json:"at"`
}

type rateOutput struct{ Body Rate }

// NewRate is the rate that is to be.
type NewRate struct {
	Rate float64 `json:"rate" example:"5" doc:"messages per second, over 0"`
	Why  string  `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

type campaignRateInput struct {
	CampaignPath
	Body NewRate
}

type accountRateInput struct{ Body NewRate }

func (a *API) setRate(ctx context.Context, to NewRate) func(*operations.Standing) error {
	return func(s *operations.Standing) error { return a.ops.SetRate(ctx, s, to.Rate, actor(ctx, to.Why)) }
}

func (a *API) resetRate(ctx context.Context) func(*operations.Standing) error {
	return func(s *operations.Standing) error { return a.ops.ResetRate(ctx, s, actor(ctx, "")) }
}

// rate makes a change, if there is one, and answers with the rate of a campaign, or
// of the account if id is empty.
func (a *API) rate(ctx context.Context, id campaign.ID, change func(*operations.Standing) error) (_ *rateOutput, err error) {
	var s *operations.Standing
	if id != "" {
		s, err = a.standing(ctx, id)
	}
	if err == nil && change != nil {
		err = change(s)
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	r, err := a.reports.Rate(ctx, id)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := &rateOutput{Rate{Campaign: r.Campaign, Rate: r.Rate, Set: (*RateSet)(r.Set), Account: r.Account, GrantedSince: r.GrantedSince}}
	if r.Granted != nil {
		out.Body.Granted = *r.Granted
	}
	if r.Own != nil {
		out.Body.Own = *r.Own
	}
	return out, nil
}
