// Package rescue has the commands for a copy of Redis, and for what follows when one has
// to be put back.
package rescue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/backup"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/terminal"
)

// Program is what the commands need of the program that has them.
type Program struct {
	Stdout, Stderr io.Writer
	Operate        func(context.Context, func(*operations.Operations) error) error
	Query          func(context.Context, func(*report.Reader) error) error
	// Actor adds the flags that say who does it, and why.
	Actor func(*cobra.Command) *campaign.Actor
	// Usage makes an error one of wrong use.
	Usage func(format string, args ...any) error
}

// BackupCommand is handout backup.
func (p *Program) BackupCommand() *cobra.Command {
	var asJSON, verify bool
	var by *campaign.Actor
	cmd := &cobra.Command{
		Use: "backup DIR", Short: "Copy the whole Redis to a folder, consistent as of one moment",
		Long: "Copy the whole Redis to a folder that isn't there yet: a snapshot of each master,\n" +
			"which redis-server starts on, and manifest.json, which says what is inside. DIR that\n" +
			"ends in / gets a folder named by the time. Redis's user needs the rights +sync and\n" +
			"+replconf; a managed service has snapshots of its own instead. The copy has who is\n" +
			"in campaigns: keep it as you keep Redis. docs/operating.md says how it is put back.",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if verify {
				m, err := backup.Verify(cmd.Context(), dir)
				if err != nil {
					return err
				}
				return p.showBackup(m, dir, asJSON)
			}
			if strings.HasSuffix(dir, "/") {
				dir = filepath.Join(dir, "handout-"+time.Now().UTC().Format("20060102-150405"))
			}
			m, err := p.backUp(cmd.Context(), dir, by)
			if errors.Is(err, os.ErrExist) {
				return p.Usage("backup: %s is there already: name a folder that isn't", dir)
			}
			if err != nil {
				return err
			}
			return p.showBackup(m, dir, asJSON)
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "read a backup that was made to its end, and say whether it is whole")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the manifest")
	by = p.Actor(cmd)
	return cmd
}

func (p *Program) backUp(ctx context.Context, dir string, by *campaign.Actor) (m *backup.Manifest, err error) {
	campaigns := []backup.Campaign{}
	err = p.Query(ctx, func(q *report.Reader) error {
		campaigns, err = list(ctx, q)
		return err
	})
	if err != nil {
		return nil, err
	}
	line := terminal.NewLine(p.Stderr)
	err = p.Operate(ctx, func(o *operations.Operations) error {
		m, err = o.Backup(ctx, dir, campaigns, *by, func(done, all int64) { line.Update("%d of %d MB", done>>20, all>>20) })
		return err
	})
	line.End()
	return m, err
}

// list is every campaign as a manifest has it.
func list(ctx context.Context, q *report.Reader) ([]backup.Campaign, error) {
	all := []backup.Campaign{}
	for query := (report.ListQuery{}); ; {
		part, err := q.List(ctx, query)
		if err != nil {
			return nil, err
		}
		for i := range part.Campaigns {
			s := &part.Campaigns[i]
			counts := make(map[string]int)
			for _, state := range campaign.States() {
				if n := s.Balance.Of(state); n > 0 {
					counts[state.String()] = n
				}
			}
			all = append(all, backup.Campaign{ID: string(s.ID), Phase: string(s.Phase), Total: s.Total, Counts: counts})
		}
		if query.After = part.Next; query.After == "" {
			return all, nil
		}
	}
}

func (p *Program) showBackup(m *backup.Manifest, dir string, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(p.Stdout).Encode(m)
	}
	size := int64(0)
	for _, f := range m.Files {
		size += f.Size
	}
	fmt.Fprintf(p.Stdout, "%s: whole, as of %s, %s, %d bytes\n", dir, m.At.Format(time.RFC3339), campaign.Count(len(m.Files), "snapshot"), size)
	t := tabwriter.NewWriter(p.Stdout, 0, 4, 2, ' ', 0)
	for _, c := range m.Campaigns {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", c.ID, c.Phase, campaign.Count(c.Total, "recipient"))
	}
	return t.Flush()
}
