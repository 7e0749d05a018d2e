package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

func (a *app) retryCommand() *cobra.Command {
	var only string
	var yes bool
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use:   "retry ID",
		Short: "Send again to all who are in one state: failed, unconfirmed or in_doubt",
		Long: "Send again to all who are in one state, with the campaign's content as it stands.\n" +
			"It says first how many they are, and asks on a terminal.",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			state, err := operations.RetryState(only)
			if err != nil {
				return usagef("retry: --%w", err)
			}
			return a.decideAll(cmd.Context(), resending, id, state, *by, yes)
		},
	}
	cmd.Flags().StringVar(&only, "only", "", "failed, unconfirmed or in_doubt")
	by = a.decisionFlags(cmd, &yes)
	return cmd
}

// decideAll decides about everyone in a state.
func (a *app) decideAll(ctx context.Context, d decision, id campaign.ID, state campaign.State, by campaign.Actor, yes bool) error {
	return a.operate(ctx, func(o *operations.Operations) error {
		s, err := o.Select(ctx, id, d.verb, state)
		if err != nil {
			return err
		}
		word := strings.ReplaceAll(state.String(), "_", " ")
		if s.Count == 0 {
			fmt.Fprintf(a.stdout, "campaign %s: nobody is %s\n", id, word)
			return nil
		}
		if err := a.ask(fmt.Sprintf("In campaign %s, %s %s %s. %s", id, operations.Count(s.Count, "recipient"), are(s.Count), word, d.verb.RiskOf(state)), d.question, yes); err != nil {
			return err
		}
		line := newLiveLine(a.stderr)
		n, err := o.DecideAll(ctx, s, by, func(n int) {
			if line.live {
				line.show(fmt.Sprintf("%d of %d", n, s.Count))
			}
		})
		line.end()
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "campaign %s: %s %s\n", id, operations.Count(n, "recipient"), d.done)
		return nil
	})
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
