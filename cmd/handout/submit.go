package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/usage"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/producer"
)

type submitFlags struct {
	dryRun, setAside, hold, asJSON bool
	at, columns, sheet             string
	samples                        int
	by                             *campaign.Actor
}

const (
	maxSamples = 100
	// jsonSamples is how many samples a dry run's JSON has where --samples doesn't say.
	jsonSamples = 3
)

func (a *app) submitCommand() *cobra.Command {
	var f submitFlags
	cmd := &cobra.Command{
		Use:   "submit CAMPAIGN.yaml LIST",
		Short: "Open a campaign: check everything, then hand the list over",
		Long: "Open a campaign: check everything, then hand the list over. Nothing is sent before\n" +
			"all of it has been checked. The campaign's ID makes it safe to run again: after an\n" +
			"interruption it finishes the job, after success it changes nothing.\n\n" +
			"The list has a header (recipient, phone, and columns for the templates). It is CSV\n" +
			"(.csv, .tsv, .txt) with commas, semicolons, tabs or bars, in UTF-8, UTF-16 or\n" +
			"Windows-1252; an Excel workbook (.xlsx); or NDJSON with the same names (.ndjson,\n" +
			".jsonl). It may be compressed (.gz, .zst). --dry-run says how it was read.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.samples < 0 || f.samples > maxSamples {
				return usagef("submit: --samples must be 0 to %d", maxSamples)
			}
			if f.asJSON && !cmd.Flags().Changed("samples") {
				f.samples = jsonSamples
			}
			return a.submit(cmd.Context(), args[0], args[1], f)
		},
	}
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "check, show counts and a sample, and stop there; needs no Redis")
	cmd.Flags().IntVar(&f.samples, "samples", 1, "how many samples a dry run shows, at most 100")
	cmd.Flags().BoolVar(&f.setAside, "set-aside-bad-rows", false, "send to the good rows and report the bad ones; otherwise any bad row rejects the list")
	cmd.Flags().StringVar(&f.columns, "columns", "", "the list's own names of columns, as in recipient=Kundennummer,phone=Mobil")
	cmd.Flags().StringVar(&f.sheet, "sheet", "", "the sheet of an Excel workbook; without it the first that isn't hidden")
	cmd.Flags().BoolVar(&f.hold, "hold", false, "begin paused: nothing is sent before handout resume ID")
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
	columns, err := producer.ParseColumns(f.columns)
	if err != nil {
		return usagef("--columns: %w", err)
	}
	list := producer.ListFile(listPath).With(producer.ListOptions{Columns: columns, Sheet: f.sheet})
	line := terminal.NewLine(a.stderr)
	s := &operations.Submission{
		File: file, List: list, Begin: begin, SetAside: f.setAside, Progress: rowsProgress(line),
		Samples: max(1, f.samples),
		OnWait:  func() { line.Show("another submit of this campaign is under way; waiting for it") },
	}
	if f.dryRun {
		own, others, err := c.vendors()
		if err != nil {
			return err
		}
		d, err := operations.New(nil, operations.Options{Region: c.Region, AccountRate: own.Rate, Telesign: own.Telesign, Accounts: others}).DryRun(ctx, s)
		line.End()
		if err != nil {
			return a.refused(err)
		}
		d.Samples = d.Samples[:min(len(d.Samples), f.samples)]
		return a.showDryRun(s, d, f.asJSON)
	}
	var result *operations.Submitted
	err = a.operate(ctx, func(o *operations.Operations) error {
		result, err = o.Submit(ctx, s)
		return err
	})
	line.End()
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; run the same command again: it finishes the job, and sends to each person once")
	case err != nil:
		return a.refused(err)
	}
	for _, note := range result.Templates {
		fmt.Fprintln(a.stderr, "note: "+note)
	}
	if !f.asJSON {
		a.describe(result.Result)
		return nil
	}
	a.badRows(result.Summary)
	return a.query(ctx, func(q *report.Reader) error { return a.report(ctx, q, result.Info.ID, true, false, false) })
}

func rowsProgress(line *terminal.Line) func(int, int64) {
	start := time.Now()
	return func(rows int, bytes int64) {
		line.Update("%s read, %d MB, %s/s", campaign.Count(rows, "row"), bytes>>20, campaign.Count(int(float64(rows)/time.Since(start).Seconds()), "row"))
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
		return usage.Wrap(producer.ErrUnknownFormat)
	case errors.As(err, &own) && own.Field == "start_at":
		return usagef("--at: %w", err)
	case faults != nil && faults.Good > 0:
		return fmt.Errorf("%w; to send to the %s, add --set-aside-bad-rows", err, campaign.Count(faults.Good, "good row"))
	}
	return err
}

func (a *app) badRows(s producer.Summary) {
	for _, f := range s.Faults {
		fmt.Fprintln(a.stderr, f)
	}
	if more := s.BadRows - len(s.Faults); more > 0 {
		fmt.Fprintf(a.stderr, "… and %s more\n", campaign.Count(more, "bad row"))
	}
}

