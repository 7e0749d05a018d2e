package report

import (
	"context"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Rate is a rate with where it comes from, in messages per second. Its JSON form
// is a contract.
type Rate struct {
	Campaign string            `json:"campaign,omitempty"` // absent: the account
	Rate     float64           `json:"rate"`               // in force
	Set      *campaign.RateSet `json:"set"`                // by a person; null: not set
	Own      *float64          `json:"own"`                // of the file, or HANDOUT_RATE here; null: none
	Account  float64           `json:"account"`            // in force for the account
	// Granted is what Telesign grants of the account's, as measured since
	// GrantedSince; both null: all of it.
	Granted      *float64   `json:"granted"`
	GrantedSince *time.Time `json:"granted_since"`
}

// Rate reads the rate of a campaign, or of the account if id is empty.
func (q *Reader) Rate(ctx context.Context, id campaign.ID) (*Rate, error) {
	rates, err := q.ledger.Rates(ctx)
	if err != nil {
		return nil, err
	}
	pace, err := q.ledger.Pace(ctx)
	if err != nil {
		return nil, err
	}
	set := rates.Account(q.accountRate)
	account := pace.Of(set)
	r := &Rate{Rate: account, Set: rates.SetForAccount(), Own: &q.accountRate, Account: account}
	if account < set {
		r.Granted, r.GrantedSince = &pace.Granted, &pace.GrantedSince
	}
	if id == "" {
		return r, nil
	}
	info, err := q.info(ctx, id)
	if err != nil {
		return nil, err
	}
	r.Campaign, r.Set, r.Own = string(id), rates.SetFor(id), nil
	if info.Spec.Rate > 0 {
		r.Own = &info.Spec.Rate
	}
	if own := rates.Campaign(info); own > 0 {
		r.Rate = min(own, account)
	}
	return r, nil
}
