package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.steerCommand("pause ID", "Stop sending at once; resume goes on", (*operations.Operations).Pause)
}

func (a *app) resumeCommand() *cobra.Command {
	return a.steerCommand("resume ID", "Let a paused or held campaign run on", (*operations.Operations).Resume)
}

func (a *app) cancelCommand() *cobra.Command {
	return a.steerCommand("cancel ID", "End a campaign for everyone who hasn't been sent to; it can't be undone", (*operations.Operations).Cancel)
}

func (a *app) rescheduleCommand() *cobra.Command {
	at := ""
	cmd := a.steerCommand("reschedule ID", "Pause a campaign until a time, at which it starts, or goes on, by itself",
		func(o *operations.Operations, ctx context.Context, s *operations.Standing, by campaign.Actor) error {
			start, err := startTime(at, time.Now())
			if err != nil {
				return err
			}
			return o.Reschedule(ctx, s, start, false, by)
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

// steerCommand makes a verb of operations, that is done to a whole campaign, a
// command.
func (a *app) steerCommand(use, short string, do func(*operations.Operations, context.Context, *operations.Standing, campaign.Actor) error) *cobra.Command {
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.operate(cmd.Context(), func(o *operations.Operations) error {
				s, err := o.Standing(cmd.Context(), id)
				if err != nil {
					return err
				}
				if err := do(o, cmd.Context(), s, *by); err != nil {
					return err
				}
				if s, err = o.Standing(cmd.Context(), id); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "campaign %s is %s\n", id, s)
				return nil
			})
		},
	}
	by = actorFlags(cmd)
	return cmd
}
