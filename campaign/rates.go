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
	accounts  map[string]*RateSet
	campaigns map[ID]*RateSet
}

// NewRates returns what was set for accounts, by name, and for campaigns.
func NewRates(accounts map[string]*RateSet, campaigns map[ID]*RateSet) Rates {
	return Rates{accounts: accounts, campaigns: campaigns}
}

// SetForAccount is what was set for an account; nil: nothing.
func (r Rates) SetForAccount(name string) *RateSet { return r.accounts[name] }

// SetFor is what was set for the campaign; nil: nothing.
func (r Rates) SetFor(c ID) *RateSet { return r.campaigns[c] }

// Account is an account's rate in messages per second: what was set, else own.
func (r Rates) Account(name string, own float64) float64 { return r.accounts[name].or(own) }

// Campaign is the campaign's own rate in messages per second, 0 for none: what
// was set, else that of its file.
func (r Rates) Campaign(c *Info) float64 { return r.campaigns[c.ID].or(c.Spec.Rate) }

func (s *RateSet) or(rate float64) float64 {
	if s != nil {
		return s.Rate
	}
	return rate
}
