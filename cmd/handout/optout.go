package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

// optOutRow is a STOP without a number, in JSON.
type optOutRow struct {
	ID       string `json:"id"`
	Written  string `json:"written"`
	User     string `json:"user"`
	Original string `json:"original_reference_id"`
}

func (a *app) suppressUnresolved() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "unresolved",
		Short: "List the STOPs whose number isn't known",
		Long: "List the STOPs whose number isn't known: they came without one, or from a WhatsApp\n" +
			"user name, and answer no message that handout knows. Find out whose they are, and\n" +
			"settle each with suppress settle.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				return a.listOptOuts(cmd.Context(), o, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write NDJSON: an object a line")
	return cmd
}

func (a *app) listOptOuts(ctx context.Context, o *operations.Operations, asJSON bool) error {
	all, err := o.OptOuts(ctx)
	if err != nil {
		return err
	}
	if !asJSON && len(all) == 0 {
		fmt.Fprintln(a.stdout, "every STOP has its number")
		return nil
	}
	objects, table := json.NewEncoder(a.stdout), tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(table, "id\twritten\tuser\tanswers")
	}
	for _, u := range all {
		row := optOutRow{u.ID, u.At.UTC().Format(time.RFC3339), u.User, u.Original}
		if asJSON {
			err = objects.Encode(row)
		} else {
			_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", row.ID, row.Written, printable(row.User), row.Original)
		}
		if err != nil {
			return err
		}
	}
	return table.Flush()
}

func (a *app) suppressSettle() *cobra.Command {
	var by *campaign.Actor
	var none bool
	cmd := &cobra.Command{
		Use:   "settle ID [PHONE]",
		Short: "Put the number of a STOP on the list, or let it go",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || none == (len(args) == 2) {
				return usagef("%s takes the ID of a STOP, and its number or --none", name(cmd))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				number := ""
				if !none {
					number = args[1]
				}
				s, err := o.SettleOptOut(cmd.Context(), args[0], number, *by)
				switch {
				case err != nil:
					return err
				case s == nil:
					fmt.Fprintln(a.stdout, "the STOP is settled, and no number is on the list for it")
				default:
					fmt.Fprintln(a.stdout, "the STOP is settled: "+describeEntry(s, "is on the list"))
				}
				return nil
			})
		},
	}
	by = actorFlags(cmd)
	cmd.Flags().BoolVar(&none, "none", false, "let it go, with --why: no number is put on the list")
	return cmd
}
