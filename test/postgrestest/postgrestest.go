// Package postgrestest gives a test a PostgreSQL database of its own: on a real
// server that the test's process starts once, on a unix socket in a temporary
// directory, and that ends with the process.
//
// A missing server fails the test and never skips it. Only tests import this
// package.
package postgrestest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
)

const (
	startTimeout = 60 * time.Second
	missing      = "postgrestest: initdb and postgres are neither in the PATH nor in /usr/lib/postgresql: run `make postgres`, or install them with `apt-get install postgresql`"
)

var (
	once    sync.Once
	running server
	failed  error
	count   atomic.Int64
)

// server is the one of this process.
type server struct {
	dir   string
	cmd   *exec.Cmd
	input io.Closer
}

// URL is the address of a new, empty database. The test's end drops it.
func URL(t testing.TB) string {
	t.Helper()
	once.Do(func() { failed = running.start() })
	if failed != nil {
		t.Fatal(failed)
	}
	name := fmt.Sprintf("test%d", count.Add(1))
	admin(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { admin(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return running.url(name)
}

// Stop ends the server, if one was started: for TestMain, after the tests.
func Stop() {
	if running.cmd != nil {
		_ = running.input.Close()
		_ = running.cmd.Wait() // killed on purpose
	}
	if running.dir != "" {
		_ = os.RemoveAll(running.dir)
	}
}

func admin(t testing.TB, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", running.url("postgres"))
	if err != nil {
		t.Fatalf("postgrestest: %v", err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if _, err := db.ExecContext(ctx, statement); err != nil {
		t.Errorf("postgrestest: %s: %v", statement, err)
	}
}

func (s *server) url(database string) string {
	q := url.Values{"host": {s.dir}, "user": {"test"}}
	return "postgres:///" + database + "?" + q.Encode()
}

// binary finds one of PostgreSQL's programs: Debian doesn't put them into the
// PATH.
func binary(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return "", errors.New(missing)
	}
	return slices.Max(found), nil
}

func (s *server) start() error {
	initdb, err := binary("initdb")
	if err != nil {
		return err
	}
	postgres, err := binary("postgres")
	if err != nil {
		return err
	}
	// Short, as the path of a socket has to be.
	if s.dir, err = os.MkdirTemp("/tmp", "pg-"); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	if err := ownBy(s.dir); err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	if out, err := s.command(initdb, "-D", data, "-U", "test", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8").CombinedOutput(); err != nil {
		return fmt.Errorf("postgrestest: initdb: %w\n%s", err, out)
	}
	// The shell ends the server when this process dies without running Stop, as
	// after a test time-out: its input closes with us.
	s.cmd = s.command("/bin/sh", "-c", `"$@" & server=$!; read -r _; kill -9 "$server"; wait`, "sh",
		postgres, "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=200")
	if s.input, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close() // the child holds its own copy
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("postgrestest: %w", err)
	}
	return s.await()
}

func (s *server) await() error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		err := db.Ping()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("postgrestest: the server doesn't answer: %w\n%s", err, log)
		}
	}
}

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	asOther(cmd)
	return cmd
}
