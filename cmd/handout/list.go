package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
)

func (a *app) listCommand() *cobra.Command {
	var states []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List all campaigns, the newest first: state, people, delivered, and why one is held or paused",
		Example: "  handout list --state running,held\n  handout list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			var o report.ListQuery
			for _, s := range states {
				if !slices.Contains(campaign.Phases(), campaign.Phase(s)) {
					return usagef("list: --state: there is no state %q: there are %s", s, phaseNames())
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func phaseNames() string {
	var names []string
	for _, p := range campaign.Phases() {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}
