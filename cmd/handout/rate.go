package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
)

// rateChange is what `handout rate` was asked for.
type rateChange struct {
	id    campaign.ID // empty: the account
	rate  float64     // 0: only show, or reset
	reset bool
	by    *campaign.Actor
}

func (a *app) rateCommand() *cobra.Command {
	var account, asJSON bool
	var change rateChange
	cmd := &cobra.Command{
		Use:   "rate ID|--account [RATE|--reset]",
		Short: "Show or set how many messages per second a campaign, or the account, may send",
		Long: "Show or set how many messages per second a campaign, or the account, may send. A\n" +
			"change holds within a second in all workers, and until it is changed again. A\n" +
			"campaign's rate stays under the account's. --reset goes back to the rate in the\n" +
			"campaign's file, or to the workers' HANDOUT_RATE.",
		Example: "  handout rate spring 5\n  handout rate spring --reset\n  handout rate --account 20",
		Args:    cobra.ArbitraryArgs, // checked below: --account stands in the place of one
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := change.parse(args, account); err != nil {
				return err
			}
			if change.rate > 0 || change.reset {
				if err := a.operate(cmd.Context(), func(o *operations.Operations) error { return change.make(cmd.Context(), o) }); err != nil {
					return err
				}
			}
			return a.query(cmd.Context(), func(q *report.Reader) error { return a.showRate(cmd.Context(), q, change.id, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&account, "account", false, "the account's rate, for all campaigns together")
	cmd.Flags().BoolVar(&change.reset, "reset", false, "go back to the rate of the file, or of the environment")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	change.by = actorFlags(cmd)
	return cmd
}

func (c *rateChange) parse(args []string, account bool) (err error) {
	if !account {
		if len(args) == 0 {
			return usagef("rate: ID or --account is missing; usage: handout rate ID|--account [RATE|--reset] [flags]")
		}
		if c.id, err = parseID(args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	switch {
	case len(args) > 1:
		return usagef("rate: %q is one argument too many; usage: handout rate ID|--account [RATE|--reset] [flags]", args[1])
	case len(args) == 0:
		return nil
	case c.reset:
		return usagef("rate: either a rate or --reset, not both")
	}
	if c.rate, err = operations.ParseRate(args[0]); err != nil {
		return usagef("rate: %w", err)
	}
	return nil
}

func (c *rateChange) make(ctx context.Context, o *operations.Operations) (err error) {
	var s *operations.Standing
	if c.id != "" {
		if s, err = o.Standing(ctx, c.id); err != nil {
			return err
		}
	}
	if c.reset {
		return o.ResetRate(ctx, s, *c.by)
	}
	return o.SetRate(ctx, s, c.rate, *c.by)
}

// showRate shows what is in force for a campaign, or for the account if id is empty.
func (a *app) showRate(ctx context.Context, q *report.Reader, id campaign.ID, asJSON bool) error {
	shown, err := q.Rate(ctx, id)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(shown)
	}
	writeRate(a, shown)
	return nil
}

func writeRate(a *app, s *report.Rate) {
	name, source := "account", "HANDOUT_RATE here"
	if s.Campaign != "" {
		name, source = "campaign "+s.Campaign, "in its file"
	}
	fmt.Fprintf(a.stdout, "%s: %s messages per second\n", name, perSecond(s.Rate))
	if s.Set != nil {
		why := ""
		if s.Set.Why != "" {
			why = ": " + s.Set.Why
		}
		fmt.Fprintf(a.stdout, "  %s set by %s at %s%s\n", perSecond(s.Set.Rate), s.Set.By, s.Set.At.Format(time.RFC3339), why)
	}
	if s.Own != nil {
		fmt.Fprintf(a.stdout, "  %s %s\n", perSecond(*s.Own), source)
	}
	if s.Campaign != "" {
		fmt.Fprintf(a.stdout, "  %s for the account\n", perSecond(s.Account))
	}
	if s.Granted != nil {
		fmt.Fprintf(a.stdout, "  %s is what Telesign grants the account, as measured since %s; it is tried for more by itself\n",
			tenth(*s.Granted), s.GrantedSince.Format(time.RFC3339))
	}
}

// tenth is for a rate that is measured.
func tenth(rate float64) string { return perSecond(math.Round(rate*10) / 10) }

func perSecond(rate float64) string {
	return strconv.FormatFloat(math.Round(rate*1000)/1000, 'f', -1, 64)
}
