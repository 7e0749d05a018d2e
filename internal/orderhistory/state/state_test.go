package state_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/state"
	"github.com/handout-dev/handout/test/postgrestest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postgrestest.Stop()
	os.Exit(code)
}

func both(t *testing.T, f func(t *testing.T, url string)) {
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); f(t, "sqlite:"+filepath.Join(t.TempDir(), "state.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); f(t, postgrestest.URL(t)) })
}

func open(t *testing.T, url string) *state.State {
	t.Helper()
	s, err := state.Open(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var until = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// plan plans customers 1 to n.
func plan(t *testing.T, s *state.State, period string, n int) {
	t.Helper()
	e := &state.Export{Period: period, Campaign: "c", Until: until, PlannedAt: until}
	err := s.Plan(t.Context(), e, func(add func(*state.File) error) error {
		for i := 1; i <= n; i++ {
			f := state.File{Customer: fmt.Sprint(i), State: state.Planned, Phone: fmt.Sprintf("+%d", i), LastOrder: until.Add(-time.Hour), Object: "o"}
			if err := add(&f); err != nil {
				return err
			}
		}
		return nil
	}, func(state.Totals) error { return nil })
	must(t, err)
}

// upload marks everybody's file.
func upload(t *testing.T, s *state.State, period, link string) {
	t.Helper()
	files, err := files(t, s, period, state.Planned, state.Uploaded)
	must(t, err)
	for i := range files {
		files[i].State, files[i].Size, files[i].Link = state.Uploaded, 10, link
	}
	must(t, s.Mark(t.Context(), period, files))
}

func TestPhases_NoStepIsLeftOut(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		s := open(t, url)
		plan(t, s, "p", 700)
		if err := s.Send(t.Context(), "p", 700, 7000, until); err == nil {
			t.Error("sending before the files are uploaded")
		}
		upload(t, s, "p", "")
		if err := s.Send(t.Context(), "p", 700, 7000, until); err == nil {
			t.Error("sending without links")
		}
		if err := s.Finish(t.Context(), "p", until); err == nil {
			t.Error("done before it was sending")
		}
		upload(t, s, "p", "https://x")
		must(t, s.Send(t.Context(), "p", 700, 7000, until))
		files, err := files(t, s, "p", state.Uploaded, state.Uploaded)
		must(t, err)
		if err := s.Mark(t.Context(), "p", files); err == nil {
			t.Error("a file was changed while sending")
		}
		must(t, s.Forget(t.Context(), "p"))
		must(t, s.Finish(t.Context(), "p", until))
		if err := s.Finish(t.Context(), "p", until); err == nil {
			t.Error("done twice")
		}
		e, err := s.Export(t.Context(), "p")
		must(t, err)
		totals, err := s.Totals(t.Context(), "p")
		if e == nil || e.Phase != state.Done || e.Files != 700 || totals.Ready != 700 || totals.Bytes != 7000 || err != nil {
			t.Errorf("%+v, %+v, %v", e, totals, err)
		}
	})
}

func TestPlan_AnErrorLeavesNoTrace(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		s := open(t, url)
		broken := errors.New("broken")
		one := func(add func(*state.File) error) error {
			return add(&state.File{Customer: "1", State: state.Planned, Phone: "+1", LastOrder: until})
		}
		twice := func(add func(*state.File) error) error { return errors.Join(one(add), one(add)) }
		yes := func(state.Totals) error { return nil }
		for name, c := range map[string]struct {
			fill  func(func(*state.File) error) error
			judge func(state.Totals) error
			want  error
		}{
			"fill":  {func(add func(*state.File) error) error { return errors.Join(one(add), broken) }, yes, broken},
			"judge": {one, func(state.Totals) error { return broken }, broken},
			"twice": {twice, yes, state.ErrTwice},
		} {
			if err := s.Plan(t.Context(), &state.Export{Period: "p", Campaign: "c", Until: until}, c.fill, c.judge); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			e, err := s.Export(t.Context(), "p")
			totals, err2 := s.Totals(t.Context(), "p")
			if e != nil || totals.Customers != 0 || err != nil || err2 != nil {
				t.Errorf("%s: %+v, %+v, %v, %v", name, e, totals, err, err2)
			}
		}
	})
}

func TestLastFile_NeverMovesBack(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		s := open(t, url)
		finish := func(period string) {
			upload(t, s, period, "https://x")
			must(t, s.Send(t.Context(), period, 1, 1, until))
			must(t, s.Finish(t.Context(), period, until))
		}
		plan(t, s, "later", 1)
		finish("later")
		e := &state.Export{Period: "earlier", Campaign: "c", Until: until.AddDate(0, 0, -7), Everybody: true}
		must(t, s.Plan(t.Context(), e, func(add func(*state.File) error) error {
			return add(&state.File{Customer: "1", State: state.Planned, Phone: "+1", LastOrder: until.AddDate(0, 0, -8)})
		}, func(state.Totals) error { return nil }))
		finish("earlier")
		// A customer who has the later file isn't due again by an order before it.
		again := &state.Export{Period: "again", Campaign: "c", Until: until}
		must(t, s.Plan(t.Context(), again, func(add func(*state.File) error) error {
			return add(&state.File{Customer: "1", State: state.Planned, Phone: "+1", LastOrder: until.AddDate(0, 0, -1)})
		}, func(state.Totals) error { return nil }))
		if again.Customers != 0 {
			t.Error("the customer is due again")
		}
	})
}

