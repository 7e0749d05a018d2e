package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/producer"
)

// showDryRun shows what would be sent. The error says why a submit would refuse
// the list.
func (a *app) showDryRun(s *operations.Submission, d *operations.DryRun, asJSON bool) error {
	refusal := d.Refusal(s.SetAside)
	if asJSON {
		if err := json.NewEncoder(a.stdout).Encode(dryRunJSON(d, refusal != nil)); err != nil {
			return err
		}
	} else {
		a.badRows(d.Summary)
		a.duplicates(d.Summary)
		a.describeDryRun(s.File, d)
	}
	if refusal != nil {
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
		"sms_parts": map[string]int{"min": d.SMS.Min, "max": d.SMS.Max, "total": d.SMS.Total},
		"rate":      d.Rate, "seconds": d.Duration.Seconds(),
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
	out("  rows         %d", d.Summary.Rows)
	out("  recipients   %d", d.Summary.Recipients)
	out("  duplicates   %d", d.Summary.Duplicates)
	out("  bad rows     %d", d.Summary.BadRows)
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
	for i, sample := range d.Samples {
		out("  sample %d", i+1)
		var b bytes.Buffer
		if json.Indent(&b, sample, "    ", "  ") == nil {
			out("    %s", b.String())
		}
	}
}
