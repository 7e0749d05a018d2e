package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list, limit, rotate and revoke the keys of other apps for the API, and end sessions",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("key: create, list, limit, rotate, revoke or logout is missing; see %s --help", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.keyCreateCommand(), a.keyListCommand(), a.keyLimitCommand(), a.keyRotateCommand(), a.keyRevokeCommand(), a.keyLogoutCommand())
	return cmd
}

// keyFlags adds the flags of what a key may do; read returns those that were given.
func keyFlags(cmd *cobra.Command) (read func() (operations.KeyChange, error)) {
	f := cmd.Flags()
	scopes := f.String("scopes", "", "what it may do: "+access.Join(access.Scopes(), ", ")+", separated by commas")
	campaigns := f.String("campaigns", "", "own: those that it submits, and its one-off sends; or all")
	accounts := f.String("accounts", "", "the Telesign accounts that it may send through, and whose campaigns it sees, as in us,at; or any")
	countries := f.String("countries", "", "where it may send to, as in US,CA; or any")
	daily := f.Int("daily", 0, "recipients that it may send to in a day of UTC; 0: no limit")
	hourly := f.Int("hourly", 0, "one-off sends to one number in an hour; 0: no limit")
	ends := f.String("ends", "", "when it ends: in a time as in 90d, at one as in 2027-01-31T00:00:00Z, or never")
	return func() (c operations.KeyChange, err error) {
		for name, set := range map[string]func(){
			"scopes": func() { c.Scopes = scopes }, "campaigns": func() { c.Campaigns = campaigns }, "countries": func() { c.Countries = countries },
			"accounts": func() { c.Accounts = accounts },
			"daily":    func() { c.Daily = daily }, "hourly": func() { c.Hourly = hourly },
		} {
			if f.Changed(name) {
				set()
			}
		}
		if f.Changed("ends") {
			c.Ends = new(time.Time)
			if *ends != "never" {
				if *c.Ends, err = campaign.ParseMoment(*ends, time.Now(), 1); err != nil {
					return c, usagef("--ends: %w, nor never", err)
				}
			}
		}
		return c, nil
	}
}

func (a *app) keyCreateCommand() *cobra.Command {
	long := "Make a key, and print it on standard output: it can't be shown again. Its name stands\n" +
		"in the history of the campaigns that it steers. No scope includes another:\n"
	for _, s := range access.Scopes() {
		long += fmt.Sprintf("\n  %-9s%s", s, s.About())
	}
	long += fmt.Sprintf("\n\nUnless it says otherwise, a key without all four scopes is limited to its own campaigns,\n"+
		"to the country of HANDOUT_REGION, and to %d one-off sends an hour to one number.", operations.HourlyDefault)
	var keyName string
	var test bool
	var change func() (operations.KeyChange, error)
	cmd := &cobra.Command{
		Use: "create", Short: "Make a key, and print it: it can't be shown again", Long: long,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := change()
			if err != nil {
				return err
			}
			c.Test = test
			if keyName == "" || c.Scopes == nil || *c.Scopes == "" {
				return usagef("key create: --name and --scopes are needed, as in --name billing --scopes submit,read")
			}
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				token, err := o.CreateKey(cmd.Context(), keyName, c)
				if err == nil {
					fmt.Fprintln(a.stdout, token)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&test, "test", false, "it starts nothing where messages go to Telesign, and not to a simulator")
	cmd.Flags().StringVar(&keyName, "name", "", "whose key it is, as in billing")
	change = keyFlags(cmd)
	return cmd
}

func (a *app) keyLimitCommand() *cobra.Command {
	var change func() (operations.KeyChange, error)
	cmd := &cobra.Command{
		Use: "limit NAME", Short: "Change what a key may do; what isn't named stays",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := change()
			if err != nil {
				return err
			}
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				k, err := o.LimitKey(cmd.Context(), args[0], c)
				if err == nil {
					fmt.Fprintf(a.stdout, "key %s may %s: %s; it ends %s\n", k.Name, access.Join(k.Scopes, ", "), strings.Join(operations.KeyWords(k), ", "), endOf(k))
				}
				return err
			})
		},
	}
	change = keyFlags(cmd)
	return cmd
}

func endOf(k *access.Key) string {
	if k.EndsAt.IsZero() {
		return "never"
	}
	return k.EndsAt.Format(time.RFC3339)
}

func (a *app) keyRotateCommand() *cobra.Command {
	return a.rotateCommand("rotate NAME", "Give a key another secret, and print it: the old one is good for a while more", (*operations.Operations).RotateKey)
}

// rotateCommand gives what its argument names another secret, and prints it.
func (a *app) rotateCommand(use, short string, rotate func(*operations.Operations, context.Context, string, time.Duration) (string, error)) *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				secret, err := rotate(o, cmd.Context(), args[0], overlap)
				if err == nil {
					fmt.Fprintln(a.stdout, secret)
				}
				return err
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "for how long the old secret is good, too; 0s: it ends at once")
	return cmd
}

type keyRow struct {
	Name     string         `json:"name"`
	Scopes   []access.Scope `json:"scopes"`
	Limits   []string       `json:"limits"`
	Created  string         `json:"created"`
	Ends     string         `json:"ends"`              // a time, or never
	Overlap  string         `json:"overlap,omitempty"` // until when the secret before is good
	LastUsed string         `json:"last_used"`         // a day; empty: never
}

func (a *app) keyListCommand() *cobra.Command {
	return tableCommand(a, "list", "List the keys, what each may do, and when it was last used", "NAME,SCOPES,LIMITS,CREATED,ENDS,LAST USED",
		func(ctx context.Context, o *operations.Operations, _ []string) ([]keyRow, error) {
			keys, err := o.Keys(ctx)
			rows := make([]keyRow, len(keys))
			for i := range keys {
				k := &keys[i]
				rows[i] = keyRow{Name: k.Name, Scopes: k.Scopes, Limits: operations.KeyWords(k), Created: k.CreatedAt.Format(time.DateOnly), Ends: endOf(k)}
				if !k.LastUsed.IsZero() {
					rows[i].LastUsed = k.LastUsed.Format(time.DateOnly)
				}
				if k.Overlap.After(time.Now()) {
					rows[i].Overlap = k.Overlap.Format(time.RFC3339)
				}
			}
			return rows, err
		},
		func(r keyRow) []any {
			if r.Overlap != "" {
				r.Limits = append(r.Limits, "two secrets until "+r.Overlap)
			}
			return []any{r.Name, access.Join(r.Scopes, ","), strings.Join(r.Limits, ", "), r.Created, r.Ends, cmp.Or(r.LastUsed, "never")}
		})
}

func (a *app) keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "End a key: the next request with it is refused",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				if err := o.RevokeKey(cmd.Context(), args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "key %s is revoked\n", args[0])
				return nil
			})
		},
	}
}

func (a *app) keyLogoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "End all sessions of the console: everyone logs in anew",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				if err := o.EndSessions(cmd.Context()); err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, "all sessions have ended")
				return nil
			})
		},
	}
}
