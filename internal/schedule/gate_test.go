package schedule

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func (m *room) stat(name string) (os.FileInfo, error) { return os.Stat(filepath.Join(m.folder, name)) }

func TestGate_NothingIsSentOfWhatLooksWrong(t *testing.T) {
	t.Parallel()
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/half.csv":
			w.Header().Set("Content-Length", "100000")
			fmt.Fprint(w, people(10))
		case "/cut.csv": // in chunks, and the last one is missing
			fmt.Fprint(w, people(10))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/endless.csv":
			conn, buf, _ := w.(http.Hijacker).Hijack()
			fmt.Fprint(buf, "HTTP/1.0 200 OK\r\nContent-Type: text/csv\r\n\r\n"+people(10))
			buf.Flush()
			conn.Close()
		case "/login.csv":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<html>")
		case "/slow.csv":
			<-r.Context().Done()
		default:
			http.Error(w, "no", http.StatusForbidden)
		}
	}))
	t.Cleanup(half.Close)
	for name, c := range map[string]struct{ source, kind, reason string }{
		"no rows":           {`command: [echo, "recipient,phone,url"]`, refusedEmpty, "the list has no recipients"},
		"no output":         {`command: ["true"]`, refusedEmpty, "the list has no recipients"},
		"exit status":       {`command: [sh, -c, "cat $FOLDER/list.csv; exit 3"]`, refusedSource, "read sh: the program failed: exit status 3"},
		"nothing, failed":   {`command: ["false"]`, refusedSource, "read false: the program failed: exit status 1"},
		"killed":            {`command: [sh, -c, "cat $FOLDER/list.csv; kill -9 $$"]`, refusedSource, "read sh: the program failed: signal: killed"},
		"no such program":   {`command: [/no/such/program]`, refusedSource, "/no/such/program: no such file or directory"},
		"too slow":          {"timeout: 1s\n" + `command: [sh, -c, "cat $FOLDER/list.csv; sleep 600"]`, refusedSource, "not done within 1 s"},
		"bad rows":          {`command: [sh, -c, "cat $FOLDER/list.csv; echo x,1,https://x.y/z"]`, refusedRows, "sh:22:3:"},
		"no such file":      {`list: nobody.csv`, refusedSource, "no such file"},
		"half of it":        {`list: ` + half.URL + `/half.csv?sig=secret`, refusedSource, "unexpected EOF"},
		"cut":               {`list: ` + half.URL + `/cut.csv`, refusedSource, "unexpected EOF"},
		"no end":            {`list: ` + half.URL + `/endless.csv`, refusedSource, "doesn't say where the list ends"},
		"a page":            {`list: ` + half.URL + `/login.csv`, refusedSource, "as of a login"},
		"forbidden":         {`list: ` + half.URL + `/other.csv?sig=secret`, refusedSource, "403 Forbidden"},
		"too slow a server": {"timeout: 1s\nlist: " + half.URL + `/slow.csv`, refusedSource, "not done within 1 s"},
		"too large":         {`command: [sh, -c, "cat $FOLDER/list.csv; yes"]`, refusedSource, "longer than 1 MB"},
		"too small":         {`command: [sh, -c, "head -n 10 $FOLDER/list.csv"]`, refusedDrift, "9 recipients, and 20 the last time: 55 % off, over max_drift (50 %)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newRoom(t)
			m.write("list.csv", people(20))
			if err := m.rdb.HSet(t.Context(), "handout:{schedule:nightly}", "size", 20).Err(); err != nil {
				t.Fatal(err)
			}
			r, s := m.runner(never + c.source)
			tick := m.byHand(r, s, monday, Hand{By: "ann"})
			if tick.State != Refused || tick.Kind != c.kind || !strings.Contains(tick.Reason, c.reason) || strings.Contains(tick.Reason, "secret") {
				t.Errorf("%+v", tick)
			}
			if got := m.campaigns(); len(got) != 0 {
				t.Errorf("campaigns %v", got)
			}
			if n := counted(t, r.metrics.refused.WithLabelValues("nightly", c.kind)); n != 1 {
				t.Errorf("%v counted", n)
			}
			if size, err := r.store.size(t.Context(), "nightly"); err != nil || size != 20 {
				t.Errorf("size %d, %v", size, err)
			}
			_, err := r.DryRun(t.Context(), s, monday, false)
			var refusal *refusal
			if !errors.As(err, &refusal) && c.reason != "not done within 1 s" || refusal != nil && refusal.Kind != c.kind {
				t.Errorf("dry run: %v", err)
			}
		})
	}
}

