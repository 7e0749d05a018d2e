package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/terminal"
	"github.com/handout-dev/handout/internal/usage"
)

// outcomesUpTo is the size of a campaign whose report shows reasons without
// being asked: they take reading every record.
const outcomesUpTo = 100_000

func (a *app) reportCommand() *cobra.Command {
	var asJSON, follow, reasons, history bool
	cmd := ofCampaign("report ID", "Say what became of a campaign", "", func(ctx context.Context, id campaign.ID, _ []string) error {
		return a.query(ctx, func(q *report.Reader) error {
			if follow {
				if err := a.follow(ctx, q, id); err != nil {
					return err
				}
			}
			return a.report(ctx, q, id, asJSON, reasons, history)
		})
	})
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&follow, "follow", false, "show a live progress line on standard error until the campaign is done")
	cmd.Flags().BoolVar(&reasons, "reasons", false, "count reasons also in a campaign of over 100,000")
	cmd.Flags().BoolVar(&history, "history", false, "show all of the history, not only its latest lines")
	return cmd
}

const latestHistory = 10

func (a *app) report(ctx context.Context, q *report.Reader, id campaign.ID, asJSON, reasons, history bool) error {
	r, info, err := q.Read(ctx, id)
	if err != nil {
		return err
	}
	if asJSON {
		return r.WriteJSON(a.stdout)
	}
	if err := r.WriteTable(a.stdout); err != nil {
		return err
	}
	maxLines := latestHistory
	if history {
		maxLines = len(r.History)
	}
	if err := r.WriteHistory(a.stdout, maxLines); err != nil {
		return err
	}
	if info.Phase == campaign.Draft || !info.PurgedAt.IsZero() || (r.Total > outcomesUpTo && !reasons) {
		return nil
	}
	outcomes, err := q.Outcomes(ctx, info)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout)
	return report.WriteOutcomes(a.stdout, outcomes)
}

// followTime is how often progress is shown on a terminal; elsewhere a line
// each ten times as long.
const followTime = time.Second

// follow shows progress until the campaign is done. A campaign that waits for
// a person is shown until the command is interrupted.
func (a *app) follow(ctx context.Context, q *report.Reader, id campaign.ID) error {
	line := terminal.NewLine(a.stderr)
	defer line.End()
	var p report.Progress
	ticker := time.NewTicker(followTime)
	defer ticker.Stop()
	for {
		info, b, err := q.Campaign(ctx, id)
		if err != nil {
			return err
		}
		pace, err := q.Pace(ctx, info, b)
		if err != nil {
			return err
		}
		p.Add(time.Now(), b)
		text := p.Line(info.Phase, b, pace)
		if info.Reason != "" {
			text += " (" + info.Reason + ")"
		}
		line.Show(text)
		if info.Phase == campaign.Done {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *app) exportCommand() *cobra.Command {
	var format string
	var columns []string
	cmd := ofCampaign("export ID", "Write a line for everyone in a campaign: how they got the file, or why not",
		"Write a line for everyone in a campaign: how they got the file, or why not.\n\n"+
			"csv is exact, for programs: where a name in the list begins with =, so does its cell,\n"+
			"which a spreadsheet takes for a formula. For a spreadsheet there is xlsx, where each\n"+
			"text is a text: handout export ID --format xlsx > FILE.xlsx",
		func(ctx context.Context, id campaign.ID, _ []string) error {
			f, err := report.ParseFormat(format)
			if err != nil {
				return usage.Wrap(err)
			}
			if f == report.XLSX && terminal.Is(a.stdout) {
				return usagef("export: a workbook is no text for a terminal; add > FILE.xlsx")
			}
			return a.query(ctx, func(q *report.Reader) error {
				info, _, err := q.Committed(ctx, id)
				if err != nil {
					return err
				}
				return q.Export(ctx, info, terminal.Exact(a.stdout), f, false, columns...)
			})
		})
	cmd.Flags().StringVar(&format, "format", "csv", "csv, ndjson or xlsx")
	cmd.Flags().StringSliceVar(&columns, "columns", nil, "columns of the list at the end of each line, as in url,name; or all")
	return cmd
}

func (a *app) listCommand() *cobra.Command {
	var states []string
	var account string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all campaigns, the newest first: state, people, delivered, and why one is held or paused",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := report.ListQuery{Account: account}
			for _, s := range states {
				if !slices.Contains(campaign.Phases(), campaign.Phase(s)) {
					return usagef("list: --state: there is no state %q: there are %s", s, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(campaign.Phases())), ", "), "[]"))
				}
				o.States = append(o.States, campaign.Phase(s))
			}
			write := (*report.Reader).WriteList
			if asJSON {
				write = (*report.Reader).WriteListJSON
			}
			return a.query(cmd.Context(), func(q *report.Reader) error { return write(q, cmd.Context(), o, a.stdout) })
		},
	}
	cmd.Flags().StringSliceVar(&states, "state", nil, "only campaigns in these states, as in running,held")
	cmd.Flags().StringVar(&account, "account", "", "only those of this Telesign account")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	var repair bool
	cmd := ofCampaign("verify ID", "Recompute a campaign's balance from its records, and say whether it closes", "",
		func(ctx context.Context, id campaign.ID, _ []string) error {
			return a.query(ctx, func(q *report.Reader) error { return a.verify(ctx, q, id, repair) })
		})
	cmd.Flags().BoolVar(&repair, "repair", false, "set counts to what the records say, and say what was changed")
	return cmd
}

