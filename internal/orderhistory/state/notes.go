package state

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// Refusal is a run that was refused.
type Refusal struct {
	Period string    `json:"period"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"` // in one word, as in metrics
	Detail string    `json:"detail"` // in a line
}

// NoteRefusal records that a run was refused. What refuses a run may have ended the
// session, too, as a restart of PostgreSQL does: then another session records it,
// since nothing hangs on the lock here.
func (s *State) NoteRefusal(ctx context.Context, r Refusal) error {
	const insert = `INSERT INTO orderhistory_refusals (period, at, reason, detail) VALUES (@period, @at, @reason, @detail)`
	args := database.Args{"period": r.Period, "at": r.At.Unix(), "reason": r.Reason, "detail": r.Detail}
	err := s.exec(ctx, "record a refusal", args, insert)
	if err == nil || s.db.Kind != database.Postgres {
		return err
	}
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		if _, err = s.db.Exec(ctx, s.db, insert, args); err == nil {
			return nil
		}
		if wait > restartTime/2 {
			return fmt.Errorf("state: record a refusal: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("state: record a refusal: %w", err)
		case <-time.After(wait): // there is no signal for a server that is back
		}
	}
}

// restartTime is how long a restart of PostgreSQL may take without the loss of a
// refusal.
const restartTime = 10 * time.Second

// LatestRefusals returns the latest refusals of all periods, the newest first.
func (s *State) LatestRefusals(ctx context.Context, most int) ([]Refusal, error) {
	var all []Refusal
	err := s.read(ctx, "refusals", `SELECT period, at, reason, detail FROM orderhistory_refusals ORDER BY at DESC LIMIT @most`,
		database.Args{"most": most}, func(rows *sql.Rows) error {
			var r Refusal
			var at int64
			err := rows.Scan(&r.Period, &at, &r.Reason, &r.Detail)
			r.At = moment(at)
			all = append(all, r)
			return err
		})
	return all, err
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
