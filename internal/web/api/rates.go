package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *API) registerRates() {
	huma.Register(a.huma, a.operation("get-campaign-rate", http.MethodGet, "/campaigns/{id}/rate", access.Read, "Look at a campaign's rate",
		"What is in force, and where it comes from.", notFound, wrongState, invalid), a.campaignRate)
	huma.Register(a.huma, a.operation("set-campaign-rate", http.MethodPut, "/campaigns/{id}/rate", access.Control, "Set a campaign's rate",
		"Whatever its file says, for all workers within a second, until it is set anew. It stays under the account's.",
		malformed, notFound, wrongState, tooLarge, mediaType, invalid), a.setCampaignRate)
	huma.Register(a.huma, a.operation("reset-campaign-rate", http.MethodDelete, "/campaigns/{id}/rate", access.Control,
		"Go back to the rate of the campaign's file", "If it has none, only the account's is left.", notFound, wrongState, invalid), a.resetCampaignRate)
	huma.Register(a.huma, a.operation("get-account-rate", http.MethodGet, "/account/rate", access.Read, "Look at the account's rate",
		"What is in force for all campaigns together, and where it comes from.", invalid), a.accountRate)
	huma.Register(a.huma, a.operation("set-account-rate", http.MethodPut, "/account/rate", access.Control, "Set the account's rate",
		"For all campaigns together and all workers within a second, until it is set anew.",
		malformed, tooLarge, mediaType, invalid), a.setAccountRate)
	huma.Register(a.huma, a.operation("reset-account-rate", http.MethodDelete, "/account/rate", access.Control,
		"Go back to the workers' HANDOUT_RATE", "Nothing changes if none was set.", invalid), a.resetAccountRate)
}

// Rate is a rate with where it comes from, in messages per second.
type Rate struct {
	Campaign string   `json:"campaign,omitempty" example:"order-history-2026-11" doc:"left out: the account's"`
	Rate     float64  `json:"rate" minimum:"0" doc:"in force"`
	Set      *RateSet `json:"set,omitempty" doc:"by a person; left out: nobody has"`
	Own      float64  `json:"own,omitempty" doc:"of the campaign's file, or HANDOUT_RATE of the console; left out: none"`
	Account  float64  `json:"account" minimum:"0" doc:"in force for the account"`
	Level    int      `json:"throttle_level" minimum:"0" doc:"by how many steps of a third the account's is lowered, since Telesign said that it is too fast"`
}

// RateSet is a rate that a person has set.
type RateSet struct {
	Rate float64   `json:"rate"`
	By   string    `json:"by" example:"billing"`
	Why  string    `json:"why,omitempty"`
	At   time.Time `json:"at"`
}

type rateOutput struct{ Body Rate }

// readRate answers with the rate of a campaign, or of the account.
func (a *API) readRate(ctx context.Context, id campaign.ID) (*rateOutput, error) {
	r, err := a.reports.Rate(ctx, id)
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out := &rateOutput{Rate{Campaign: r.Campaign, Rate: r.Rate, Account: r.Account, Level: r.Level}}
	if r.Own != nil {
		out.Body.Own = *r.Own
	}
	if r.Set != nil {
		out.Body.Set = &RateSet{Rate: r.Set.Rate, By: r.Set.By, Why: r.Set.Why, At: r.Set.At}
	}
	return out, nil
}

// NewRate is the rate that is to be.
type NewRate struct {
	Rate float64 `json:"rate" exclusiveMinimum:"0" maximum:"100000" example:"5" doc:"messages per second"`
	Why  string  `json:"why,omitempty" maxLength:"500" doc:"for the campaign's history"`
}

func (a *API) campaignRate(ctx context.Context, in *CampaignPath) (*rateOutput, error) {
	if _, err := a.listed(ctx, in.id()); err != nil {
		return nil, a.fail(ctx, err)
	}
	return a.readRate(ctx, in.id())
}

type campaignRateInput struct {
	CampaignPath
	Body NewRate
}

func (a *API) setCampaignRate(ctx context.Context, in *campaignRateInput) (*rateOutput, error) {
	return a.changeRate(ctx, in.id(), in.Body)
}

func (a *API) resetCampaignRate(ctx context.Context, in *CampaignPath) (*rateOutput, error) {
	return a.changeRate(ctx, in.id(), NewRate{})
}

// changeRate sets a campaign's rate, 0: back to its file's.
func (a *API) changeRate(ctx context.Context, id campaign.ID, to NewRate) (*rateOutput, error) {
	info, err := a.listed(ctx, id)
	if err == nil {
		err = info.Gone() // a purge has deleted it
	}
	if err == nil {
		err = a.ledger.SetRate(ctx, id, to.Rate, actor(ctx, to.Why), time.Now())
	}
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	return a.readRate(ctx, id)
}

func (a *API) accountRate(ctx context.Context, _ *struct{}) (*rateOutput, error) {
	return a.readRate(ctx, "")
}

type accountRateInput struct{ Body NewRate }

func (a *API) setAccountRate(ctx context.Context, in *accountRateInput) (*rateOutput, error) {
	return a.changeAccountRate(ctx, in.Body)
}

func (a *API) resetAccountRate(ctx context.Context, _ *struct{}) (*rateOutput, error) {
	return a.changeAccountRate(ctx, NewRate{})
}

// changeAccountRate sets the account's rate, 0: back to the environment's.
func (a *API) changeAccountRate(ctx context.Context, to NewRate) (*rateOutput, error) {
	if err := a.ledger.SetAccountRate(ctx, to.Rate, actor(ctx, to.Why), time.Now()); err != nil {
		return nil, a.fail(ctx, err)
	}
	return a.readRate(ctx, "")
}