func (a *app) verify(ctx context.Context, q *report.Reader, id campaign.ID, repair bool) error {
	info, b, err := q.Committed(ctx, id)
	if err != nil {
		return err
	}
	if !info.PurgedAt.IsZero() {
		return a.verifyPurged(info, b)
	}
	line := terminal.NewLine(a.stderr)
	v, err := q.Verify(ctx, info, func(pages int) {
		if pages%500 == 0 || pages == info.Pages {
			line.Update("page %s of %s", campaign.Number(pages), campaign.Number(info.Pages))
		}
	})
	line.End()
	if err != nil {
		return err
	}
	if repair {
		var done []string
		err := a.operate(ctx, func(o *operations.Operations) (err error) {
			done, err = o.Repair(ctx, info, v)
			return err
		})
		for _, d := range done {
			fmt.Fprintf(a.stdout, "campaign %s: %s\n", id, d)
		}
		if err != nil {
			return err
		}
		if len(done) > 0 {
			return a.verify(ctx, q, id, false) // what is left
		}
	}
	if len(v.Faults) > 0 {
		for _, f := range v.Faults {
			fmt.Fprintf(a.stderr, "handout: campaign %s: %s\n", id, f)
		}
		return silentError{errors.New(campaign.Count(len(v.Faults), "fault"))}
	}
	if v.Moving {
		fmt.Fprintf(a.stdout, "campaign %s: %s, each record is sound; it is still moving, so that counts can't be held against them\n", id, campaign.Count(info.Total, "recipient"))
		return nil
	}
	fmt.Fprintf(a.stdout, "campaign %s: the balance closes: %s in %s, counts and records agree\n", id, campaign.Count(info.Total, "recipient"), campaign.Count(info.Pages, "page"))
	return nil
}

// verifyPurged holds the counts of a purged campaign to its total: there is
// nothing else.
func (a *app) verifyPurged(info *campaign.Info, b *campaign.Balance) error {
	if b.Total() != info.Total {
		return fmt.Errorf("campaign %s: the counts add up to %s, the campaign had %s", info.ID, campaign.Number(b.Total()), campaign.Count(info.Total, "recipient"))
	}
	fmt.Fprintf(a.stdout, "campaign %s was purged on %s: there are no records to hold the counts against; they add up to its %s\n",
		info.ID, info.PurgedAt.Format(time.DateOnly), campaign.Count(info.Total, "recipient"))
	return nil
}
