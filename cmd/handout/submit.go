package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/producer"
)

// mostCampaignFile bounds what is read as a campaign file.
const mostCampaignFile = 1 << 20

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
	begin, err := f.beginning()
	if err != nil {
		return err
	}
	file, err := readCampaign(campaignPath)
	if err != nil {
		return a.faults(err)
	}
	list := producer.ListFile(listPath)
	if f.dryRun {
		return a.dryRun(ctx, c, file, list, f)
	}
	rdb, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer rdb.Close()
	line := newLiveLine(a.stderr)
	result, err := producer.New(rdb).Submit(ctx, file, list, producer.SubmitOptions{
		Region: c.Region, SetAsideBadRows: f.setAside, Begin: begin,
		Progress: rowsProgress(line),
		OnWait:   func() { line.show("another submit of this campaign is under way; waiting for it") },
	})
	line.end()
	if errors.Is(err, context.Canceled) {
		return errors.New("interrupted; run the same command again: it finishes the job, and nobody is sent to twice")
	}
	if err != nil {
		return a.faults(err)
	}
	if !f.asJSON {
		a.describe(result)
		return nil
	}
	a.badRows(result.Summary)
	r, _, err := report.NewReader(rdb, a.config.Rate).Read(ctx, result.Info.ID)
	if err != nil {
		return err
	}
	return r.WriteJSON(a.stdout)
}

// beginning is how the campaign begins.
func (f submitFlags) beginning() (campaign.Beginning, error) {
	b := campaign.Beginning{By: *f.by, Hold: f.hold}
	switch {
	case f.at == "":
		return b, nil
	case f.hold:
		return b, usagef("--at and --hold: a campaign either starts by itself or waits for handout resume")
	}
	var err error
	b.StartAt, err = startTime(f.at, time.Now())
	return b, err
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
	stat, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("campaign file: %w", err)
	}
	if stat.Size() > mostCampaignFile {
		return nil, fmt.Errorf("%s: a campaign file is at most 1 MB", path)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("campaign file: %w", err)
	}
	return producer.ParseCampaign(path, src)
}

// faults prints a list of faults, a line each, and returns the one line that
// sums them up. Other errors pass.
func (a *app) faults(err error) error {
	if errors.Is(err, producer.ErrUnknownFormat) {
		return usagef("the list's name must end in .csv, .ndjson or .jsonl, which says how it is written")
	}
	var faults *producer.Faults
	if !errors.As(err, &faults) {
		return err
	}
	lines := strings.Split(faults.Error(), "\n")
	for _, l := range lines {
		fmt.Fprintln(a.stderr, l)
	}
	return fmt.Errorf("nothing was sent: %s", plural(faults.Total, "fault"))
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
	if r.Already {
		fmt.Fprintf(a.stdout, "campaign %s stood already with the same content; nothing has changed. It is %s, with %s.\n",
			r.Info.ID, r.Info.Phase, plural(r.Info.Total, "recipient"))
		if !r.Info.PurgedAt.IsZero() {
			fmt.Fprintf(a.stdout, "It was purged on %s: its people's data is gone, and nobody is sent to again.\n", r.Info.PurgedAt.Format(time.DateOnly))
		}
	} else {
		fmt.Fprintf(a.stdout, "campaign %s is %s, with %s.\n", r.Info.ID, r.Info.Phase, plural(r.Info.Total, "recipient"))
	}
	if r.Info.Phase == campaign.Paused && !r.Info.StartAt.IsZero() {
		fmt.Fprintf(a.stdout, "It starts by itself at %s; at once with: handout resume %s\n", r.Info.StartAt.Format(time.RFC3339), r.Info.ID)
		return
	}
	if r.Info.Phase == campaign.Paused {
		fmt.Fprintf(a.stdout, "Begin with: handout resume %s\n", r.Info.ID)
		return
	}
	fmt.Fprintf(a.stdout, "Watch it with: handout report %s --follow\n", r.Info.ID)
}

func (a *app) duplicates(s producer.Summary) {
	if s.Duplicates == 0 {
		return
	}
	lines := make([]string, len(s.DuplicateLines))
	for i, n := range s.DuplicateLines {
		lines[i] = fmt.Sprint(n)
	}
	if s.Duplicates > len(lines) {
		lines = append(lines, "…")
	}
	word := "lines"
	if s.Duplicates == 1 {
		word = "line"
	}
	fmt.Fprintf(a.stderr, "%s left out, with a phone number that stands further up: %s %s\n",
		plural(s.Duplicates, "row"), word, strings.Join(lines, ", "))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
