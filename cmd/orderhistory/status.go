package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/orderhistory/state"
)

// statusOf is a period as status shows it.
type statusOf struct {
	Period    string     `json:"period"`
	Campaign  string     `json:"campaign"`
	Phase     string     `json:"phase"`
	Everybody bool       `json:"all"`
	Customers int        `json:"customers"`
	Files     int        `json:"files"`
	Bytes     int64      `json:"bytes"`
	SetAside  int        `json:"set_aside"`
	PlannedAt time.Time  `json:"planned_at"`
	DoneAt    *time.Time `json:"done_at"`
	Refused   string     `json:"refused"` // the reason of the last refusal
}

// maxStatus is how many periods are shown.
const maxStatus = 20

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "List the periods and what was exported for each",
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
			Files: t.Ready, Bytes: t.Bytes, SetAside: t.SetAside, PlannedAt: e.PlannedAt,
		}
		if !e.DoneAt.IsZero() {
			st.DoneAt = &e.DoneAt
		}
		if e.Phase != state.Done {
			if st.Refused, err = s.LastRefusal(ctx, e.Period); err != nil {
				return nil, err
			}
		}
		all = append(all, st)
	}
	return all, nil
}

func (a *app) writeStatus(all []statusOf) error {
	if len(all) == 0 {
		fmt.Fprintln(a.stdout, "Nothing has been exported yet.")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PERIOD\tPHASE\tCUSTOMERS\tFILES\tSIZE\tSET ASIDE\tCAMPAIGN\tREFUSED")
	for _, s := range all {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%d\t%s\t%s\n", s.Period, s.Phase, s.Customers, s.Files, size(s.Bytes), s.SetAside, s.Campaign, s.Refused)
	}
	return w.Flush()
}
