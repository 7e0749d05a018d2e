package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/ledger"
)

// outcomesUpTo is the size of a campaign whose report shows reasons without
// being asked: they take reading every record.
const outcomesUpTo = 100_000

func (a *app) reportCommand() *cobra.Command {
	var asJSON, follow, reasons, history bool
	cmd := &cobra.Command{
		Use:   "report ID",
		Short: "Say what became of a campaign",
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseID(args[0])
			if err != nil {
				return err
			}
			return a.withLedger(cmd.Context(), func(rdb redis.UniversalClient, l *ledger.Ledger) error {
				q := report.NewReader(rdb, a.config.Rate)
				if follow {
					if err := a.follow(cmd.Context(), l, q, id); err != nil {
						return notFound(id, err)
					}
				}
				return notFound(id, a.report(cmd.Context(), q, id, asJSON, reasons, history))
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&follow, "follow", false, "show a live progress line on standard error until the campaign is done")
	cmd.Flags().BoolVar(&reasons, "reasons", false, "count reasons also in a campaign of over 100,000")
	cmd.Flags().BoolVar(&history, "history", false, "show all of the history, not only its latest lines")
	return cmd
}

// latestHistory is how many lines of the history are shown without being asked.
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
	most := latestHistory
	if history {
		most = len(r.History)
	}
	if err := r.WriteHistory(a.stdout, most); err != nil {
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
func (a *app) follow(ctx context.Context, l *ledger.Ledger, q *report.Reader, id campaign.ID) error {
	line := newLiveLine(a.stderr)
	defer line.end()
	var p report.Progress
	ticker := time.NewTicker(followTime)
	defer ticker.Stop()
	for {
		info, err := l.Info(ctx, id)
		if err != nil {
			return err
		}
		b, err := l.Balance(ctx, id)
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
		line.show(text)
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

// liveLine is a line that is written over again on a terminal; elsewhere, as in
// a log, only every tenth one and the last one are written, each on a line of
// its own.
type liveLine struct {
	w    io.Writer
	live bool
	n    int
	last string // not written yet
}

func newLiveLine(w io.Writer) *liveLine {
	f, ok := w.(*os.File)
	return &liveLine{w: w, live: ok && term.IsTerminal(int(f.Fd()))}
}

func (l *liveLine) show(text string) {
	switch {
	case l.live:
		fmt.Fprintf(l.w, "\r\x1b[K%s", l.cut(text))
	case l.n%10 == 0:
		fmt.Fprintln(l.w, text)
		l.last = ""
	default:
		l.last = text
	}
	l.n++
}

// cut shortens a text to the terminal's width: only one line can be written over.
func (l *liveLine) cut(text string) string {
	f, _ := l.w.(*os.File)
	width, _, err := term.GetSize(int(f.Fd()))
	if r := []rune(text); err == nil && width > 1 && len(r) >= width {
		return string(r[:width-2]) + "…"
	}
	return text
}

func (l *liveLine) end() {
	switch {
	case l.live && l.n > 0:
		fmt.Fprintln(l.w)
	case l.last != "":
		fmt.Fprintln(l.w, l.last)
	}
}
