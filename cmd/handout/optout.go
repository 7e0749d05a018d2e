package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/usage"
)

// optOutRow is a STOP without a number, in JSON.
type optOutRow struct {
	ID       string `json:"id"`
	Written  string `json:"written"`
	User     string `json:"user"`
	Original string `json:"original_reference_id"`
}

func (a *app) suppressUnresolved() *cobra.Command {
	cmd := tableCommand(a, "unresolved", "List the STOPs whose number isn't known", "ID,WRITTEN,USER,ANSWERS",
		func(ctx context.Context, o *operations.Operations, _ []string) ([]optOutRow, error) {
			all, err := o.OptOuts(ctx)
			rows := make([]optOutRow, len(all))
			for i, u := range all {
				rows[i] = optOutRow{u.ID, u.At.UTC().Format(time.RFC3339), u.User, u.Original}
			}
			return rows, err
		},
		func(r optOutRow) []any { return []any{r.ID, r.Written, report.Printable(r.User), r.Original} })
	cmd.Long = "List the STOPs whose number isn't known: they came without one, or from a WhatsApp\n" +
		"user name, and answer no message that handout knows. Find out whose they are, and\n" +
		"settle each with suppress settle."
	return cmd
}

func (a *app) suppressSettle() *cobra.Command {
	var by *campaign.Actor
	var none bool
	cmd := &cobra.Command{
		Use:   "settle ID [PHONE]",
		Short: "Put the number of a STOP on the list, or let it go",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 || none == (len(args) == 2) {
				return usagef("%s takes the ID of a STOP, and its number or --none", usage.Name(cmd))
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
