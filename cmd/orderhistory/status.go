package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/state"
)

// statusOf is a period as status shows it.
type statusOf struct {
	Period    string     `json:"period"`
	Campaign  string     `json:"campaign"`
	Phase     string     `json:"phase"` // or refused: nothing of it stands
	Everybody bool       `json:"all"`
	Customers int        `json:"customers"`
	Files     int        `json:"files"`
	Bytes     int64      `json:"bytes"`
	SetAside  int        `json:"set_aside"`
	PlannedAt *time.Time `json:"planned_at"`
	DoneAt    *time.Time `json:"done_at"`
	// Refusals are those of the period among the latest, the newest first.
	Refusals []state.Refusal `json:"refusals"`
}

// maxStatus is how many periods and refusals are shown.
const maxStatus = 20

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "List the periods, what was exported for each, and what was refused",
		Example: "  orderhistory status         # the latest 20\n" +
			"  orderhistory status --json  # for a script",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			ctx := cmd.Context()
			c, err := loadConfig()
			if err != nil {
				return err
			}
			s, err := state.Open(ctx, c.State)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			all, err := statuses(ctx, s)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.stdout).Encode(all)
			}
			return a.writeStatus(all)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func statuses(ctx context.Context, s *state.State) ([]statusOf, error) {
	exports, err := s.Exports(ctx, maxStatus)
	if err != nil {
		return nil, err
	}
	all := []statusOf{}
	for _, e := range exports {
		t, err := s.Totals(ctx, e.Period)
		if err != nil {
			return nil, err
		}
		st := statusOf{
			Period: e.Period, Campaign: e.Campaign, Phase: string(e.Phase), Everybody: e.Everybody, Customers: t.Customers,
			Files: t.Ready, Bytes: t.Bytes, SetAside: t.SetAside, PlannedAt: &e.PlannedAt, Refusals: []state.Refusal{},
		}
		if !e.DoneAt.IsZero() {
			st.DoneAt = &e.DoneAt
		}
		all = append(all, st)
	}
	refusals, err := s.LatestRefusals(ctx, maxStatus)
	if err != nil {
		return nil, err
	}
	for _, r := range refusals {
		at := slices.IndexFunc(all, func(st statusOf) bool { return st.Period == r.Period })
		if at < 0 {
			st := statusOf{Period: r.Period, Phase: "refused"}
			if e, err := s.Export(ctx, r.Period); err != nil {
				return nil, err
			} else if e != nil {
				continue // it is one of the periods that are no longer shown
			}
			at, all = len(all), append(all, st)
		}
		all[at].Refusals = append(all[at].Refusals, r)
	}
	slices.SortStableFunc(all, func(a, b statusOf) int { return b.latest().Compare(a.latest()) })
	return all, nil
}

// latest returns when something was last done about the period.
func (s *statusOf) latest() time.Time {
	var at time.Time
	if s.PlannedAt != nil {
		at = *s.PlannedAt
	}
	if len(s.Refusals) > 0 && s.Refusals[0].At.After(at) {
		at = s.Refusals[0].At
	}
	return at
}

func (a *app) writeStatus(all []statusOf) error {
	if len(all) == 0 {
		fmt.Fprintln(a.stdout, "Nothing has been exported yet.")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PERIOD\tPHASE\tCUSTOMERS\tFILES\tSIZE\tSET ASIDE\tREFUSED\tCAMPAIGN")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Period, s.Phase, campaign.Number(s.Customers), campaign.Number(s.Files), size(s.Bytes), campaign.Number(s.SetAside), times(len(s.Refusals)), s.Campaign)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range all {
		for _, r := range s.Refusals {
			fmt.Fprintf(a.stdout, "%s was refused at %s, %s: %s\n", r.Period, r.At.Format(time.RFC3339), r.Reason, r.Detail)
		}
	}
	return nil
}

func times(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
