package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

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

func (a *app) withKeys(ctx context.Context, f func(*access.Keys) error) error {
	rdb, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer rdb.Close()
	return f(access.NewKeys(rdb))
}

func (a *app) keyCreateCommand() *cobra.Command {
	var name, scopes string
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a key, and print it: it can't be shown again",
		Long: "Make a key, and print it on standard output: it can't be shown again. Its name stands\n" +
			"in the history of the campaigns that it steers. Scopes: read looks at campaigns and\n" +
			"outcomes, submit hands over campaigns and sends, control steers, people sees phone\n" +
			"numbers in full. None includes another.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" || scopes == "" {
				return usagef("key create: --name and --scopes are needed, as in --name billing --scopes submit,read")
			}
			parsed, err := access.ParseScopes(scopes)
			if err != nil {
				return usagef("key create: --scopes: %w", err)
			}
			return a.withKeys(cmd.Context(), func(keys *access.Keys) error {
				token, err := keys.Create(cmd.Context(), name, parsed, time.Now())
				if errors.Is(err, access.ErrBadName) {
					return usagef("key create: --name: %w", err)
				}
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, token)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "whose key it is, as in billing")
	cmd.Flags().StringVar(&scopes, "scopes", "", "what it may do: read, submit, control, people, with commas between them")
	return cmd
}

func (a *app) keyListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys, and when each was last used",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withKeys(cmd.Context(), func(keys *access.Keys) error {
				all, err := keys.List(cmd.Context())
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
	for _, r := range rows {
		names := make([]string, len(r.Scopes))
		for i, s := range r.Scopes {
			names[i] = string(s)
		}
		used := r.LastUsed
		if used == "" {
			used = "never"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", r.Name, strings.Join(names, ","), r.Created, used)
	}
	return t.Flush()
}

func (a *app) keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "End a key: the next request with it is refused",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withKeys(cmd.Context(), func(keys *access.Keys) error {
				if err := keys.Revoke(cmd.Context(), args[0]); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "key %s is revoked\n", args[0])
				return nil
			})
		},
	}
}