func (a *app) describe(r *producer.Result) {
	a.badRows(r.Summary)
	a.duplicates(r.Summary)
	out := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	i := r.Info
	if r.Already {
		out("campaign %s stood already with the same content; nothing has changed. It is %s, with %s.", i.ID, i.Phase, campaign.Count(i.Total, "recipient"))
		if !i.PurgedAt.IsZero() {
			out("It was purged on %s: its people's data is gone, and nothing is sent to them again.", i.PurgedAt.Format(time.DateOnly))
		}
	} else {
		out("campaign %s is %s, with %s.", i.ID, i.Phase, campaign.Count(i.Total, "recipient"))
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
		campaign.Count(s.Duplicates, "row"), word, operations.DuplicateLines(s))
}

// showDryRun shows what would be sent. The error says why a submit would refuse
// the list.
func (a *app) showDryRun(s *operations.Submission, d *operations.DryRun, asJSON bool) error {
	refusal := d.Refusal(s.SetAside)
	if asJSON {
		if err := json.NewEncoder(a.stdout).Encode(dryRunJSON(d, refusal != nil)); err != nil {
			return err
		}
	} else {
		a.describeDryRun(s.File, d)
		a.badRows(d.Summary)
		a.duplicates(d.Summary)
		a.samples(d)
	}
	var own *operations.Error
	switch {
	case errors.As(refusal, &own) && own.Field == "set_aside_bad_rows":
		return fmt.Errorf("a submit would refuse this: %w, with --set-aside-bad-rows", refusal)
	case refusal != nil:
		return fmt.Errorf("a submit would refuse this: %w", refusal)
	}
	return nil
}

func dryRunJSON(d *operations.DryRun, rejected bool) map[string]any {
	faults := make([]string, len(d.Summary.Faults))
	for i, f := range d.Summary.Faults {
		faults[i] = f.String()
	}
	object := map[string]any{
		"rows": d.Summary.Rows, "recipients": d.Summary.Recipients, "duplicates": d.Summary.Duplicates,
		"bad_rows": d.Summary.BadRows, "faults": faults, "rejected": rejected, "samples": d.Samples,
		"read": append([]string{}, d.Summary.Notes()...), "unknown_ranges": d.Summary.UnknownRanges,
		"sms_parts": map[string]int{"min": d.SMS.Min, "max": d.SMS.Max, "total": d.SMS.Total},
		"rate":      d.Rate, "seconds": d.Duration.Seconds(),
		"templates":    append([]string{}, d.Templates...),
		"columns_used": append([]string{}, d.ColumnsUsed...), "columns_unused": append([]string{}, d.ColumnsUnused...),
	}
	if d.Hours != nil {
		object["hours"] = api.NewDryHours(d.Hours)
	}
	return object
}

func (a *app) describeDryRun(file *producer.File, d *operations.DryRun) {
	out := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	out("dry run of campaign %s: nothing was written, nothing was sent", file.Spec.ID)
	out("  rows         %s", campaign.Number(d.Summary.Rows))
	out("  recipients   %s", campaign.Number(d.Summary.Recipients))
	out("  duplicates   %s", campaign.Number(d.Summary.Duplicates))
	out("  bad rows     %s", campaign.Number(d.Summary.BadRows))
	for _, line := range d.Summary.Notes() {
		out("  note         %s", line)
	}
	for _, line := range d.Templates {
		out("  note         %s", line)
	}
	if parts := d.Parts(); parts != "" {
		out("  SMS parts    %s", parts)
	}
	if len(d.ColumnsUnused) > 0 {
		out("  not used     columns %s", strings.Join(d.ColumnsUnused, ", "))
	}
	if d.Hours != nil {
		describeHours(out, file.Spec, d.Hours)
	}
	if takes := d.Takes(); takes != "" {
		out("  takes        %s", takes)
	}
}

func (a *app) samples(d *operations.DryRun) {
	out := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	for i, sample := range d.Samples {
		out("  sample %d", i+1)
		var b bytes.Buffer
		if json.Indent(&b, sample, "    ", "  ") == nil {
			out("    %s", b.String())
		}
	}
}

const maxZones = 10

func describeHours(out func(format string, args ...any), s *campaign.Spec, p *campaign.HoursPlan) {
	out("  hours        %s", s.Hours)
	out("    can be sent now    %s", campaign.Number(p.Now))
	for _, o := range p.Opens {
		out("    not before         %s: %s, %s UTC", campaign.Number(o.Recipients), o.At.Format("Mon 2006-01-02 15:04 MST"), o.At.UTC().Format("Mon 15:04"))
	}
	rule := "aren't sent to (unknown_zone: hold)"
	if s.UnknownZone != "" {
		rule = "are sent to by the clocks of " + s.UnknownZone
	}
	if p.Unknown > 0 {
		out("    zone unknown       %s: they %s", campaign.Number(p.Unknown), rule)
	}
	if p.Apart > 0 {
		out("    zones too far apart %s: they may be in several, with no time in common, and %s", campaign.Number(p.Apart), rule)
	}
	if !s.ByZone() {
		return
	}
	for i, z := range p.Zones {
		if i == maxZones {
			more := 0
			for _, z := range p.Zones[i:] {
				more += z.Recipients
			}
			out("    %s in %s", campaign.Number(more), campaign.Count(len(p.Zones)-i, "other zone"))
			break
		}
		out("    %s in %s%s", campaign.Number(z.Recipients), operations.ZoneName(z.Zones), opens(z))
	}
}

func opens(z campaign.ZonePlan) string {
	switch {
	case z.Open:
		return ", open now"
	case z.Opens.IsZero():
		return ", never sent to"
	}
	return ", open from " + z.Opens.Format("Mon 15:04")
}
