package config

import (
	"fmt"

	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/version"
	"github.com/handout-dev/handout/telesign"
)

// Route is how requests leave this machine.
func (c *Config) Route() *outbound.Route {
	roots, _ := outbound.Roots(c.CAFile)
	route, _ := outbound.NewRoute(c.ProxyURL.Reveal(), c.NoProxy, roots) // both validated
	return route
}

// Client returns a client that speaks for an account.
func (c *Config) Client(a *accounts.Account) (*telesign.Client, error) {
	client, err := telesign.NewClient(telesign.Options{
		URL: a.URL, CustomerID: a.CustomerID, APIKey: a.APIKey.Reveal(), Auth: a.Auth, Timeout: c.SendTimeout, UserAgent: "handout/" + version.String(),
		Transport: c.Route().Through(telesign.NewTransport()),
	})
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", a.Name, err)
	}
	return client, nil
}
