package main

import (
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/config"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/usage"
)

// Config is the environment.
type Config struct{ config.Config }

// loadConfig reads the environment. Its error has every fault.
func loadConfig() (*Config, error) {
	c, err := config.Load()
	return &Config{*c}, err
}

func (c *Config) credentials() error {
	if err := c.Credentials(); err != nil {
		return usage.Wrap(err)
	}
	return nil
}

// accounts are those that this process speaks for, the default first; none where no
// credentials are set.
func (c *Config) accounts() (accounts.Accounts, error) {
	all, err := c.Speaks()
	if err != nil {
		return nil, usage.Wrap(err)
	}
	return all, nil
}

// vendors are the accounts for those who ask Telesign beside their work; without
// credentials it isn't asked.
func (c *Config) vendors() (own operations.Account, others map[string]operations.Account, err error) {
	all, err := c.accounts()
	own, others = operations.Account{Rate: c.Rate}, make(map[string]operations.Account)
	for i := range all {
		client, err := c.Client(&all[i])
		if err != nil {
			client = nil
		}
		if a := (operations.Account{Rate: all[i].Rate, Telesign: client}); all[i].Name == campaign.DefaultAccount {
			own = a
		} else {
			others[all[i].Name] = a
		}
	}
	return own, others, err
}

func (a *app) configCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "List every environment variable with its value",
		RunE: func(*cobra.Command, []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			return writeAll(a, asJSON, c.Variables(), "VARIABLE,VALUE,DEFAULT,MEANING", func(v config.Variable) []any {
				return []any{v.Name, v.Value, v.Default, v.Description}
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}
