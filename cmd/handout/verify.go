package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
)

func (a *app) verifyCommand() *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "verify ID",
		Short: "Recompute a campaign's balance from its records, and say whether it closes",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.query(cmd.Context(), func(q *report.Reader) error { return a.verify(cmd.Context(), q, id, repair) })
		},
	}
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
	line := newLiveLine(a.stderr)
	v, err := q.Verify(ctx, info, func(pages int) {
		if line.live && (pages%500 == 0 || pages == info.Pages) {
			line.show(fmt.Sprintf("page %d/%d", pages, info.Pages))
		}
	})
	line.end()
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
		return silentError{fmt.Errorf("%d faults", len(v.Faults))}
	}
	if v.Moving {
		fmt.Fprintf(a.stdout, "campaign %s: %s, each record is sound; it is still moving, so that counts can't be held against them\n", id, operations.Count(info.Total, "recipient"))
		return nil
	}
	fmt.Fprintf(a.stdout, "campaign %s: the balance closes: %s in %s, counts and records agree\n", id, operations.Count(info.Total, "recipient"), operations.Count(info.Pages, "page"))
	return nil
}

// verifyPurged holds the counts of a purged campaign to its total: there is
// nothing else.
func (a *app) verifyPurged(info *campaign.Info, b *campaign.Balance) error {
	if b.Total() != info.Total {
		return fmt.Errorf("campaign %s: the counts add up to %d, the campaign had %s", info.ID, b.Total(), operations.Count(info.Total, "recipient"))
	}
	fmt.Fprintf(a.stdout, "campaign %s was purged on %s: there are no records to hold the counts against; they add up to its %s\n",
		info.ID, info.PurgedAt.Format(time.DateOnly), operations.Count(info.Total, "recipient"))
	return nil
}
