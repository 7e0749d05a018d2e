package main_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/state"
)

func TestRun_JSONIsOneObject(t *testing.T) {
	t.Parallel()
	p := settle(t, 30)
	var r struct {
		Period, Campaign string
		Already          bool
		Files            int
	}
	must(t, json.Unmarshal([]byte(p.done("run", "--period", day, "--json")), &r))
	if r.Period != day || r.Campaign != string(theID) || r.Files != 30 || r.Already {
		t.Errorf("%+v", r)
	}
	must(t, json.Unmarshal([]byte(p.done("run", "--period", day, "--json")), &r))
	if !r.Already {
		t.Errorf("%+v", r)
	}
	var all []struct {
		Period, Phase string
		Files         int
	}
	must(t, json.Unmarshal([]byte(p.done("status", "--json")), &all))
	if len(all) != 1 || all[0].Phase != "done" || all[0].Files != 30 {
		t.Errorf("%+v", all)
	}
}

func TestRun_RefusedItSaysWhyInOneLineAndCountsIt(t *testing.T) {
	t.Parallel()
	p := settle(t, 40)
	shop, err := database.Create(t.Context(), p.env["ORDERHISTORY_SHOP"])
	must(t, err)
	_, err = shop.ExecContext(t.Context(), "UPDATE customers SET phone = '12' WHERE id < 5")
	must(t, err)
	must(t, shop.Close())
	metrics := filepath.Join(t.TempDir(), "export.prom")
	for range 2 {
		r := p.run("run", "--period", day, "--metrics-file", metrics)
		if r.code != 1 || r.stdout != "" || r.stderr != "orderhistory: refused, nothing was sent: 4 of 40 customers set aside, 10.0 %, and at most 5.0 % may be\n" {
			t.Fatalf("%+v", r)
		}
	}
	text, err := os.ReadFile(metrics)
	must(t, err)
	if !strings.Contains(string(text), "handout_export_refused_total{reason=\"bad_rows\"} 2\n") || !strings.Contains(string(text), "{reason=\"drift\"} 0\n") {
		t.Errorf("%s", text)
	}
	if p.recipients(theID) != nil || p.stored() != 0 {
		t.Error("something was sent or written")
	}
	if out := p.done("status"); !strings.Contains(out, day+"  refused") || !strings.Contains(out, "2 times") || strings.Count(out, ", bad_rows: 4 of 40 customers set aside") != 2 {
		t.Errorf("%s", out)
	}
	p.env["ORDERHISTORY_MAX_BAD"] = "0.1"
	r := p.run("run", "--period", day, "--metrics-file", metrics)
	if r.code != 0 || !strings.HasPrefix(r.stderr, "set aside: 4 of 40 customers:\n  customer 1: ") || strings.Count(r.stderr, "\n") != 5 || strings.Contains(r.stderr, "+1") {
		t.Errorf("%+v", r)
	}
	if text, err = os.ReadFile(metrics); err != nil || !strings.Contains(string(text), "handout_export_last_success_files 36\n") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestRun_ADryRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := settle(t, 40)
	shop, err := database.Create(t.Context(), p.env["ORDERHISTORY_SHOP"])
	must(t, err)
	_, err = shop.ExecContext(t.Context(), "UPDATE customers SET phone = '12' WHERE id <= 14; PRAGMA journal_mode = DELETE")
	must(t, err)
	must(t, shop.Close())
	p.env["ORDERHISTORY_MAX_BAD"], p.env["ORDERHISTORY_FOLDER"] = "1", filepath.Join(t.TempDir(), "later")
	dir := filepath.Dir(strings.TrimPrefix(p.state, "sqlite:"))
	before, err := os.ReadDir(dir)
	must(t, err)
	r := p.run("run", "--period", day, "--dry-run")
	if r.code != 0 || !strings.HasPrefix(r.stderr, "set aside: 14 of 40 customers, the first 10:\n") || strings.Count(r.stderr, "\n") != 11 {
		t.Errorf("%+v", r)
	}
	after, err := os.ReadDir(dir)
	must(t, err)
	if len(after) != len(before) {
		t.Errorf("before %v, after %v", before, after)
	}
	if _, err := os.Stat(p.env["ORDERHISTORY_FOLDER"]); err == nil {
		t.Error("it made the folder")
	}
}

func TestRun_TwoAtOnceOneSaysSoAndOneWaits(t *testing.T) {
	t.Parallel()
	p := settle(t, 20)
	s, err := state.Open(t.Context(), p.state)
	must(t, err)
	must(t, s.Lock(t.Context()))
	if r := p.run("run", "--period", day); r.code != 1 || !strings.Contains(r.stderr, "another run is under way") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%+v", r)
	}
	waits := p.launch("run", "--period", day, "--wait", "5m")
	if r := p.run("status"); r.code != 0 { // isn't kept from looking
		t.Errorf("%+v", r)
	}
	must(t, s.Close())
	<-waits.exited
	if waits.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("%s", waits.out.String())
	}
	p.whole(20)
}

