// Package state keeps what was exported for which period, in a small database of
// the export's own (a SQLite file, or tables in PostgreSQL), so that a run that
// was killed goes on where it was.
//
// An export is one period's. Its plan, which customers get a file, is fixed by one
// transaction. Then
//
//	writing ──▶ sending ──▶ done
//	   files: planned ──▶ written ──▶ uploaded ──▶ enqueued, or set_aside
//
// Written means that size and checksum of the file are known, uploaded that the
// store has it and was asked, enqueued that the campaign is open. In phase sending
// the links are there, and neither they nor the list change any more:
// a campaign that is submitted twice must have the same content. The step to
// done also moves each customer's last file, and deletes numbers, names and links.
//
// One process at a time holds the lock, over all periods. It is a lock of the
// operating system's (SQLite) or of the session's (PostgreSQL), never a row: it
// goes when the process goes, however that ends. With PostgreSQL everything is
// written by the session that holds it, so that a process that has lost the lock
// can't write either; a pooler in between must keep sessions.
package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// State is the open state. Its methods may be called by several goroutines; they
// take turns.
type State struct {
	db   *database.DB
	conn *sql.Conn
	mu   sync.Mutex

	lockDB   *database.DB // SQLite: the file beside the state's
	lockConn *sql.Conn
	locked   bool

	rehearsal bool // see Rehearse
}

// ErrBusy means that another process holds the lock.
var ErrBusy = errors.New("another run is under way")

const tables = `
CREATE TABLE IF NOT EXISTS orderhistory_exports (
	period text PRIMARY KEY, campaign text NOT NULL, phase text NOT NULL, until bigint NOT NULL,
	everybody bigint NOT NULL, initial bigint NOT NULL, further text NOT NULL,
	customers bigint NOT NULL, set_aside bigint NOT NULL DEFAULT 0, files bigint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0,
	planned_at bigint NOT NULL, links_expire bigint NOT NULL DEFAULT 0, done_at bigint NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS orderhistory_files (
	period text NOT NULL, customer text NOT NULL, seq bigint NOT NULL, state text NOT NULL, reason text NOT NULL DEFAULT '',
	phone text NOT NULL, name text NOT NULL, further text NOT NULL, orders bigint NOT NULL, last_order bigint NOT NULL,
	object text NOT NULL, size bigint NOT NULL DEFAULT 0, sha256 text NOT NULL DEFAULT '', link text NOT NULL DEFAULT '',
	PRIMARY KEY (period, customer)
);
CREATE UNIQUE INDEX IF NOT EXISTS orderhistory_files_seq ON orderhistory_files (period, seq);
CREATE TABLE IF NOT EXISTS orderhistory_last (customer text PRIMARY KEY, period text NOT NULL, until bigint NOT NULL);
CREATE TABLE IF NOT EXISTS orderhistory_refusals (period text NOT NULL, at bigint NOT NULL, reason text NOT NULL, detail text NOT NULL);
CREATE TABLE IF NOT EXISTS orderhistory_decisions (period text NOT NULL, at bigint NOT NULL, by_whom text NOT NULL, what text NOT NULL, why text NOT NULL);
CREATE TABLE IF NOT EXISTS orderhistory_settings (name text PRIMARY KEY, value text NOT NULL);
`

// Open opens the state at a URL, and makes its tables where they're missing.
func Open(ctx context.Context, rawURL string) (*State, error) {
	db, err := database.Create(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state: %w", err), db.Close())
	}
	s := &State{db: db, conn: conn}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("state: make tables: %w", err), s.Close())
	}
	return s, nil
}

// tablesVersion is that of the tables, which the settings keep.
const tablesVersion = "2"

