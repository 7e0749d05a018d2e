package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

func (a *app) acceptAsSentCommand() *cobra.Command {
	var all, yes bool
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use:   "accept-as-sent ID RECIPIENT|--all",
		Short: "Decide of people in doubt that they were sent to: nobody sends again",
		Long: "Decide of one person in doubt, or with --all of everyone in doubt in a campaign,\n" +
			"that they were sent to. They become unconfirmed, and nobody sends to them again\n" +
			"unless a person asks for it; a receipt that still comes is recorded. RECIPIENT is\n" +
			"the name in the list, the phone number, or the place in the list, as in 12.7.",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("accept-as-sent: ID is missing; see handout accept-as-sent --help")
			case len(args) > 2 || (len(args) == 2 && all): // what it is isn't repeated: it may be a phone number
				return usagef("accept-as-sent: one argument too many; it takes a campaign, and one recipient or --all")
			case len(args) == 1 && !all:
				return usagef("accept-as-sent: RECIPIENT is missing; --all decides about everyone in doubt")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *ledger.Ledger) error {
				if all {
					return a.acceptAllAsSent(cmd.Context(), l, id, *by, yes)
				}
				return a.acceptAsSent(cmd.Context(), l, id, args[1], *by, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everyone in doubt in the campaign")
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask; without a terminal nobody is asked")
	by = actorFlags(cmd)
	return cmd
}

func (a *app) acceptAsSent(ctx context.Context, l *ledger.Ledger, id campaign.ID, who string, by campaign.Actor, yes bool) error {
	info, f, err := a.one(ctx, l, id, who)
	if err != nil {
		return err
	}
	at := f.Place.String()
	if f.Seen.Record.State == campaign.InDoubt { // else there is nothing to ask
		if err := a.ask(fmt.Sprintf("Recipient %s is %s. %s", at, standing(f), translate.AcceptRisk), "Take as sent?", yes); err != nil {
			return err
		}
	}
	_, err = l.AcceptAsSent(ctx, info, f.Place, f.Seen, by, time.Now())
	var refused *campaign.TransitionError
	if errors.As(err, &refused) {
		return fmt.Errorf("recipient %s is %s, and not in doubt", at, refused.State)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "recipient %s of campaign %s is taken as sent to: unconfirmed, until a receipt says more\n", at, id)
	return nil
}

func (a *app) acceptAllAsSent(ctx context.Context, l *ledger.Ledger, id campaign.ID, by campaign.Actor, yes bool) error {
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
	b, err := l.Balance(ctx, id)
	if err != nil {
		return err
	}
	all := b.Of(campaign.InDoubt)
	if all == 0 {
		fmt.Fprintf(a.stdout, "campaign %s: nobody is in doubt\n", id)
		return nil
	}
	about := fmt.Sprintf("In campaign %s, %s %s in doubt. %s", id, plural(all, "recipient"), are(all), translate.AcceptRisk)
	if err := a.ask(about, "Take as sent?", yes); err != nil {
		return err
	}
	line := newLiveLine(a.stderr)
	n, err := l.AcceptAllAsSent(ctx, info, by, began, func(n int) {
		if line.live {
			line.show(fmt.Sprintf("%d of %d", n, all))
		}
	})
	line.end()
	if errors.Is(err, ledger.ErrRetrying) && n == 0 {
		return err
	}
	if err != nil {
		return fmt.Errorf("after %s: %w; run it again for the others", plural(n, "recipient"), err)
	}
	fmt.Fprintf(a.stdout, "campaign %s: %s taken as sent to: unconfirmed, until a receipt says more\n", id, plural(n, "recipient"))
	return nil
}
