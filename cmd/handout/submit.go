package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/producer"
)

type submitFlags struct {
	dryRun, setAside, hold, asJSON bool
	at                             string
	by                             *campaign.Actor
}

func (a *app) submitCommand() *cobra.Command {
	var f submitFlags
	cmd := &cobra.Command{
		Use:   "submit CAMPAIGN.yaml LIST.csv",
		Short: "Open a campaign: check everything, then hand the list over",
		Long: "Open a campaign: check everything, then hand the list over. Nothing is sent before\n" +
			"all of it has been checked. The campaign's ID makes it safe to run again: after an\n" +
			"interruption it finishes the job, after success it changes nothing.\n\n" +
			"The list is CSV with a header (recipient, phone, and columns for the templates),\n" +
			"or NDJSON with the same names, in a file that ends in .ndjson or .jsonl.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.submit(cmd.Context(), args[0], args[1], f)
		},
	}
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check, show samples and counts, and stop there; needs no Redis")
	cmd.Flags().BoolVar(&f.setAside, "set-aside-bad-rows", false, "send to the good rows and report the bad ones; otherwise any bad row rejects the list")
	cmd.Flags().BoolVar(&f.hold, "hold", false, "don't send yet: handout resume ID begins")
	cmd.Flags().StringVar(&f.at, "at", "", "start by itself at this time, as in 2026-11-23T09:00:00+01:00, or in so long: 90m")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object: the campaign's report")
	f.by = actorFlags(cmd)
	return cmd
}

func (a *app) submit(ctx context.Context, campaignPath, listPath string, f submitFlags) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	begin := campaign.Beginning{By: *f.by, Hold: f.hold}
	if f.at != "" {
		if begin.StartAt, err = startTime(f.at, time.Now()); err != nil {
			return err
		}
	}
	file, err := readCampaign(campaignPath)
	if err != nil {
		return a.refused(err)
	}
	line := newLiveLine(a.stderr)
	s := &operations.Submission{
		File: file, List: producer.ListFile(listPath), Begin: begin, SetAside: f.setAside, Progress: rowsProgress(line),
		OnWait: func() { line.show("another submit of this campaign is under way; waiting for it") },
	}
	if f.dryRun {
		d, err := operations.New(nil, operations.Options{Region: c.Region, AccountRate: c.Rate}).DryRun(ctx, s)
		line.end()
		if err != nil {
			return a.refused(err)
		}
		return a.showDryRun(s, d, f.asJSON)
	}
	var result *producer.Result
	err = a.operate(ctx, func(o *operations.Operations) error {
		result, err = o.Submit(ctx, s)
		return err
	})
	line.end()
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; run the same command again: it finishes the job, and sends to each person once")
	case err != nil:
		return a.refused(err)
	case !f.asJSON:
		a.describe(result)
		return nil
	}
	a.badRows(result.Summary)
	rdb, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer rdb.Close()
	r, _, err := report.NewReader(rdb, c.Rate).Read(ctx, result.Info.ID)
	if err != nil {
		return err
	}
	return r.WriteJSON(a.stdout)
}

func rowsProgress(line *liveLine) func(int, int64) {
	start := time.Now()
	return func(rows int, bytes int64) {
		if line.live {
			line.show(fmt.Sprintf("%d rows read, %d MB, %.0f rows/s", rows, bytes>>20, float64(rows)/time.Since(start).Seconds()))
		}
	}
}

func readCampaign(path string) (*producer.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("campaign file: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, producer.MaxCampaignFile+1)) // one more is a fault
	if err != nil {
		return nil, fmt.Errorf("campaign file: %w", err)
	}
	return operations.ParseCampaign(path, src)
}

// refused prints the faults behind an error, a line each, and returns the error;
// as one of usage where a flag or a file's name is wrong.
func (a *app) refused(err error) error {
	var faults *producer.Faults
	if errors.As(err, &faults) {
		fmt.Fprintln(a.stderr, faults)
	}
	var own *operations.Error
	switch {
	case errors.Is(err, producer.ErrUnknownFormat):
		return usageError{producer.ErrUnknownFormat}
	case errors.As(err, &own) && own.Field == "start_at":
		return usagef("--at: %w", err)
	}
	return err
}

func (a *app) badRows(s producer.Summary) {
	for _, f := range s.Faults {
		fmt.Fprintln(a.stderr, f)
	}
	if more := s.BadRows - len(s.Faults); more > 0 {
		fmt.Fprintf(a.stderr, "… and %d more bad rows\n", more)
	}
}

func (a *app) describe(r *producer.Result) {
	a.badRows(r.Summary)
	a.duplicates(r.Summary)
	out := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	i := r.Info
	if r.Already {
		out("campaign %s stood already with the same content; nothing has changed. It is %s, with %s.", i.ID, i.Phase, operations.Count(i.Total, "recipient"))
		if !i.PurgedAt.IsZero() {
			out("It was purged on %s: its people's data is gone, and nothing is sent to them again.", i.PurgedAt.Format(time.DateOnly))
		}
	} else {
		out("campaign %s is %s, with %s.", i.ID, i.Phase, operations.Count(i.Total, "recipient"))
	}
	switch {
	case i.Phase == campaign.Paused && !i.StartAt.IsZero():
		out("It starts by itself at %s; at once with: handout resume %s", i.StartAt.Format(time.RFC3339), i.ID)
	case i.Phase == campaign.Paused:
		out("Begin with: handout resume %s", i.ID)
	default:
		out("Watch it with: handout report %s --follow", i.ID)
	}
}

func (a *app) duplicates(s producer.Summary) {
	if s.Duplicates == 0 {
		return
	}
	word := "lines"
	if s.Duplicates == 1 {
		word = "line"
	}
	fmt.Fprintf(a.stderr, "%s left out, with a phone number that stands further up: %s %s\n",
		operations.Count(s.Duplicates, "row"), word, operations.DuplicateLines(&s))
}