// migrate makes the tables. Two processes that do so at once in PostgreSQL would
// get in each other's way, so they take turns. Where they are there nothing is
// locked: a reader needn't wait for a plan that is being made.
func (s *State) migrate(ctx context.Context) error {
	if there, err := s.tablesThere(ctx); there || err != nil {
		return err
	}
	return s.transact(ctx, func(tx *sql.Tx) error {
		if s.db.Kind == database.Postgres {
			if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('handout orderhistory tables'))`); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, tables); err != nil {
			return err
		}
		return s.execAll(ctx, tx, database.Args{"version": tablesVersion},
			`INSERT INTO orderhistory_settings (name, value) VALUES ('tables', @version) ON CONFLICT (name) DO NOTHING`)
	})
}

// tablesThere reports whether the tables are there; an error means that they are of
// another version.
func (s *State) tablesThere(ctx context.Context) (bool, error) {
	version := ""
	err := s.read(ctx, "tables", `SELECT value FROM orderhistory_settings WHERE name = 'tables'`, nil,
		func(rows *sql.Rows) error { return rows.Scan(&version) })
	if err != nil || version == "" {
		return false, nil
	}
	if version != tablesVersion {
		return false, fmt.Errorf("they are of version %s, and this program knows %s", version, tablesVersion)
	}
	return true, nil
}

// Close closes the state and lets go of the lock.
func (s *State) Close() error {
	errs := []error{s.conn.Close(), s.db.Close()}
	if s.lockConn != nil {
		errs = append(errs, s.lockConn.Close())
	}
	if s.lockDB != nil {
		errs = append(errs, s.lockDB.Close())
	}
	return errors.Join(errs...)
}

// Lock takes the lock, until Close; ErrBusy when another process has it.
func (s *State) Lock(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked || s.rehearsal {
		return nil
	}
	lock := s.lockFile
	if s.db.Kind == database.Postgres {
		lock = s.lockSession
	}
	err := lock(ctx)
	s.locked = err == nil
	switch {
	case database.IsLocked(err):
		return ErrBusy
	case err != nil:
		return fmt.Errorf("state: lock: %w", err)
	}
	return nil
}

// lockSession takes a lock of this session's. It stands for the schema, so that
// two exports may live in one database. It waits a little: that a process was
// killed reaches the server a moment later.
func (s *State) lockSession(ctx context.Context) error {
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	// The lock is the session's, and not this transaction's.
	err = s.execAll(ctx, tx, nil, `SET LOCAL lock_timeout = '5s'`,
		`SELECT pg_advisory_lock(hashtext('handout orderhistory'), hashtext(current_schema()::text))`)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// lockFile opens a transaction on a second file that no other process can open while
// it lasts: SQLite's own locks are the operating system's on every platform.
func (s *State) lockFile(ctx context.Context) (err error) {
	if s.lockDB == nil {
		if s.lockDB, err = database.Lockable(ctx, s.db.Path+".lock"); err != nil {
			return err
		}
	}
	conn, err := s.lockDB.Conn(ctx)
	if err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "BEGIN EXCLUSIVE"); err != nil {
		_ = conn.Close()
		return err
	}
	s.lockConn = conn
	return nil
}

// transact runs f in a transaction of the session that holds the lock.
func (s *State) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// write is transact with an error that says what was being done.
func (s *State) write(ctx context.Context, what string, f func(tx *sql.Tx) error) error {
	if err := s.transact(ctx, f); err != nil {
		return fmt.Errorf("state: %s: %w", what, err)
	}
	return nil
}

// exec runs statements with the same arguments in one transaction.
func (s *State) exec(ctx context.Context, what string, args database.Args, statements ...string) error {
	return s.write(ctx, what, func(tx *sql.Tx) error { return s.execAll(ctx, tx, args, statements...) })
}

func (s *State) execAll(ctx context.Context, tx *sql.Tx, args database.Args, statements ...string) error {
	for _, statement := range statements {
		if _, err := s.db.Exec(ctx, tx, statement, args); err != nil {
			return err
		}
	}
	return nil
}

var errUnfinished = errors.New("the export isn't in the phase before, or not all of its files are ready")

// step takes one export to its next phase; errUnfinished if it isn't ready for that.
func (s *State) step(ctx context.Context, tx *sql.Tx, statement string, args database.Args) error {
	n, err := s.db.Exec(ctx, tx, statement, args)
	if err == nil && n != 1 {
		err = errUnfinished
	}
	return err
}

// read runs a query and hands each row to scan. Its error says what was being read.
func (s *State) read(ctx context.Context, what, query string, args database.Args, scan func(*sql.Rows) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, err := s.db.Query(ctx, s.conn, query, args)
	if err == nil {
		err = each(rows, scan)
	}
	if err != nil {
		return fmt.Errorf("state: read %s: %w", what, err)
	}
	return nil
}

func each(rows *sql.Rows, scan func(*sql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Setting is a value that is drawn once and then stays, such as a secret. A rehearsal
// draws one of its own where there is none.
func (s *State) Setting(ctx context.Context, name string, draw func() string) (string, error) {
	value, err := s.setting(ctx, name)
	if err != nil || value != "" {
		return value, err
	}
	if s.rehearsal {
		return draw(), nil
	}
	err = s.exec(ctx, "settings", database.Args{"name": name, "value": draw()},
		`INSERT INTO orderhistory_settings (name, value) VALUES (@name, @value) ON CONFLICT (name) DO NOTHING`)
	if err != nil {
		return "", err
	}
	return s.setting(ctx, name)
}

// setting reads a setting; empty when there is none.
func (s *State) setting(ctx context.Context, name string) (value string, err error) {
	err = s.read(ctx, "settings", `SELECT value FROM orderhistory_settings WHERE name = @name`, database.Args{"name": name},
		func(rows *sql.Rows) error { return rows.Scan(&value) })
	return value, err
}
