package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
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
			state, ok := campaign.ParseState(only)
			if !ok || (state != campaign.Failed && state != campaign.Unconfirmed && state != campaign.InDoubt) {
				return usagef("retry: --only must be failed, unconfirmed or in_doubt")
			}
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *ledger.Ledger) error {
				return a.retry(cmd.Context(), l, id, state, *by, yes)
			})
		},
	}
	cmd.Flags().StringVar(&only, "only", "", "failed, unconfirmed or in_doubt")
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask; without a terminal nobody is asked")
	by = actorFlags(cmd)
	return cmd
}

func (a *app) retry(ctx context.Context, l *ledger.Ledger, id campaign.ID, state campaign.State, by campaign.Actor, yes bool) error {
	// Before the number is shown that the person says yes to.
	began, err := l.Now(ctx)
	if err != nil {
		return err
	}
	info, err := a.standing(ctx, l, id)
	if err != nil {
		return err
	}
	if err := info.Gone(); err != nil {
		return err
	}
	if info.Canceled {
		return fmt.Errorf("campaign %s was canceled: nobody in it is sent to again", id)
	}
	b, err := l.Balance(ctx, id)
	if err != nil {
		return err
	}
	if b.Of(state) == 0 {
		fmt.Fprintf(a.stdout, "campaign %s: nobody is %s\n", id, state)
		return nil
	}
	about := fmt.Sprintf("In campaign %s, %s %s.", id, plural(b.Of(state), "recipient"), are(b.Of(state))+" "+state.String())
	if err := a.confirm(about+" "+translate.ResendRisk(state), yes); err != nil {
		return err
	}
	line := newLiveLine(a.stderr)
	n, err := l.ResendAll(ctx, info, state, by, began, func(n int) {
		if line.live {
			line.show(fmt.Sprintf("%d of %d", n, b.Of(state)))
		}
	})
	line.end()
	if errors.Is(err, ledger.ErrRetrying) && n == 0 {
		return err
	}
	if err != nil {
		return fmt.Errorf("after %s: %w; run it again for the others", plural(n, "recipient"), err)
	}
	fmt.Fprintf(a.stdout, "campaign %s: %s to be sent to again\n", id, plural(n, "recipient"))
	return nil
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
