package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

func (a *app) purgeCommand() *cobra.Command {
	var yes bool
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use:   "purge ID",
		Short: "Delete who is in a campaign that is done; its counts and its history stay",
		Long: "Delete who is in a campaign that is done: phone numbers, names, columns, and what\n" +
			"became of each. Its content, counts and history stay, and its ID stays taken.\n" +
			"It can't be undone; handout export ID first, if anybody will ask. Workers do the\n" +
			"same by themselves when a campaign's retention has passed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *ledger.Ledger) error {
				return a.purge(cmd.Context(), l, id, *by, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask; without a terminal nobody is asked")
	by = actorFlags(cmd)
	return cmd
}

func (a *app) purge(ctx context.Context, l *ledger.Ledger, id campaign.ID, by campaign.Actor, yes bool) error {
	info, err := a.standing(ctx, l, id)
	if err != nil {
		return err
	}
	now := time.Now()
	if err := purgeable(info, now); err != nil {
		return err
	}
	switch {
	case !info.EmptiedAt.IsZero():
		fmt.Fprintf(a.stdout, "campaign %s was purged on %s; there is nothing left to delete\n", id, info.PurgedAt.Format(time.DateOnly))
		return nil
	case !info.PurgedAt.IsZero(): // somebody has said yes to it
		fmt.Fprintf(a.stderr, "campaign %s was purged on %s, and not to the end; going on\n", id, info.PurgedAt.Format(time.DateOnly))
	default:
		if err := a.askPurge(ctx, l, info, yes); err != nil {
			return err
		}
	}
	line := newLiveLine(a.stderr)
	err = l.Purge(ctx, info, by, now, func(done, all int) {
		if line.live {
			line.show(fmt.Sprintf("%d %% deleted", 100*done/all))
		}
	})
	line.end()
	var steered *campaign.PhaseError
	switch {
	case errors.As(err, &steered):
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("campaign %s may be purged in part: handout purge %s finishes it, and so does a worker", id, id)
	case err != nil:
		return fmt.Errorf("%w; run it again to finish it", err)
	}
	fmt.Fprintf(a.stdout, "campaign %s is purged: the data of its %s is gone\n", id, plural(info.Total, "recipient"))
	return nil
}

func (a *app) askPurge(ctx context.Context, l *ledger.Ledger, info *campaign.Info, yes bool) error {
	b, err := l.Balance(ctx, info.ID)
	if err != nil {
		return err
	}
	about := fmt.Sprintf("This deletes for good who is in campaign %s, %s, and what became of each.", info.ID, plural(info.Total, "recipient"))
	if n := b.Of(campaign.InDoubt); n > 0 {
		about += fmt.Sprintf(" %d of them %s in doubt, and nobody will ever know.", n, are(n))
	}
	return a.ask(about+" The counts and the history stay.", "Purge it?", yes)
}

// purgeable says what is to be done first.
func purgeable(info *campaign.Info, now time.Time) error {
	id := info.ID
	switch info.Phase {
	case campaign.Done:
	case campaign.Settling, campaign.Ended:
		return fmt.Errorf("campaign %s is %s: outcomes are still to come; purge it when it is done (handout report %s --follow waits for that)", id, info.Phase, id)
	default:
		return fmt.Errorf("campaign %s is %s: it can be purged when it is done; handout cancel %s ends it", id, info.Phase, id)
	}
	if until := info.KeysUntil(); until.After(now) {
		return fmt.Errorf("campaign %s keeps one-off sends from being made twice; it can be purged from %s on", id, until.Format(time.RFC3339))
	}
	return nil
}
