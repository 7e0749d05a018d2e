package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/schedule"
)

type scheduleShown struct {
	Schedule string           `json:"schedule"`
	Cron     string           `json:"cron"`
	Zone     string           `json:"zone"`
	Next     *time.Time       `json:"next"` // null: never
	Ticks    []*schedule.Tick `json:"ticks"`
}

func (a *app) scheduleListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [NAME]",
		Short: "Show what became of the last ticks, of a schedule or of all",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			all, err := c.schedules(strings.Join(args, ""))
			if err != nil {
				return err
			}
			most := 5
			if len(args) == 1 {
				most = 100
			}
			return a.withRedis(cmd.Context(), func(rdb redis.UniversalClient) error {
				return a.listSchedules(cmd.Context(), rdb, all, most, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array, with all ticks that are kept")
	return cmd
}

func (a *app) listSchedules(ctx context.Context, rdb redis.UniversalClient, all []*schedule.Schedule, most int, asJSON bool) error {
	now, err := rdb.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("read Redis's clock: %w", err)
	}
	shown := make([]scheduleShown, len(all))
	for i, s := range all {
		ticks, err := schedule.NewStore(rdb).Ticks(ctx, s.Name)
		if err != nil {
			return err
		}
		q, err := a.config.reader(rdb)
		if err == nil {
			err = sayHeld(ctx, q, ticks)
		}
		if err != nil {
			return err
		}
		shown[i] = scheduleShown{Schedule: s.Name, Cron: s.Cron, Zone: s.Clock.Zone().String(), Ticks: ticks}
		if next := s.Clock.Next(now); !next.IsZero() {
			shown[i].Next = &next
		}
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(shown)
	}
	for _, s := range shown {
		next := "never again"
		if s.Next != nil {
			next = "next " + s.Next.Format(time.RFC3339)
		}
		fmt.Fprintf(a.stdout, "%s: %s %s, %s\n", s.Schedule, s.Cron, s.Zone, next)
		t := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
		for _, tick := range s.Ticks[max(0, len(s.Ticks)-most):] {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", tick.Period, tick.State, report.Printable(tickWords(tick)))
		}
		if len(s.Ticks) == 0 {
			fmt.Fprintln(t, "  no ticks yet")
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// sayHeld puts the reason of a hold, or of a pause, under the ticks whose
// campaigns wait for a person.
func sayHeld(ctx context.Context, q *report.Reader, ticks []*schedule.Tick) error {
	for _, t := range ticks {
		if t.State != schedule.Running || t.Campaign == "" {
			continue
		}
		info, _, err := q.Campaign(ctx, t.Campaign)
		if operations.KindOf(err) == operations.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if info.Phase == campaign.Held || info.Phase == campaign.Paused {
			t.Reason = fmt.Sprintf("%s: %s", info.Phase, info.Reason)
		}
	}
	return nil
}

func tickWords(t *schedule.Tick) string {
	var words []string
	if t.Campaign != "" {
		words = append(words, fmt.Sprintf("campaign %s, %s", t.Campaign, campaign.Count(t.Total, "recipient")))
	}
	if t.Canceled {
		words = append(words, "canceled")
	}
	for _, state := range campaign.States() {
		if n := t.Outcome[state.String()]; n > 0 {
			words = append(words, campaign.Number(n)+" "+state.String())
		}
	}
	if t.Reason != "" {
		words = append(words, t.Reason)
	}
	if t.Note != "" {
		words = append(words, t.Note)
	}
	if t.By != "" {
		words = append(words, "by "+t.By)
	}
	return strings.Join(words, "; ")
}

func (a *app) scheduleNextCommand() *cobra.Command {
	var count int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "next [NAME]",
		Short: "Show when the next ticks are; needs no Redis",
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			all, err := c.schedules(strings.Join(args, ""))
			if err != nil {
				return err
			}
			if count < 1 || count > 1000 {
				return usagef("schedule next: --count must be 1 to 1000")
			}
			return a.nextTicks(all, time.Now(), count, asJSON)
		},
	}
	cmd.Flags().IntVar(&count, "count", 5, "how many of each schedule")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

type nextTick struct {
	Schedule string          `json:"schedule"`
	Period   schedule.Period `json:"period"`
	Local    time.Time       `json:"local"`    // in the schedule's zone
	Campaign campaign.ID     `json:"campaign"` // of an export: not known before
}

func (a *app) nextTicks(all []*schedule.Schedule, now time.Time, count int, asJSON bool) error {
	rows := []nextTick{}
	for _, s := range all {
		at := now
		for range count {
			if at = s.Clock.Next(at); at.IsZero() {
				break
			}
			row := nextTick{Schedule: s.Name, Period: schedule.PeriodOf(at), Local: at.In(s.Clock.Zone())}
			if len(s.Export) == 0 {
				row.Campaign = s.ID(row.Period)
			}
			rows = append(rows, row)
		}
	}
	return writeAll(a, asJSON, rows, "SCHEDULE,PERIOD,LOCAL,CAMPAIGN", func(r nextTick) []any {
		return []any{r.Schedule, r.Period, r.Local.Format("Mon 2006-01-02 15:04:05 -0700"), r.Campaign}
	})
}
