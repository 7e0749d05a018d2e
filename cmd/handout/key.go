package main

import (
	"cmp"
	"context"
	"fmt"
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

// keyRow is a key as it is listed.
type keyRow struct {
	Name     string         `json:"name"`
	Scopes   []access.Scope `json:"scopes"`
	Created  string         `json:"created"`
	LastUsed string         `json:"last_used"` // a day; empty: never
}

func (a *app) keyListCommand() *cobra.Command {
	return tableCommand(a, "list", "List the keys, and when each was last used", "NAME,SCOPES,CREATED,LAST USED",
		func(ctx context.Context, o *operations.Operations, _ []string) ([]keyRow, error) {
			keys, err := o.Keys(ctx)
			rows := make([]keyRow, len(keys))
			for i, k := range keys {
				rows[i] = keyRow{Name: k.Name, Scopes: k.Scopes, Created: k.CreatedAt.Format(time.DateOnly)}
				if !k.LastUsed.IsZero() {
					rows[i].LastUsed = k.LastUsed.Format(time.DateOnly)
				}
			}
			return rows, err
		},
		func(r keyRow) []any {
			return []any{r.Name, access.Join(r.Scopes, ","), r.Created, cmp.Or(r.LastUsed, "never")}
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
