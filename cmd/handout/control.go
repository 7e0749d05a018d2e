package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.steerCommand("pause ID", "Stop sending at once; resume goes on",
		func(ctx context.Context, l *campaign.Ledger, id campaign.ID) error {
			return l.Pause(ctx, id, "paused by a person")
		})
}

func (a *app) resumeCommand() *cobra.Command {
	return a.steerCommand("resume ID", "Let a paused or held campaign run on",
		func(ctx context.Context, l *campaign.Ledger, id campaign.ID) error {
			return l.Resume(ctx, id, time.Now())
		})
}

func (a *app) cancelCommand() *cobra.Command {
	return a.steerCommand("cancel ID", "End a campaign for everyone who hasn't been sent to; it can't be undone",
		func(ctx context.Context, l *campaign.Ledger, id campaign.ID) error {
			return l.Cancel(ctx, id, "canceled by a person", time.Now())
		})
}

func (a *app) steerCommand(use, short string, do func(context.Context, *campaign.Ledger, campaign.ID) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *campaign.Ledger) error {
				if err := do(cmd.Context(), l, id); err != nil {
					return notFound(id, err)
				}
				phase, _, _, err := l.Phase(cmd.Context(), id)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "campaign %s is %s\n", id, phase)
				return nil
			})
		},
	}
}
