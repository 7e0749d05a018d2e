package database_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/test/postgrestest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postgrestest.Stop()
	os.Exit(code)
}

// both runs a test on a database of each kind.
func both(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); f(t, "sqlite:"+filepath.Join(t.TempDir(), "a b%.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); f(t, postgrestest.URL(t)) })
}

func TestExecRows_DoesTheSameOnBoth(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		db, err := database.Create(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		exec := func(query string, args database.Args) {
			t.Helper()
			if _, err := db.Exec(t.Context(), db, query, args); err != nil {
				t.Fatal(err)
			}
		}
		exec("CREATE TABLE t (owner text, a bigint, b text, at timestamptz)", nil)
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		fields := []string{"a bigint", "b text"}
		rows := []database.Args{{"a": 1, "b": "it's \"x\""}, {"a": 1 << 60, "b": "ü\n@b"}}
		n, err := db.ExecRows(t.Context(), tx, "INSERT INTO t (owner, a, b) VALUES (@me, @a, @b)",
			"INSERT INTO t (owner, a, b) SELECT @me, a, b FROM %s", fields, rows, database.Args{"me": "ada"})
		if err != nil || n != 2 {
			t.Fatalf("%d, %v", n, err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		exec("UPDATE t SET at = '2026-11-22 23:59:59' WHERE a = 1", nil)
		exec("UPDATE t SET at = '2026-11-23 00:00:00' WHERE a <> 1", nil)
		found, err := db.Query(t.Context(), db, "SELECT owner, a, b FROM t WHERE at < @until", database.Args{
			"until": db.Time(time.Date(2026, 11, 23, 1, 0, 0, 0, time.FixedZone("CET", 3600)))})
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		var got []string
		for found.Next() {
			var owner, b string
			var a int64
			if err := found.Scan(&owner, &a, &b); err != nil {
				t.Fatal(err)
			}
			got = append(got, owner+b)
		}
		if len(got) != 1 || got[0] != `adait's "x"` || found.Err() != nil {
			t.Errorf("%q, %v", got, found.Err())
		}
	})
}

func TestOpen_NeverWritesToAShop(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "shop.db")
	if _, err := database.Open(t.Context(), url); err == nil {
		t.Error("a file that isn't there was opened")
	}
	db, err := database.Create(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), db, "CREATE TABLE t (a int)", nil); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if db, err = database.Open(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(t.Context(), db, "INSERT INTO t VALUES (1)", nil); err == nil {
		t.Error("it was written to")
	}
}

func TestOpen_NoErrorHoldsAPassword(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, url := range []string{
		"postgres://u:hunter2@127.0.0.1:1/x", "postgres://u:hunter2@127.0.0.1:port/x", "postgres://u:hunter2%@h/x",
		"postgres://u:hunter2@127.0.0.1:1/x?sslmode=maybe", "mysql://u:hunter2@h/x", "hunter2", "sqlite:", "sqlite:x?password=hunter2", "",
	} {
		_, err := database.Open(ctx, url)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(database.Describe(url), "hunter2") {
			t.Errorf("%v; %s", err, database.Describe(url))
		}
	}
	if err := database.Check("mysql://x"); !errors.Is(err, database.ErrURL) {
		t.Error(err)
	}
}

func TestLockable_OneHoldsItUntilItCloses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	take := func() (*sql.Conn, error) {
		db, err := database.Lockable(t.Context(), path)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = db.Close() })
		conn, err := db.Conn(t.Context())
		if err == nil {
			_, err = conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE")
		}
		return conn, err
	}
	first, err := take()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take(); !database.IsLocked(err) {
		t.Errorf("error: %v", err)
	}
	if _, err := first.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if _, err := take(); err != nil {
		t.Error(err)
	}
}