func TestLock_OneAtATimeAndItGoesWithItsHolder(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		first, second := open(t, url), open(t, url)
		must(t, first.Lock(t.Context()))
		must(t, first.Lock(t.Context())) // it has it
		if err := second.Lock(t.Context()); !errors.Is(err, state.ErrBusy) {
			t.Errorf("error: %v", err)
		}
		if _, err := second.Exports(t.Context(), 1); err != nil {
			t.Errorf("looking: %v", err)
		}
		must(t, first.Close())
		must(t, second.Lock(t.Context()))
	})
}

// TestLock_WhoHasLostItCannotWrite ends the session that holds the lock, as a
// failover does.
func TestLock_WhoHasLostItCannotWrite(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	first := open(t, url)
	must(t, first.Lock(t.Context()))
	plan(t, first, "p", 3)
	db, err := sql.Open("pgx", url)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
	must(t, err)
	second := open(t, url)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err = second.Lock(t.Context()); !errors.Is(err, state.ErrBusy) || time.Now().After(deadline) {
			break
		}
	}
	must(t, err)
	files, err := files(t, second, "p", state.Planned, state.Planned)
	must(t, err)
	for range 3 {
		if err := first.Mark(t.Context(), "p", files); err == nil {
			t.Fatal("it has written without the lock")
		}
	}
}

func TestOpen_LookingNeedNotWaitForAPlan(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		s := open(t, url)
		e := &state.Export{Period: "p", Campaign: "c", Until: until}
		must(t, s.Plan(t.Context(), e, func(add func(*state.File) error) error {
			for i := range 600 { // more than are inserted at once
				if err := add(&state.File{Customer: fmt.Sprint(i), State: state.Planned, Phone: fmt.Sprint(i), LastOrder: until}); err != nil {
					return err
				}
			}
			began := time.Now()
			all, err := open(t, url).Exports(t.Context(), 10)
			if len(all) != 0 || time.Since(began) > 20*time.Second {
				t.Errorf("%d exports after %s", len(all), time.Since(began))
			}
			return err
		}, func(state.Totals) error { return nil }))
	})
}

func TestOpen_RefusesTablesOfAnotherVersion(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		must(t, open(t, url).Close())
		db, err := database.Create(t.Context(), url)
		must(t, err)
		_, err = db.ExecContext(t.Context(), "UPDATE orderhistory_settings SET value = '99' WHERE name = 'tables'")
		must(t, err)
		must(t, db.Close())
		if _, err := state.Open(t.Context(), url); err == nil {
			t.Error("it was opened")
		}
	})
}

func TestOpen_ManyAtOnce(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		var all sync.WaitGroup
		values := make([]string, 8)
		for i := range values {
			all.Go(func() {
				s, err := state.Open(t.Context(), url)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				values[i], err = s.Setting(t.Context(), "secret", func() string { return fmt.Sprint(i) })
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, v := range values {
			if v != values[0] || v == "" {
				t.Errorf("secrets %q", values)
				break
			}
		}
	})
}

// files are the first of a period in these states.
func files(t *testing.T, s *state.State, period string, a, b state.FileState) ([]state.File, error) {
	t.Helper()
	for files, err := range s.Chunks(t.Context(), period, 1000, a, b) {
		return files, err
	}
	return nil, nil
}

func TestRehearse_LeavesNothingBehind(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, url string) {
		rehearse := func() *state.State {
			s, err := state.Rehearse(t.Context(), url)
			must(t, err)
			return s
		}
		first := rehearse()
		plan(t, first, "p", 600)
		files, err := files(t, first, "p", state.Planned, state.Planned)
		if len(files) != 600 || err != nil {
			t.Errorf("%d files, %v", len(files), err)
		}
		must(t, first.Close())
		if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
			if all, err := filepath.Glob(path + "*"); len(all) > 0 || err != nil {
				t.Errorf("it left %v, %v", all, err)
			}
		}
		s := open(t, url)
		secret, err := s.Setting(t.Context(), "secret", func() string { return "real" })
		must(t, err)
		must(t, s.Lock(t.Context()))
		plan(t, s, "p", 3)
		second := rehearse()
		defer second.Close()
		must(t, second.Lock(t.Context()))
		if again, err := second.Setting(t.Context(), "secret", func() string { return "drawn" }); again != secret || err != nil {
			t.Errorf("%q, %v", again, err)
		}
		plan(t, second, "other", 5)
		if e, err := second.Export(t.Context(), "p"); e == nil || err != nil {
			t.Errorf("%+v, %v", e, err)
		}
		all, err := s.Exports(t.Context(), 10)
		if len(all) != 1 || err != nil {
			t.Errorf("%d exports, %v", len(all), err)
		}
	})
}

// TestNoteRefusal_IsKeptWhenTheSessionIsGone ends the session, as a restart of
// PostgreSQL does, which also breaks off the query that is refused for it.
func TestNoteRefusal_IsKeptWhenTheSessionIsGone(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	s := open(t, url)
	must(t, s.Lock(t.Context()))
	db, err := database.Create(t.Context(), url)
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	must(t, err)
	refusal := state.Refusal{Period: "p", At: until, Reason: "query", Detail: "it broke off"}
	must(t, s.NoteRefusal(t.Context(), refusal))
	all, err := open(t, url).LatestRefusals(t.Context(), 10)
	if err != nil || len(all) != 1 || all[0] != refusal {
		t.Errorf("%+v, %v", all, err)
	}
}