func TestByHand_LetsADriftPassAndIsDoneOnce(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(20))
	r, s := m.runner(never + "list: list.csv\nhold: true\noverlap: beside")
	if tick := m.byHand(r, s, monday, Hand{By: "ann"}); tick.Total != 20 || tick.By != "ann" {
		t.Fatalf("%+v", tick)
	}
	m.write("list.csv", people(45))
	if tick := m.byHand(r, s, tuesday, Hand{By: "ann"}); tick.State != Refused || tick.Kind != refusedDrift {
		t.Fatalf("%+v", tick)
	}
	tick := m.byHand(r, s, tuesday, Hand{By: "bob", Why: "a new shop", AcceptDrift: true})
	if tick.Total != 45 || tick.Attempt != 2 || tick.Reason != "" || tick.Kind != "" {
		t.Errorf("%+v", tick)
	}
	if size, err := r.store.size(t.Context(), "nightly"); err != nil || size != 45 {
		t.Errorf("size %d, %v", size, err)
	}
	info, err := r.ledger.Info(t.Context(), tick.Campaign)
	if err != nil || info.Phase != "paused" || info.Reason != "paused from the start" {
		t.Errorf("%+v, %v", info, err)
	}
	if got := info.Spec.Channels[0].Parameters["text"]; got != "Your order history of 2026-11-24 is at {{.url}}." {
		t.Error(got)
	}
	history, err := r.ledger.History(t.Context(), tick.Campaign)
	if err != nil || history[0].By != "bob" || history[0].Why != "a new shop" {
		t.Errorf("%+v, %v", history, err)
	}
	m.write("list.csv", people(3)) // isn't read any more
	if again := m.byHand(r, s, tuesday, Hand{By: "eve"}); again.Total != 45 || again.By != "bob" || again.Attempt != 2 {
		t.Errorf("%+v", again)
	}
}

func TestPeriod_IsATickAndTheNearestIsNamed(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(3))
	r, s := m.runner("cron: 0 2 * * *\nzone: Europe/Paris\nlist: list.csv")
	now := instant(t, "2026-11-24T12:00:00Z")
	for text, want := range map[string]string{
		"": "2026-11-24T01:00Z", "2026-11-23T01:00Z": "2026-11-23T01:00Z", "nightly:2026-11-23T02:00+01:00": "2026-11-23T01:00Z",
		"2026-11-23T02:00Z": "is no tick of nightly; the nearest is 2026-11-23T01:00Z",
		"2026-11-23T20:00Z": "is no tick of nightly; the nearest is 2026-11-24T01:00Z",
		"2026-11-24T11:00Z": "is no tick of nightly; the nearest is 2026-11-24T01:00Z", // tomorrow's is nearer still, and yet to come
		"2026-11-25T01:00Z": "is yet to come", "soon": "a period is a time",
	} {
		p, err := r.Period(t.Context(), s, text, now)
		if string(p) != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %q, %v", text, p, err)
		}
	}
	// One that was a tick when the clock was another may still be run.
	m.byHand(r, s, "2026-11-23T02:00Z", Hand{By: "ann"})
	if p, err := r.Period(t.Context(), s, "2026-11-23T02:00Z", now); p != "2026-11-23T02:00Z" || err != nil {
		t.Errorf("%q, %v", p, err)
	}
}

func TestByHand_MindsThePredecessorUnlessToldNotTo(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(20))
	r, s := m.runner(never + "list: list.csv")
	m.byHand(r, s, monday, Hand{By: "ann"})
	_, err := r.ByHand(t.Context(), s, tuesday, Hand{By: "ann"})
	var overlap *OverlapError
	if !errors.As(err, &overlap) || overlap.before != "nightly:2026-11-23T02:00Z" || m.tick(tuesday).State != "" {
		t.Errorf("%v, %+v", err, m.tick(tuesday))
	}
	if tick := m.byHand(r, s, tuesday, Hand{By: "ann", Beside: true}); tick.Total != 20 {
		t.Errorf("%+v", tick)
	}
}

func TestRunner_TriesAgainWhenRedisFailsInTheMiddle(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("list.csv", people(3))
	r, s := m.runner(never + "list: list.csv")
	tick := &Tick{Period: monday, State: Running, Attempt: 1}
	r.finish(t.Context(), s, tick, opened{err: errors.New("redis: connection refused")})
	if tick.State != Waiting || tick.Attempt != 2 || tick.Reason != "is tried again: redis: connection refused" {
		t.Errorf("%+v", tick)
	}
	tick.Attempt = maxAttempts
	r.finish(t.Context(), s, tick, opened{err: errors.New("redis: connection refused")})
	if tick.State != Refused || tick.Reason != "tried 10 times: redis: connection refused" {
		t.Errorf("%+v", tick)
	}
	for attempt, want := range map[int]time.Duration{1: 0, 2: 0, 3: 8 * time.Second, 20: 256 * time.Second} {
		if got := backoff(attempt); got != want {
			t.Errorf("attempt %d: %s", attempt, got)
		}
	}
}
