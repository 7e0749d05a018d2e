// Package database opens a PostgreSQL or a SQLite database by its URL and lets
// the same SQL run on both, as far as the two agree: parameters are named, as
// in @until, and sets of rows go in as one JSON text.
//
//	postgres://user:password@host:5432/shop?sslmode=verify-full
//	sqlite:shop.db, sqlite:/var/lib/shop.db
//
// No error of this package and nothing that Describe returns holds a password.
package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"modernc.org/sqlite"               // and the driver sqlite
	sqlite3 "modernc.org/sqlite/lib"
)

// Kind is which of the two a database is.
type Kind int

// The kinds.
const (
	SQLite Kind = iota
	Postgres
)

// DB is an open database.
type DB struct {
	*sql.DB
	Kind Kind
	Path string // of SQLite's file
}

// Args are the parameters of a statement by name. Every one must occur in it,
// and no other.
type Args map[string]any

// ErrURL means that a text names no database.
var ErrURL = errors.New("must be postgres://… or sqlite:PATH")

// Open opens a database to read from. A SQLite file must exist, and is never
// written to.
func Open(ctx context.Context, rawURL string) (*DB, error) {
	return open(ctx, rawURL, "?mode=ro&_pragma=busy_timeout(10000)")
}

// Create opens a database to write to; a SQLite file is made if it's missing.
// What is committed has reached the disk.
func Create(ctx context.Context, rawURL string) (*DB, error) {
	return open(ctx, rawURL, "?mode=rwc&_pragma=busy_timeout(60000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
}

// Rehearse opens a database to read from and to make temporary tables in. Where a
// SQLite file is missing it is one in memory.
func Rehearse(ctx context.Context, rawURL string) (*DB, error) {
	kind, path, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); kind == SQLite && errors.Is(err, fs.ErrNotExist) {
		return open(ctx, "sqlite::memory:", "")
	}
	// Not read-only: a reader of a file in WAL mode that may not write leaves files
	// beside it.
	return open(ctx, rawURL, "?mode=rw&_pragma=busy_timeout(10000)")
}

func open(ctx context.Context, rawURL, options string) (*DB, error) {
	kind, rest, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	driver, name := "pgx", rawURL
	if kind == SQLite {
		if strings.Contains(options, "mode=rwc") {
			if err := private(rest); err != nil {
				return nil, err
			}
		}
		driver, name = "sqlite", "file:"+(&url.URL{Path: rest}).EscapedPath()+options
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", Describe(rawURL), withoutURL(err))
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", Describe(rawURL), withoutURL(err)), db.Close())
	}
	return &DB{DB: db, Kind: kind, Path: rest}, nil
}

// private makes a file that only its owner may read, if there is none: one that
// SQLite makes can be read by all users.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err // names the path
	}
	return f.Close()
}

// parse finds the kind, and the path of a SQLite file.
func parse(rawURL string) (Kind, string, error) {
	scheme, rest, ok := strings.Cut(rawURL, ":")
	switch {
	case !ok:
	case scheme == "postgres", scheme == "postgresql":
		return Postgres, "", nil
	case scheme == "sqlite":
		path := strings.TrimPrefix(rest, "//")
		if path != "" && !strings.ContainsAny(path, "?#") {
			return SQLite, path, nil
		}
	}
	return 0, "", ErrURL
}

// Check says whether a text names a database: nil or ErrURL.
func Check(rawURL string) error {
	_, _, err := parse(rawURL)
	return err
}

// Describe is a database's name for people, without a password.
func Describe(rawURL string) string {
	kind, path, err := parse(rawURL)
	switch {
	case err != nil:
		return "a database"
	case kind == SQLite:
		return "SQLite file " + path
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "PostgreSQL"
	}
	return fmt.Sprintf("PostgreSQL database %s at %s", strings.TrimPrefix(u.Path, "/"), u.Host)
}

// withoutURL drops what a parser repeats of a URL, which may hold a password in
// an unexpected place.
func withoutURL(err error) error {
	if parse := (*pgconn.ParseConfigError)(nil); errors.As(err, &parse) {
		return errors.New("the URL can't be read")
	}
	return err
}

// querier is what a connection, a transaction and the database have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Query runs a query on q, which is this database, or a connection or a
// transaction of it.
func (d *DB) Query(ctx context.Context, q querier, query string, args Args) (*sql.Rows, error) {
	return q.QueryContext(ctx, query, d.arguments(args)...)
}

// Exec runs a statement in the same way, and returns how many rows it changed.
func (d *DB) Exec(ctx context.Context, q querier, query string, args Args) (int, error) {
	result, err := q.ExecContext(ctx, query, d.arguments(args)...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

func (d *DB) arguments(args Args) []any {
	if len(args) == 0 {
		return nil
	}
	if d.Kind == Postgres {
		return []any{pgx.StrictNamedArgs(args)}
	}
	all := make([]any, 0, len(args))
	for name, value := range args {
		all = append(all, sql.Named(name, value))
	}
	return all
}

// Time is a moment as a parameter that compares with the database's own: with
// SQLite a text as of its datetime(), in UTC and seconds.
func (d *DB) Time(t time.Time) any {
	if d.Kind == Postgres {
		return t
	}
	return t.UTC().Format(time.DateTime)
}

// ExecRows carries a statement out for every row, and returns how many rows of
// the database it changed. SQLite, which has no way to go, is given one after
// the other: a statement with the row's values and those of shared as its
// parameters. PostgreSQL is given all at once, as a table r with these fields,
// such as "seq bigint", which stands for %s in its statement.
func (d *DB) ExecRows(ctx context.Context, tx *sql.Tx, sqlite, postgres string, fields []string, rows []Args, shared Args) (int, error) {
	if d.Kind == Postgres {
		text, err := json.Marshal(rows)
		if err != nil {
			return 0, err
		}
		args := Args{"rows": string(text)}
		maps.Copy(args, shared)
		table := "jsonb_to_recordset(@rows::jsonb) AS r(" + strings.Join(fields, ", ") + ")"
		return d.Exec(ctx, tx, fmt.Sprintf(postgres, table), args)
	}
	statement, err := tx.PrepareContext(ctx, sqlite)
	if err != nil {
		return 0, err
	}
	defer statement.Close()
	changed := 0
	for _, row := range rows {
		result, err := statement.ExecContext(ctx, append(d.arguments(shared), d.arguments(row)...)...)
		if err != nil {
			return changed, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return changed, err
		}
		changed += int(n)
	}
	return changed, nil
}

// Values is VALUES (@a, @b) for fields a and b.
func Values(fields []string) string { return "VALUES (@" + strings.Join(Names(fields), ", @") + ")" }

// Names are the names of fields such as "seq bigint".
func Names(fields []string) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i], _, _ = strings.Cut(f, " ")
	}
	return names
}

// Lockable opens a SQLite file of its own to be locked as a whole. A statement
// doesn't wait for another process's lock: see IsLocked.
func Lockable(ctx context.Context, path string) (*DB, error) {
	return open(ctx, "sqlite:"+path, "?mode=rwc&_pragma=busy_timeout(0)")
}

// IsLocked says whether another process holds what was to be locked.
func IsLocked(err error) bool {
	const lockNotAvailable = "55P03" // PostgreSQL's, after lock_timeout
	var lite *sqlite.Error
	var pg *pgconn.PgError
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_BUSY ||
		errors.As(err, &pg) && pg.Code == lockNotAvailable
}
