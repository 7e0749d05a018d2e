// Package accounts reads which Telesign accounts an installation speaks for: the one of
// the environment's variables, and those of a file. No key stands in that file: it names
// the variable, or the file, that a key is in.
package accounts

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/telesign"
)

// Account is a Telesign account, or one of the senders of an account, with a name of
// ours.
type Account struct {
	Name       string
	CustomerID string
	// APIKey signs requests; receipts may be signed with it or with Previous.
	APIKey, Previous secret.Text
	URL              string
	Auth             telesign.AuthMethod
	Rate, PollRate   float64 // per second
	SenderID         string  // of campaigns that have none of their own
	CallbackURL      string  // sent with each message; empty: the account's own

	variables []string // that have its keys
}

// Accounts are those of an installation, the default first, the others by name.
type Accounts []Account

// Find returns the account of a name.
func (all Accounts) Find(name string) (*Account, bool) {
	for i := range all {
		if all[i].Name == name {
			return &all[i], true
		}
	}
	return nil, false
}

// Names returns the accounts' names.
func (all Accounts) Names() []string {
	names := make([]string, len(all))
	for i := range all {
		names[i] = all[i].Name
	}
	return names
}

// Variables returns the names of the variables, beside handout's own, that have keys.
func (all Accounts) Variables() []string {
	var names []string
	for i := range all {
		names = append(names, all[i].variables...)
	}
	return names
}

// Rates returns the rate of each account but the default, by its name.
func (all Accounts) Rates() map[string]float64 {
	rates := make(map[string]float64)
	for _, a := range all {
		if a.Name != campaign.DefaultAccount {
			rates[a.Name] = a.Rate
		}
	}
	return rates
}

// URLs returns where the accounts' messages go.
func (all Accounts) URLs() []string {
	urls := make([]string, len(all))
	for i := range all {
		urls[i] = all[i].URL
	}
	return urls
}

// Digests returns what an installation's stamp keeps of each account, by its name.
func (all Accounts) Digests() map[string]string {
	digests := make(map[string]string, len(all))
	for i := range all {
		digests[all[i].Name] = all[i].digest()
	}
	return digests
}

// digest is that of the customer ID, a UUID: its 122 random bits can't be guessed from it.
func (a *Account) digest() string {
	sum := sha256.Sum256([]byte(strings.ToUpper(a.CustomerID)))
	return hex.EncodeToString(sum[:12])
}

// Verifiers returns those of the receipts that the account's keys have signed: the
// current key's, and the previous one's if there is one.
func (a *Account) Verifiers() ([]*telesign.Verifier, error) {
	var all []*telesign.Verifier
	for _, key := range []secret.Text{a.APIKey, a.Previous} {
		if key.Reveal() == "" && len(all) > 0 {
			continue
		}
		v, err := telesign.NewVerifier(a.CustomerID, key.Reveal())
		if err != nil {
			return nil, fmt.Errorf("account %s: %w", a.Name, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// sort brings the default to the front.
func (all Accounts) sort() {
	slices.SortFunc(all, func(a, b Account) int {
		switch {
		case a.Name == b.Name:
			return 0
		case a.Name == campaign.DefaultAccount:
			return -1
		case b.Name == campaign.DefaultAccount:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
}
