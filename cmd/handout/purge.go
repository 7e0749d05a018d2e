package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
)

func (a *app) purgeCommand() *cobra.Command {
	var yes bool
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use:   "purge ID",
		Short: "Delete who is in a campaign that is done; its counts and its history stay",
		Long: "Delete who is in a campaign that is done: phone numbers, names, columns, and what\n" +
			"became of each. Its content, counts and history stay, and its ID stays taken.\n" +
			"It can't be undone; handout export ID first to keep a record. Workers do the\n" +
			"same by themselves when a campaign's retention has passed.",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.operate(cmd.Context(), func(o *operations.Operations) error { return a.purge(cmd.Context(), o, id, *by, yes) })
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask; without a terminal there is no question")
	by = actorFlags(cmd)
	return cmd
}

func (a *app) purge(ctx context.Context, o *operations.Operations, id campaign.ID, by campaign.Actor, yes bool) error {
	s, err := o.Standing(ctx, id)
	if err == nil {
		err = s.Purgeable()
	}
	if err != nil {
		return err
	}
	info := s.Info
	switch {
	case !info.EmptiedAt.IsZero():
		fmt.Fprintf(a.stdout, "campaign %s was purged on %s; there is nothing left to delete\n", id, info.PurgedAt.Format(time.DateOnly))
		return nil
	case !info.PurgedAt.IsZero(): // a person has said yes to it
		fmt.Fprintf(a.stderr, "campaign %s was purged on %s, and not to the end; going on\n", id, info.PurgedAt.Format(time.DateOnly))
	default:
		about := fmt.Sprintf("This deletes for good who is in campaign %s, %s, and what became of each. %s", id, operations.Count(info.Total, "recipient"), s.Risk(operations.VerbPurge))
		if err := a.ask(strings.TrimSpace(about)+" The counts and the history stay.", "Purge it?", yes); err != nil {
			return err
		}
	}
	line := newLiveLine(a.stderr)
	err = o.Purge(ctx, s, by, func(done, all int) {
		if line.live {
			line.show(fmt.Sprintf("%d %% deleted", 100*done/all))
		}
	})
	line.end()
	if err == nil {
		fmt.Fprintf(a.stdout, "campaign %s is purged: the data of its %s is gone\n", id, operations.Count(info.Total, "recipient"))
	}
	return err
}
