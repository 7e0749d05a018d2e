package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/internal/report"
)

// account returns one of this process's accounts.
func (c *Config) account(name string) (*accounts.Account, error) {
	all, err := c.accounts()
	if err != nil {
		return nil, err
	}
	a, ok := all.Find(name)
	if !ok {
		return nil, usagef("there is no account %s here: is it in the file that HANDOUT_ACCOUNTS names?", name)
	}
	return a, nil
}

// reader answers questions about what stands in Redis.
func (c *Config) reader(rdb redis.UniversalClient) (*report.Reader, error) {
	all, err := c.accounts()
	rate := c.Rate
	if own, ok := all.Find(campaign.DefaultAccount); ok {
		rate = own.Rate
	}
	return report.NewReader(rdb, rate).Sealed(c.MasterKeys()).OfAccounts(all.Rates()), err
}

func (a *app) accountCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "account", Short: "List and check the Telesign accounts that handout speaks for",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("account: list, check or replace is missing; see %s --help", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.accountListCommand(), a.accountCheckCommand(), a.accountReplaceCommand())
	return cmd
}

type accountRow struct {
	Name       string  `json:"name"`
	CustomerID string  `json:"customer_id"`
	URL        string  `json:"url"`
	Auth       string  `json:"auth"`
	Rate       float64 `json:"rate"` // messages per second
	SenderID   string  `json:"sender_id,omitempty"`
	Keys       int     `json:"keys"` // by which its receipts are verified
}

func (a *app) accountListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the accounts of the environment and of HANDOUT_ACCOUNTS, without their keys",
		RunE: func(*cobra.Command, []string) error {
			all, err := a.speaksFor("")
			if err != nil {
				return err
			}
			rows := make([]accountRow, len(all))
			for i, one := range all {
				rows[i] = accountRow{one.Name, one.CustomerID, one.URL, string(one.Auth), one.Rate, one.SenderID, 1}
				if one.Previous.Reveal() != "" {
					rows[i].Keys = 2
				}
			}
			return writeAll(a, asJSON, rows, "NAME,CUSTOMER ID,URL,AUTH,RATE,SENDER,KEYS", func(r accountRow) []any {
				return []any{r.Name, r.CustomerID, r.URL, r.Auth, perSecond(r.Rate), cmp.Or(r.SenderID, "-"), r.Keys}
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// speaksFor returns the account of a name, or all if it is empty.
func (a *app) speaksFor(name string) (accounts.Accounts, error) {
	c, err := a.load()
	if err == nil {
		err = c.credentials()
	}
	if err != nil {
		return nil, err
	}
	if name == "" {
		return c.accounts()
	}
	one, err := c.account(name)
	if err != nil {
		return nil, err
	}
	return accounts.Accounts{*one}, nil
}

func (a *app) accountCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "check [NAME]", Short: "Ask Telesign, by requests that cost nothing, whether it takes each account's credentials",
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := a.speaksFor(slices.Concat(args, []string{""})[0])
			if err != nil {
				return err
			}
			return a.say("account check", probeAccounts(cmd.Context(), a.config, all), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// probeAccounts asks Telesign with each account. The findings about others than the
// default begin with their names.
func probeAccounts(ctx context.Context, c *Config, all accounts.Accounts) []finding {
	var findings []finding
	for i := range all {
		client, err := c.Client(&all[i])
		found := []finding{{Fatal: true, Check: "Telesign", Found: fmt.Sprint(err), Advice: "docs/accounts.md has what an account needs"}}
		if err == nil {
			found = probe.Telesign(ctx, client)
		}
		for _, f := range found {
			if all[i].Name != campaign.DefaultAccount {
				f.Check = all[i].Name + ": " + f.Check
			}
			findings = append(findings, f)
		}
	}
	return findings
}

// say writes findings; the error counts those that are faults.
func (a *app) say(what string, findings []finding, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(a.stdout).Encode(findings); err != nil {
			return err
		}
	} else {
		a.showFindings(findings)
	}
	fatal := 0
	for _, f := range findings {
		if !f.OK && f.Fatal {
			fatal++
		}
	}
	if fatal > 0 {
		return fmt.Errorf("%s: %s", what, campaign.Count(fatal, "fault"))
	}
	return nil
}

func (a *app) accountReplaceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "replace NAME", Short: "Say that another Telesign account takes the place of the one of this name, for good",
		Long: "Say that another Telesign account takes the place of the one of this name, for good.\n" +
			"Receipts of what was sent through the one before are foreign from then on, and its\n" +
			"outcomes can't be asked for: do it when its campaigns are done.",
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := a.speaksFor(args[0])
			if err != nil {
				return err
			}
			rdb, err := a.connect(cmd.Context(), nil)
			if err != nil {
				return err
			}
			defer rdb.Close()
			if err := installation.Replace(cmd.Context(), rdb, all[0].Name, all.Digests()[all[0].Name]); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "account %s is %s from now on; restart handout's processes\n", all[0].Name, all[0].CustomerID)
			return nil
		},
	}
}
