package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/producer"
)

// dryRun checks a campaign and shows what would be sent. It needs no Redis.
func (a *app) dryRun(ctx context.Context, c *Config, file *producer.File, list producer.List, f submitFlags) error {
	begin, err := f.beginning()
	if err != nil {
		return err
	}
	line := newLiveLine(a.stderr)
	d, err := producer.Check(ctx, file, list, producer.CheckOptions{
		Region: c.Region, SetAsideBadRows: f.setAside, AccountRate: c.Rate, Now: begin.StartAt, Progress: rowsProgress(line),
	})
	line.end()
	if err != nil {
		return a.faults(err)
	}
	if f.asJSON {
		err = json.NewEncoder(a.stdout).Encode(dryRunJSON(d))
	} else {
		a.badRows(d.Summary)
		a.duplicates(d.Summary)
		a.describeDryRun(file, d)
	}
	switch {
	case err != nil:
		return err
	case d.Rejected && d.Summary.Recipients == 0:
		return fmt.Errorf("a submit would refuse this list: %s, and no good one", plural(d.Summary.BadRows, "bad row"))
	case d.Rejected:
		return fmt.Errorf("a submit would refuse this list: %s; --set-aside-bad-rows sends to the others", plural(d.Summary.BadRows, "bad row"))
	case d.Summary.Recipients == 0:
		return fmt.Errorf("a submit would refuse this list: %w", producer.ErrEmptyList)
	}
	return nil
}

func dryRunJSON(d *producer.DryRun) map[string]any {
	faults := make([]string, len(d.Summary.Faults))
	for i, f := range d.Summary.Faults {
		faults[i] = f.String()
	}
	object := map[string]any{
		"rows": d.Summary.Rows, "recipients": d.Summary.Recipients, "duplicates": d.Summary.Duplicates,
		"bad_rows": d.Summary.BadRows, "faults": faults, "rejected": d.Rejected, "samples": d.Samples,
		"sms_parts": map[string]int{"min": d.SMS.Min, "max": d.SMS.Max, "total": d.SMS.Total},
		"rate":      d.Rate, "seconds": d.Duration.Seconds(),
		"columns_used": append([]string{}, d.ColumnsUsed...), "columns_unused": append([]string{}, d.ColumnsUnused...),
	}
	if d.Hours != nil {
		object["hours"] = api.NewDryHours(d.Hours)
	}
	return object
}

func (a *app) describeDryRun(file *producer.File, d *producer.DryRun) {
	out := func(format string, args ...any) { fmt.Fprintf(a.stdout, format+"\n", args...) }
	out("dry run of campaign %s: nothing was written, nothing was sent", file.Spec.ID)
	out("  rows         %d", d.Summary.Rows)
	out("  recipients   %d", d.Summary.Recipients)
	out("  duplicates   %d", d.Summary.Duplicates)
	out("  bad rows     %d", d.Summary.BadRows)
	if d.SMS.Total > 0 {
		out("  SMS parts    %s a message, %d if everyone gets the SMS", span(d.SMS.Min, d.SMS.Max), d.SMS.Total)
	}
	if len(d.ColumnsUnused) > 0 {
		out("  not used     columns %s", strings.Join(d.ColumnsUnused, ", "))
	}
	if d.Hours != nil {
		describeHours(out, file.Spec, d.Hours)
	}
	if d.Duration < 0 {
		out("  takes        over a year at %g messages a second", d.Rate)
	} else if d.Duration > 0 {
		out("  takes        %s at %g messages a second", campaign.FormatDuration(max(time.Second, d.Duration)), d.Rate)
	}
	for i, sample := range d.Samples {
		out("  sample %d", i+1)
		var b bytes.Buffer
		if json.Indent(&b, sample, "    ", "  ") == nil {
			out("    %s", b.String())
		}
	}
}

func span(from, to int) string {
	if from == to {
		return fmt.Sprint(from)
	}
	return fmt.Sprintf("%d to %d", from, to)
}
