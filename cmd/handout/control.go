package main

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.steerCommand("pause ID", "Stop sending at once; resume goes on",
		func(ctx context.Context, l *ledger.Ledger, id campaign.ID, by campaign.Actor) error {
			return l.Pause(ctx, id, by, time.Now())
		})
}

func (a *app) resumeCommand() *cobra.Command {
	return a.steerCommand("resume ID", "Let a paused or held campaign run on",
		func(ctx context.Context, l *ledger.Ledger, id campaign.ID, by campaign.Actor) error {
			return l.Resume(ctx, id, by, time.Now())
		})
}

func (a *app) cancelCommand() *cobra.Command {
	return a.steerCommand("cancel ID", "End a campaign for everyone who hasn't been sent to; it can't be undone",
		func(ctx context.Context, l *ledger.Ledger, id campaign.ID, by campaign.Actor) error {
			return l.Cancel(ctx, id, by, time.Now())
		})
}

func (a *app) rescheduleCommand() *cobra.Command {
	at := ""
	cmd := a.steerCommand("reschedule ID", "Pause a campaign until a time, at which it starts, or goes on, by itself",
		func(ctx context.Context, l *ledger.Ledger, id campaign.ID, by campaign.Actor) error {
			start, err := startTime(at, time.Now())
			if err != nil {
				return err
			}
			return l.Reschedule(ctx, id, start, by, time.Now())
		})
	cmd.Flags().StringVar(&at, "at", "", "when: as in 2026-11-23T09:00:00+01:00, or in how long: 90m")
	return cmd
}

// startTime reads a moment in the future, or the time until it.
func startTime(s string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, s)
	if in, wrong := time.ParseDuration(s); wrong == nil {
		at, err = now.Add(in), nil
	}
	switch {
	case s == "":
		return at, usagef("--at is missing: when shall it start? As in 2026-11-23T09:00:00+01:00, or in how long: 90m")
	case err != nil:
		return at, usagef("--at: %q is no time as in 2026-11-23T09:00:00+01:00, with its zone, or 90m", s)
	case !at.After(now):
		return at, usagef("--at: %s is past", s)
	}
	return at, nil
}

func (a *app) steerCommand(use, short string, do func(context.Context, *ledger.Ledger, campaign.ID, campaign.Actor) error) *cobra.Command {
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(_ redis.UniversalClient, l *ledger.Ledger) error {
				if err := do(cmd.Context(), l, id, *by); err != nil {
					return notFound(id, err)
				}
				phase, reason, _, err := l.Phase(cmd.Context(), id)
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "campaign %s is %s%s\n", id, phase, inBrackets(reason))
				return nil
			})
		},
	}
	by = actorFlags(cmd)
	return cmd
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
