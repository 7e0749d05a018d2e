package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/schedule"
)

func (a *app) scheduleCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Open campaigns at set times, from the file HANDOUT_SCHEDULES",
		Long: "Open campaigns at set times, from the file HANDOUT_SCHEDULES. Several may run at\n" +
			"once, on one Redis: a tick happens once. docs/schedule.md says how the file is\n" +
			"written, and what becomes of a tick that nobody was there for.",
		RunE: func(cmd *cobra.Command, _ []string) error { return a.schedule(cmd.Context()) },
	}
	cmd.AddCommand(a.scheduleListCommand(), a.scheduleNextCommand(), a.scheduleRunCommand())
	return cmd
}

func (a *app) schedule(ctx context.Context) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	all, err := c.schedules()
	if err != nil {
		return err
	}
	rdb, registry, err := a.openMetered(ctx)
	if err != nil {
		return err
	}
	var running error
	defer func() { closeRedis(rdb, running) }()
	r, err := a.newRunner(c, rdb, all, registry)
	if err != nil {
		return err
	}
	s, err := listenOn(ctx, "HANDOUT_SCHEDULE_ADDR", c.ScheduleAddr, inside(rdb, registry))
	if err != nil {
		return err
	}
	if err := r.Start(ctx); err != nil {
		return joinStop(err, s)
	}
	s.announce(a.stdout)
	err = s.wait(ctx)
	running = r.Stop() // while the health page still answers
	return joinStop(errors.Join(err, running), s)
}

// schedules reads the file of schedules.
func (c *Config) schedules() ([]*schedule.Schedule, error) {
	all, err := schedule.Load(c.Schedules)
	if err != nil {
		return nil, usageError{err}
	}
	for _, s := range all {
		if s.Region == "" {
			s.Region = c.Region
		}
	}
	return all, nil
}

func (a *app) newRunner(c *Config, rdb redis.UniversalClient, all []*schedule.Schedule, r prometheus.Registerer) (*schedule.Runner, error) {
	errors, ok := a.stderr.(*os.File)
	if !ok {
		errors = os.Stderr
	}
	return schedule.New(schedule.Options{
		Redis: rdb, Schedules: all, Logger: a.logger(c), Metrics: r,
		Lists: schedule.Lists{
			Private: c.ScheduleAllowPrivate, MaxBytes: int64(c.ScheduleMaxList) << 20, Environment: programEnvironment(), Errors: errors,
			S3: schedule.S3{
				Endpoint: c.ScheduleS3Endpoint, Region: c.ScheduleS3Region,
				AccessKey: c.ScheduleS3AccessKey, SecretKey: c.ScheduleS3SecretKey,
			},
		},
	})
}

// programEnvironment is this process's, without the secrets that no list needs.
func programEnvironment() []string {
	var kept []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name != "TELESIGN_API_KEY" && name != "HANDOUT_TELESIGN_API_KEY" && name != "HANDOUT_SCHEDULE_S3_SECRET_KEY" {
			kept = append(kept, kv)
		}
	}
	return kept
}

// scheduleNamed finds one of the file.
func scheduleNamed(all []*schedule.Schedule, name string) (*schedule.Schedule, error) {
	var names []string
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return nil, usagef("there is no schedule %q, only %s", name, strings.Join(names, ", "))
}
