package state

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// Rehearse opens what a dry run works with: the state as it is to read, and tables of
// this session's own, in the place of those that it writes to. They go with the
// session. It makes no file, takes no lock, and runs beside an export.
func Rehearse(ctx context.Context, rawURL string) (*State, error) {
	db, err := database.Rehearse(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state: %w", err), db.Close())
	}
	s := &State{db: db, conn: conn, rehearsal: true}
	there, err := s.tablesThere(ctx)
	if err == nil {
		err = s.shadow(ctx, there)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state: make tables to rehearse with: %w", err), s.Close())
	}
	return s, nil
}

// shadow makes the session's own tables, which both databases find before those of
// the same name: all of them where there is no state, else those that a plan is
// written to, of which the exports hold what was done.
func (s *State) shadow(ctx context.Context, there bool) error {
	temporary := strings.ReplaceAll(tables, "CREATE TABLE IF NOT EXISTS", "CREATE TEMPORARY TABLE")
	var statements []string
	for statement := range strings.SplitSeq(temporary, ";") {
		if statement = strings.TrimSpace(statement); statement != "" && (!there || strings.Contains(statement, "orderhistory_files")) {
			statements = append(statements, statement)
		}
	}
	if there {
		from := "orderhistory_exports"
		if s.db.Kind == database.SQLite {
			from = "main." + from
		}
		statements = append(statements, "CREATE TEMPORARY TABLE orderhistory_exports AS SELECT * FROM "+from)
	}
	for _, statement := range statements {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
