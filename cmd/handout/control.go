package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.steerCommand("pause ID", "Stop sending at once; resume goes on", (*operations.Operations).Pause)
}

func (a *app) resumeCommand() *cobra.Command {
	return a.askedCommand("resume ID", "Resume a paused or held campaign; it asks on a terminal", operations.VerbResume, (*operations.Operations).Resume)
}

func (a *app) cancelCommand() *cobra.Command {
	return a.askedCommand("cancel ID", "End a campaign for everyone who hasn't been sent to; it can't be undone, and asks on a terminal", operations.VerbCancel, (*operations.Operations).Cancel)
}

func (a *app) rescheduleCommand() *cobra.Command {
	at := ""
	cmd := a.steerCommand("reschedule ID", "Reschedule a campaign: it is paused until a time, and goes on by itself then",
		func(o *operations.Operations, ctx context.Context, s *operations.Standing, by campaign.Actor) error {
			start, err := startTime(at, time.Now())
			switch {
			case err != nil:
				return err
			case !start.After(time.Now()):
				return usagef("--at: %s is past", at)
			}
			return o.Reschedule(ctx, s, start, false, by)
		})
	cmd.Flags().StringVar(&at, "at", "", "when: as in 2026-11-23T09:00:00+01:00, or in how long: 90m")
	return cmd
}

// startTime reads a moment, or the time until it.
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
	}
	return at, nil
}

// steerCommand makes a verb of operations, that is done to a whole campaign, a
// command.
func (a *app) steerCommand(use, short string, do func(*operations.Operations, context.Context, *operations.Standing, campaign.Actor) error) *cobra.Command {
	var by *campaign.Actor
	cmd := ofCampaign(use, short, "", func(ctx context.Context, id campaign.ID, _ []string) error {
		return a.operate(ctx, func(o *operations.Operations) error {
			s, err := o.Standing(ctx, id)
			if err == nil {
				err = do(o, ctx, s, *by)
			}
			if err == nil {
				s, err = o.Standing(ctx, id)
			}
			if err == nil {
				fmt.Fprintf(a.stdout, "campaign %s is %s\n", id, s)
			}
			return err
		})
	})
	by = actorFlags(cmd)
	return cmd
}

// askedCommand is steerCommand for what is asked first, in the words of the page's
// question. The verb is done to the campaign as the person was shown it, or is stale.
func (a *app) askedCommand(use, short string, v operations.Verb, do func(*operations.Operations, context.Context, *operations.Standing, campaign.Actor) error) *cobra.Command {
	yes := false
	cmd := a.steerCommand(use, short, func(o *operations.Operations, ctx context.Context, s *operations.Standing, by campaign.Actor) error {
		if !yes && s.May(v) && asks() {
			if err := a.ask(strings.Join(append(s.About(v), s.Risk(v)), " "), strings.ToUpper(string(v[:1]))+string(v[1:])+" it?", false); err != nil {
				return err
			}
			stands, err := o.Standing(ctx, s.Info.ID)
			if err == nil {
				err = stands.Seen(s.Info.Phase, s.Info.Reason)
			}
			if err != nil {
				return err
			}
			s = stands
		}
		return do(o, ctx, s, by)
	})
	cmd.Flags().BoolVar(&yes, "yes", false, "don't ask; without a terminal there is no question")
	return cmd
}

type rateChange struct {
	id      campaign.ID // empty: the account
	account string      // empty: a campaign
	rate    float64     // 0: only show, or reset
	reset   bool
	by      *campaign.Actor
}

func (a *app) rateCommand() *cobra.Command {
	var asJSON bool
	var change rateChange
	cmd := &cobra.Command{
		Use:   "rate ID|--account [RATE|--reset]",
		Short: "Show or set how many messages per second a campaign, or the account, may send",
		Long: "Show or set how many messages per second a campaign, or the account, may send. A\n" +
			"change holds within a second in all workers, and until it is changed again. A\n" +
			"campaign's rate stays under the account's. --reset goes back to the rate in the\n" +
			"campaign's file, or to the workers' HANDOUT_RATE.",
		Args: cobra.ArbitraryArgs, // checked below: --account stands in the place of one
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := change.parse(args); err != nil {
				return err
			}
			if change.rate > 0 || change.reset {
				if err := a.operate(cmd.Context(), func(o *operations.Operations) error { return change.make(cmd.Context(), o) }); err != nil {
					return err
				}
			}
			return a.query(cmd.Context(), func(q *report.Reader) error { return a.showRate(cmd.Context(), q, &change, asJSON) })
		},
	}
	cmd.Flags().StringVar(&change.account, "account", "", "an account's rate, for all its campaigns together, as in --account=us; without a name the default's")
	cmd.Flags().Lookup("account").NoOptDefVal = campaign.DefaultAccount
	cmd.Flags().BoolVar(&change.reset, "reset", false, "go back to the rate of the file, or of the environment")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	change.by = actorFlags(cmd)
	return cmd
}

func (c *rateChange) parse(args []string) (err error) {
	if c.account == "" {
		if len(args) == 0 {
			return usagef("rate: ID or --account is missing; usage: handout rate ID|--account [RATE|--reset] [flags]")
		}
		if c.id, err = parseID(args[0]); err != nil {
			return err
		}
		args = args[1:]
	} else if len(args) > 0 { // --account us, without =
		if _, err := strconv.ParseFloat(args[0], 64); err != nil && campaign.ValidAccount(args[0]) {
			c.account, args = args[0], args[1:]
		}
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
	switch {
	case s == nil && c.reset:
		return o.ResetAccountRate(ctx, c.account, *c.by)
	case s == nil:
		return o.SetAccountRate(ctx, c.account, c.rate, *c.by)
	case c.reset:
		return o.ResetRate(ctx, s, *c.by)
	}
	return o.SetRate(ctx, s, c.rate, *c.by)
}

// showRate shows what is in force for a campaign, or for an account.
func (a *app) showRate(ctx context.Context, q *report.Reader, c *rateChange, asJSON bool) error {
	var s *report.Rate
	var err error
	if c.id != "" {
		s, err = q.Rate(ctx, c.id)
	} else {
		s, err = q.AccountRate(ctx, c.account)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(s)
	}
	name, source := "account", "HANDOUT_RATE here"
	if s.Of != "" {
		name, source = "account "+s.Of, "in the file of accounts"
	}
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
	if s.Own > 0 {
		fmt.Fprintf(a.stdout, "  %s %s\n", perSecond(s.Own), source)
	}
	if s.Campaign != "" {
		fmt.Fprintf(a.stdout, "  %s for the account\n", perSecond(s.Account))
	}
	if s.GrantedSince != nil {
		fmt.Fprintf(a.stdout, "  %s is what Telesign grants the account, as measured since %s; it is tried for more by itself\n",
			perSecond(math.Round(s.Granted*10)/10), s.GrantedSince.Format(time.RFC3339))
	}
	return nil
}

func perSecond(rate float64) string {
	return strconv.FormatFloat(math.Round(rate*1000)/1000, 'f', -1, 64)
}