func TestUsage_IsStatusTwoAndOneLine(t *testing.T) {
	t.Parallel()
	p := &place{t: t, env: map[string]string{}}
	for _, c := range []struct {
		args []string
		env  [2]string
		says string
	}{
		{nil, [2]string{}, "a command is missing"},
		{[]string{"send"}, [2]string{}, "there is no command"},
		{[]string{"run", "now"}, [2]string{}, "one argument too many"},
		{[]string{"run", "--period", "soon"}, [2]string{}, "a period is a day"},
		{[]string{"run", "--period", "2999-01-01"}, [2]string{}, "isn't over yet"},
		{[]string{"run", "--force-drift", ""}, [2]string{}, "say why"},
		{[]string{"run"}, [2]string{}, "REDIS_URL is not set"},
		{[]string{"run"}, [2]string{"ORDERHISTORY_LINK_LIFE", "200h"}, "ORDERHISTORY_LINK_LIFE: must be 1h to 168h"},
		{[]string{"run"}, [2]string{"ORDERHISTORY_WORKERS", "many"}, "ORDERHISTORY_WORKERS: isn't a int"},
		{[]string{"run"}, [2]string{"ORDERHISTORY_SHOP", "mysql://hunter2"}, "ORDERHISTORY_SHOP: must be postgres"},
		{[]string{"run"}, [2]string{"ORDERHISTORY_S3_SESSION_TOKEN", "hunter2"}, "ORDERHISTORY_S3_SESSION_TOKEN: is set without an access key"},
		{[]string{"run"}, [2]string{"ORDERHISTORY_LINK_BASE", "https://f.example.com"}, "ORDERHISTORY_LINK_BASE: needs a bucket"},
		{[]string{"run"}, [2]string{"ORDERHISTORY_CURRENCY", "euro"}, "ORDERHISTORY_CURRENCY: must be a currency's three letters"},
		{[]string{"run"}, [2]string{"ORDERHISTORY_WORDS", "sum:Summe"}, "ORDERHISTORY_WORDS: there is no word \"sum\""},
		{[]string{"run"}, [2]string{"ORDERHISTORY_CUSTOMERS_SQL", "/nowhere"}, "/nowhere"},
		{[]string{"generate", "--customers", "0"}, [2]string{}, "--customers"},
	} {
		p.env = map[string]string{}
		if c.env[0] != "" {
			p.env[c.env[0]] = c.env[1]
		}
		r := p.run(c.args...)
		if r.code != 2 || !strings.Contains(r.stderr, c.says) || strings.Count(r.stderr, "\n") != 1 || strings.Contains(r.stderr, "hunter2") {
			t.Errorf("%v %v: %+v", c.args, c.env, r)
		}
	}
}

func TestConfig_ListsEveryVariableAndNoSecret(t *testing.T) {
	t.Parallel()
	p := &place{t: t, env: map[string]string{
		"ORDERHISTORY_S3_ACCESS_KEY": "k", "ORDERHISTORY_S3_SECRET_KEY": "hunter2", "ORDERHISTORY_SHOP": "postgres://u:hunter2@db/shop", "REDIS_URL": "redis://x:hunter2@localhost",
	}}
	out := p.done("config")
	for _, name := range []string{"REDIS_URL", "ORDERHISTORY_LINK_LIFE", "ORDERHISTORY_S3_PUBLIC_ENDPOINT", "ORDERHISTORY_FOLDER_URL", "ORDERHISTORY_MAX_DRIFT", "ORDERHISTORY_TRY_LINKS"} {
		if !strings.Contains(out, name+" ") {
			t.Errorf("no %s", name)
		}
	}
	if strings.Contains(out, "hunter2") || !strings.Contains(out, "PostgreSQL database shop at db") {
		t.Errorf("%s", out)
	}
}

func TestHelp_EveryCommandHasExamples(t *testing.T) {
	t.Parallel()
	p := &place{t: t, env: map[string]string{}}
	for _, command := range []string{"run", "status", "generate", "config"} {
		out := p.done(command, "--help")
		_, rest, ok := strings.Cut(out, "Examples:\n")
		examples, _, _ := strings.Cut(rest, "\n\n")
		if !ok {
			t.Errorf("%s has no example", command)
		}
		at := strings.Index(examples, "  # ")
		for line := range strings.SplitSeq(examples, "\n") {
			if !strings.HasPrefix(line, "  orderhistory "+command) || strings.Index(line, "  # ") != at {
				t.Errorf("%s: %q", command, line)
			}
		}
	}
}

func TestState_IsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	p := settle(t, 5)
	s, err := state.Open(context.Background(), p.state)
	must(t, err)
	defer s.Close()
	info, err := os.Stat(strings.TrimPrefix(p.state, "sqlite:"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestRun_ShortLinks has a bucket that anybody may read from by the file's name.
func TestRun_ShortLinks(t *testing.T) {
	t.Parallel()
	p := settle(t, 30).onS3()
	files := http.FileServer(http.Dir(p.files))
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", sheet.ContentType)
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(public.Close)
	p.env["ORDERHISTORY_LINK_BASE"], p.env["ORDERHISTORY_PREFIX"] = public.URL+"/", "o"
	p.done("run", "--period", day)
	p.whole(30)
	const name = "/o/2026-11-23/" + "abcdefghijklmnopqrstuvwxyz234567" + ".xlsx"
	for _, one := range p.recipients(theID) {
		if link := one.Values[0]; !strings.HasPrefix(link, public.URL+"/o/"+day+"/") || len(link) != len(public.URL)+len(name) {
			t.Errorf("%s", link)
		}
	}
	// Where the bucket isn't open to everybody it shows before anything is sent.
	p.env["ORDERHISTORY_LINK_BASE"] = p.env["ORDERHISTORY_S3_ENDPOINT"] + "/files"
	if r := p.run("run", "--period", day+"T00:00", "--all"); r.code != 1 || !strings.Contains(r.stderr, "the link answers with HTTP status 403") {
		t.Errorf("%+v", r)
	}
}
