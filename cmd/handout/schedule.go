package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/s3keys"
	"github.com/handout-dev/handout/internal/schedule"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/usage"
)

func (a *app) scheduleCommand() *cobra.Command {
	var all []*schedule.Schedule
	check := func(c *Config) (err error) {
		all, err = c.schedules("")
		return err
	}
	cmd := a.serverCommand("schedule", "Open campaigns at set times, from the file HANDOUT_SCHEDULES", check, func(ctx context.Context, m *mode) error {
		r, err := a.newRunner(m, all)
		if err != nil {
			return err
		}
		return a.runServer(ctx, "HANDOUT_SCHEDULE_ADDR", m.ScheduleAddr, m.inside(), func() error { return r.Start(ctx) }, r.Stop)
	})
	cmd.Long = "Open campaigns at set times, from the file HANDOUT_SCHEDULES. Several may run at\n" +
		"once, on one Redis: a tick happens once. docs/schedule.md says how the file is\n" +
		"written, and what becomes of a tick that came while none was running."
	cmd.AddCommand(a.scheduleListCommand(), a.scheduleNextCommand(), a.scheduleRunCommand())
	return cmd
}

// schedules reads the file of schedules: the one of this name, or all without one.
func (c *Config) schedules(name string) ([]*schedule.Schedule, error) {
	all, err := schedule.Load(c.Schedules)
	if err != nil {
		return nil, usage.Wrap(err)
	}
	speaks, err := c.accounts()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		s.Region = cmp.Or(s.Region, c.Region)
		if len(speaks) > 0 {
			s.Accounts = speaks.Names()
		}
		if s.Name == name {
			return []*schedule.Schedule{s}, nil
		}
		names = append(names, s.Name)
	}
	if name != "" {
		return nil, usagef("there is no schedule %q, only %s", name, strings.Join(names, ", "))
	}
	return all, nil
}

func (a *app) newRunner(m *mode, all []*schedule.Schedule) (*schedule.Runner, error) {
	errors, ok := terminal.File(a.stderr)
	if !ok {
		errors = os.Stderr
	}
	log, err := m.trail(m.rdb)
	if err != nil {
		return nil, err
	}
	return schedule.New(schedule.Options{
		Redis: m.rdb, MasterKeys: m.MasterKeys(), Schedules: all, Logger: m.log, Metrics: m.registry, Audit: log,
		Lists: schedule.Lists{
			Private: m.ScheduleAllowPrivate, Route: m.Route(), MaxBytes: int64(m.ScheduleMaxList) << 20, Environment: os.Environ(), Errors: errors,
			S3: schedule.S3{
				Endpoint: m.ScheduleS3Endpoint, Region: m.ScheduleS3Region,
				Keys: s3keys.Keys{AccessKey: m.ScheduleS3AccessKey, SecretKey: m.ScheduleS3SecretKey, SessionToken: m.ScheduleS3SessionToken},
			},
		},
	})
}

type scheduleRunFlags struct {
	period                string
	drift, beside, dryRun bool
	asJSON                bool
	by                    *campaign.Actor
}

func (a *app) scheduleRunCommand() *cobra.Command {
	var f scheduleRunFlags
	cmd := &cobra.Command{
		Use:   "run NAME",
		Short: "Do a tick now: the latest one, or that of a period",
		Long: "Do a tick now: the latest one that was due, or that of --period. One that was done\n" +
			"already isn't done again: its campaign has the period in its ID. One that was\n" +
			"refused, missed or skipped is.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.scheduleRun(cmd.Context(), args[0], &f) },
	}
	cmd.Flags().StringVar(&f.period, "period", "", "the tick's time in UTC, as schedule list shows it: 2026-11-23T01:00Z is 02:00 in Paris")
	cmd.Flags().BoolVar(&f.drift, "accept-drift", false, "let a list pass whose size is off from the last one's")
	cmd.Flags().BoolVar(&f.beside, "beside", false, "don't mind that a tick before it isn't done")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "read and check the list, and stop there")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object: the tick")
	f.by = actorFlags(cmd)
	return cmd
}

func (a *app) scheduleRun(ctx context.Context, name string, f *scheduleRunFlags) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	named, err := c.schedules(name)
	if err != nil {
		return err
	}
	s := named[0]
	return a.withRedis(ctx, func(rdb redis.UniversalClient) error {
		now, err := rdb.Time(ctx).Result()
		if err != nil {
			return fmt.Errorf("read Redis's clock: %w", err)
		}
		r, err := a.newRunner(&mode{c, rdb, prometheus.NewRegistry(), a.logger(c), ""}, named)
		if err != nil {
			return err
		}
		p, err := r.Period(ctx, s, f.period, now)
		if no := (*schedule.PeriodError)(nil); errors.As(err, &no) {
			return usagef("--period: %w", err)
		}
		if err != nil {
			return err
		}
		if f.dryRun {
			return a.scheduleDryRun(ctx, r, s, p, f)
		}
		t, err := r.ByHand(ctx, s, p, schedule.Hand{By: f.by.Name, Why: f.by.Why, AcceptDrift: f.drift, Beside: f.beside})
		var overlap *schedule.OverlapError
		if errors.As(err, &overlap) {
			return fmt.Errorf("%w: wait for it, or say --beside", err)
		}
		if err != nil {
			return err
		}
		return a.tickDone(s, t, f.asJSON)
	})
}

func (a *app) tickDone(s *schedule.Schedule, t *schedule.Tick, asJSON bool) error {
	if asJSON {
		if err := json.NewEncoder(a.stdout).Encode(t); err != nil {
			return err
		}
	}
	switch t.State {
	case schedule.Refused:
		return fmt.Errorf("%s is refused, nothing was sent: %s", s.Key(t.Period), t.Reason)
	case schedule.Waiting:
		return fmt.Errorf("%s isn't done: %s", s.Key(t.Period), t.Reason)
	}
	if !asJSON {
		fmt.Fprintf(a.stdout, "%s is %s; %s\nWatch it with: handout report %s --follow\n", s.Key(t.Period), t.State, tickWords(t), t.Campaign)
	}
	return nil
}

func (a *app) scheduleDryRun(ctx context.Context, r *schedule.Runner, s *schedule.Schedule, p schedule.Period, f *scheduleRunFlags) error {
	d, err := r.DryRun(ctx, s, p, f.drift)
	if err != nil {
		return fmt.Errorf("%s would be refused: %w", s.Key(p), err)
	}
	a.badRows(d.Summary)
	a.duplicates(d.Summary)
	if f.asJSON {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"period": p, "campaign": s.ID(p), "recipients": d.Summary.Recipients})
	}
	fmt.Fprintf(a.stdout, "%s would open campaign %s, with %s\n", s.Key(p), s.ID(p), campaign.Count(d.Summary.Recipients, "recipient"))
	for _, sample := range d.Samples {
		fmt.Fprintln(a.stdout, string(sample))
	}
	return nil
}
