package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/access"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Make, list and revoke the keys of other apps for the API",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("key: create, list or revoke is missing; see %s --help", cmd.CommandPath())
		},
	}
	cmd.AddCommand(a.keyCreateCommand(), a.keyListCommand(), a.keyRevokeCommand())
	return cmd
}

func (a *app) keyCreateCommand() *cobra.Command {
	var keyName, scopes string
	long := "Make a key, and print it on standard output: it can't be shown again. Its name stands\n" +
		"in the history of the campaigns that it steers. No scope includes another:\n"
	for _, s := range access.Scopes() {
		long += fmt.Sprintf("\n  %-9s%s", s, s.About())
	}
	cmd := &cobra.Command{
		Use: "create", Short: "Make a key, and print it: it can't be shown again", Long: long,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if keyName == "" || scopes == "" {
				return usagef("key create: --name and --scopes are needed, as in --name billing --scopes submit,read")
			}
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				token, err := o.CreateKey(cmd.Context(), keyName, scopes)
				if err == nil {
					fmt.Fprintln(a.stdout, token)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&keyName, "name", "", "whose key it is, as in billing")
	cmd.Flags().StringVar(&scopes, "scopes", "", "what it may do: "+access.Join(access.Scopes(), ", ")+", separated by commas")
	return cmd
}

func (a *app) keyListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys, and when each was last used",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				all, err := o.Keys(cmd.Context())
				if err != nil {
					return err
				}
				return a.listKeys(all, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func (a *app) listKeys(keys []access.Key, asJSON bool) error {
	type row struct {
		Name     string         `json:"name"`
		Scopes   []access.Scope `json:"scopes"`
		Created  string         `json:"created"`
		LastUsed string         `json:"last_used"` // a day; empty: never
	}
	rows := make([]row, len(keys))
	for i, k := range keys {
		rows[i] = row{Name: k.Name, Scopes: k.Scopes, Created: k.CreatedAt.Format(time.DateOnly)}
		if !k.LastUsed.IsZero() {
			rows[i].LastUsed = k.LastUsed.Format(time.DateOnly)
		}
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(rows)
	}
	t := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tSCOPES\tCREATED\tLAST USED")
	for i, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Name, access.Join(r.Scopes, ","), r.Created, keys[i].Used())
	}
	return t.Flush()
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
