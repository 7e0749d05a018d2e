package state

import (
	"context"
	"database/sql"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// NoteRefusal records that a run was refused: the reason in one word, as in metrics,
// and in a line.
func (s *State) NoteRefusal(ctx context.Context, period string, at time.Time, reason, detail string) error {
	return s.exec(ctx, "record a refusal", database.Args{"period": period, "at": at.Unix(), "reason": reason, "detail": detail},
		`INSERT INTO orderhistory_refusals (period, at, reason, detail) VALUES (@period, @at, @reason, @detail)`)
}

// LastRefusal returns the line of a period's latest refusal; empty when there is none.
func (s *State) LastRefusal(ctx context.Context, period string) (detail string, err error) {
	err = s.read(ctx, "refusals", `SELECT detail FROM orderhistory_refusals WHERE period = @period ORDER BY at DESC LIMIT 1`,
		database.Args{"period": period}, func(rows *sql.Rows) error { return rows.Scan(&detail) })
	return detail, err
}

// Refusals returns how often runs were refused, by reason, over all time.
func (s *State) Refusals(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := s.read(ctx, "refusals", `SELECT reason, count(*) FROM orderhistory_refusals GROUP BY reason`, nil, func(rows *sql.Rows) error {
		var reason string
		var n int
		err := rows.Scan(&reason, &n)
		counts[reason] = n
		return err
	})
	return counts, err
}

// Decision is a person's decision to let a run pass that the gate refuses.
type Decision struct {
	Period string
	At     time.Time
	By     string
	What   string
	Why    string
}

// NoteDecision records a decision.
func (s *State) NoteDecision(ctx context.Context, d Decision) error {
	return s.exec(ctx, "record a decision", database.Args{"period": d.Period, "at": d.At.Unix(), "by": d.By, "what": d.What, "why": d.Why},
		`INSERT INTO orderhistory_decisions (period, at, by_whom, what, why) VALUES (@period, @at, @by, @what, @why)`)
}

// Prune deletes who had which file in periods that were finished before a moment,
// and whole plans from before it that never came to anything. What stays is one
// row for each finished period, which is never done again; the end of each customer's
// last file; refusals and decisions.
func (s *State) Prune(ctx context.Context, before time.Time) error {
	return s.exec(ctx, "prune", database.Args{"before": before.Unix()},
		// As the files' rows say it now.
		`UPDATE orderhistory_exports SET set_aside = customers - files WHERE phase = 'done' AND done_at < @before`,
		`DELETE FROM orderhistory_files WHERE period IN (SELECT period FROM orderhistory_exports
			WHERE phase = 'done' AND done_at < @before OR phase = 'writing' AND planned_at < @before)`,
		`DELETE FROM orderhistory_exports WHERE phase = 'writing' AND planned_at < @before`)
}
