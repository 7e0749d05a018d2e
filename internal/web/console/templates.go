package console

import (
	"cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

type templatesPage struct {
	*operations.TemplateList
	Account  string
	Accounts []string // all; nil: there is one
}

func (c *Console) templates(v *visit) (string, any, error) {
	account := cmp.Or(v.URL.Query().Get("account"), campaign.DefaultAccount)
	list, err := c.ops.Templates(v.Context(), account)
	return "templates", templatesPage{list, account, c.accounts()}, err
}

// accounts returns the accounts' names where there are several; else a page says nothing
// of them.
func (c *Console) accounts() []string {
	if names := c.reports.Accounts(); len(names) > 1 {
		return names
	}
	return nil
}
