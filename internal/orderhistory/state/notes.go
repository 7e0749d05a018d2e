package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

var errUnfinished = errors.New("the export isn't in the phase before, or not all of its files are ready")

// Refusal is a run that was refused.
type Refusal struct {
	Period string
	At     time.Time
	Reason string // one word, as in metrics
	Detail string // a line
}

// NoteRefusal records a refusal.
func (s *State) NoteRefusal(ctx context.Context, r Refusal) error {
	return s.exec(ctx, "record a refusal", `INSERT INTO orderhistory_refusals (period, at, reason, detail) VALUES (@period, @at, @reason, @detail)`,
		database.Args{"period": r.Period, "at": r.At.Unix(), "reason": r.Reason, "detail": r.Detail})
}

// LastRefusal returns a period's latest; nil when there is none.
func (s *State) LastRefusal(ctx context.Context, period string) (*Refusal, error) {
	var last *Refusal
	err := s.read(ctx, `SELECT at, reason, detail FROM orderhistory_refusals WHERE period = @period ORDER BY at DESC LIMIT 1`,
		database.Args{"period": period}, func(rows *sql.Rows) error {
			r := Refusal{Period: period}
			var at int64
			err := rows.Scan(&at, &r.Reason, &r.Detail)
			r.At = moment(at)
			last = &r
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("state: read refusals: %w", err)
	}
	return last, nil
}

// Refusals returns how often runs were refused, by reason, over all time.
func (s *State) Refusals(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	err := s.read(ctx, `SELECT reason, count(*) FROM orderhistory_refusals GROUP BY reason`, nil, func(rows *sql.Rows) error {
		var reason string
		var n int
		err := rows.Scan(&reason, &n)
		counts[reason] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("state: read refusals: %w", err)
	}
	return counts, nil
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
	return s.exec(ctx, "record a decision", `INSERT INTO orderhistory_decisions (period, at, by_whom, what, why) VALUES (@period, @at, @by, @what, @why)`,
		database.Args{"period": d.Period, "at": d.At.Unix(), "by": d.By, "what": d.What, "why": d.Why})
}
