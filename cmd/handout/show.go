package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
)

func (a *app) showCommand() *cobra.Command {
	cmd := ofCampaign("show ID RECIPIENT", "Tell one person's story: what was sent, what Telesign said, who decided what",
		"Tell one person's story: what was sent, what Telesign said, who decided what. RECIPIENT\n"+
			"is the name in the list, the phone number, or the place in the list, as in 12.7.",
		func(ctx context.Context, id campaign.ID, args []string) error {
			return a.operate(ctx, func(o *operations.Operations) error {
				p, err := o.Person(ctx, id, args[0], true)
				if err != nil {
					return err
				}
				return a.query(ctx, func(q *report.Reader) error {
					story, err := q.Story(ctx, p.Info, p.Found)
					if err != nil {
						return err
					}
					suppressed := ""
					if s := p.Suppressed; s != nil {
						suppressed = "On the suppression list since " + report.Time(s.At) + ": " + s.Reason() + ". Nothing is sent to this number."
					}
					return report.WriteStory(a.stdout, p.Info, p.Found, story, suppressed)
				})
			})
		})
	cmd.Example = "  handout show spring anna\n  handout show spring +41791234567"
	return cmd
}
