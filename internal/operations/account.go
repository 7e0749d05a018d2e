package operations

import (
	"context"
	"fmt"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

// Account is a Telesign account as operations need it.
type Account struct {
	Rate     float64   // limit in messages per second where no person has set it
	Telesign *Telesign // is asked about its templates; may be nil

	name string
}

// Rates returns the limits of accounts, by their names.
func Rates(accounts map[string]Account) map[string]float64 {
	rates := make(map[string]float64, len(accounts))
	for name, a := range accounts {
		rates[name] = a.Rate
	}
	return rates
}

// account returns an account that the caller may use. Errors: Denied; Refused when there
// is none of this name here.
func (o *Operations) account(ctx context.Context, name string) (*Account, error) {
	if key := access.Caller(ctx); !key.Uses(name) {
		return nil, refusef(Denied, "account", "the key %s may not use the account %s", key.Name, name)
	}
	a, ok := o.o.Accounts[name]
	if name == campaign.DefaultAccount {
		a, ok = Account{Rate: o.o.AccountRate, Telesign: o.o.Telesign}, true
	}
	if a.name = name; !ok {
		return nil, refusef(Refused, "account", "%s", strangeAccount(name))
	}
	return &a, nil
}

func strangeAccount(name string) string {
	return fmt.Sprintf("there is no account %s here: is it in the file that HANDOUT_ACCOUNTS names?", name)
}

// checkAccount is account for a campaign file's; that there is none is a fault of it.
func (o *Operations) checkAccount(ctx context.Context, f *producer.File) error {
	name := f.Spec.AccountName()
	_, err := o.account(ctx, name)
	if KindOf(err) == Refused {
		err = submitting(f.Spec.ID, &producer.Faults{List: []producer.Fault{f.Fault("account", strangeAccount(name))}, Total: 1})
	}
	return err
}
