package campaign

import "time"

// RateSet is a rate that a person has set while things run.
type RateSet struct {
	Rate float64   `json:"rate"` // messages per second
	By   string    `json:"by" example:"billing"`
	Why  string    `json:"why,omitempty"`
	At   time.Time `json:"at"`
}

// Rates are all that persons have set. The zero value is none.
type Rates struct {
	account   *RateSet
	campaigns map[ID]*RateSet
}

// NewRates returns what was set for the account, nil for nothing, and for campaigns.
func NewRates(account *RateSet, campaigns map[ID]*RateSet) Rates {
	return Rates{account: account, campaigns: campaigns}
}

// SetForAccount is what was set for the account; nil: nothing.
func (r Rates) SetForAccount() *RateSet { return r.account }

// SetFor is what was set for the campaign; nil: nothing.
func (r Rates) SetFor(c ID) *RateSet { return r.campaigns[c] }

// Account is the account's rate in messages per second: what was set, else that
// of the environment.
func (r Rates) Account(environment float64) float64 { return r.account.or(environment) }

// Campaign is the campaign's own rate in messages per second, 0 for none: what
// was set, else that of its file.
func (r Rates) Campaign(c *Info) float64 { return r.campaigns[c.ID].or(c.Spec.Rate) }

func (s *RateSet) or(rate float64) float64 {
	if s != nil {
		return s.Rate
	}
	return rate
}
