package schedule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/s3keys"
	"github.com/handout-dev/handout/internal/secret"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/proxytest"
)

// whole reads a list as a tick would.
func whole(t *testing.T, l *Lists, s *Schedule) (string, producer.Format, error) {
	t.Helper()
	r := l.open(t.Context(), s, monday)
	t.Cleanup(r.close)
	if _, err := r.list(); err != nil {
		return "", r.format, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return "", r.format, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if again, err := io.ReadAll(r); err != nil || string(again) != string(b) {
		t.Errorf("read again: %q, %v", again, err)
	}
	return string(b), r.format, nil
}

func schedule(t *testing.T, list string) *Schedule {
	t.Helper()
	clock, err := parseClock("0 2 * * *", "Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return &Schedule{Name: "nightly", Clock: clock, List: list}
}

func TestLists_AreFetchedOverHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/on":
			http.Redirect(w, r, "/list", http.StatusFound)
			return
		case "/list":
			w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		case "/lines":
			w.Header().Set("Content-Type", "application/x-ndjson")
		}
		fmt.Fprint(w, "a list ", r.URL.Query().Get("day"))
	}))
	t.Cleanup(server.Close)
	open := &Lists{Private: true, MaxBytes: 100}
	for path, want := range map[string]producer.Format{
		"/2026/list.csv": producer.CSV, "/list": producer.CSV, "/lines": producer.NDJSON, "/on": producer.CSV, "/x.ndjson": producer.NDJSON, "/unknown": "",
	} {
		got, format, err := whole(t, open, schedule(t, server.URL+path))
		if format != want || err == nil && got != "a list " || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %s, %v", path, got, format, err)
		}
	}
	if got, _, err := whole(t, open, schedule(t, server.URL+"/list.csv?day=[[day]]")); got != "a list 2026-11-23" {
		t.Errorf("%q, %v", got, err)
	}
	if _, _, err := whole(t, &Lists{MaxBytes: 100}, schedule(t, server.URL+"/list.csv")); err == nil || !strings.Contains(err.Error(), "not an https URL") {
		t.Error(err)
	}
	secure := httptest.NewTLSServer(server.Config.Handler)
	t.Cleanup(secure.Close)
	if _, _, err := whole(t, &Lists{MaxBytes: 100}, schedule(t, secure.URL+"/list.csv?secret=1")); err == nil || err.Error() != "a private address" {
		t.Error(err)
	}
}

func TestLists_AreFetchedFromNoPrivateAddressByARedirectOrByName(t *testing.T) {
	t.Parallel()
	served := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	t.Cleanup(server.Close)
	l := &Lists{MaxBytes: 100, S3: S3{Endpoint: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), Region: "eu-west-1", Keys: s3keys.Keys{AccessKey: "key", SecretKey: secret.New("secret")}}}
	for _, list := range []string{l.S3.Endpoint + "/list.csv", "s3://bucket/list.csv"} {
		if _, _, err := whole(t, l, schedule(t, list)); !errors.Is(err, outbound.ErrPrivate) {
			t.Errorf("%s: %v", list, err)
		}
	}
	client := outbound.New(l.outbound())
	client.Transport = proxytest.Detour{RoundTripper: client.Transport, To: server.URL, Status: http.StatusFound}
	if _, err := l.fetch(t.Context(), client, "https://lists.example.com/list.csv", &reader{}); !errors.Is(err, outbound.ErrPrivate) || served != 0 {
		t.Errorf("by a redirect: %v, reached %d times", err, served)
	}
}

func TestLists_AreFetchedFromS3(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed := strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=key/") && r.Header.Get("X-Amz-Security-Token") == "token"
		if r.URL.Path != "/bucket/day/2026-11-23.csv" || !signed {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>`)
			return
		}
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		fmt.Fprint(w, "a list")
	}))
	t.Cleanup(server.Close)
	l := &Lists{Private: true, MaxBytes: 100, S3: S3{Endpoint: server.URL, Region: "eu-west-1", Keys: s3keys.Keys{AccessKey: "key", SecretKey: secret.New("secret"), SessionToken: secret.New("token")}}}
	if got, format, err := whole(t, l, schedule(t, "s3://bucket/day/[[day]].csv")); got != "a list" || format != producer.CSV {
		t.Errorf("%q, %s, %v", got, format, err)
	}
	if _, _, err := whole(t, l, schedule(t, "s3://bucket/other.csv")); err == nil || err.Error() != "s3 answers AccessDenied" {
		t.Error(err)
	}
	shut := *l
	shut.Private = false
	if _, _, err := whole(t, &shut, schedule(t, "s3://bucket/other.csv")); err == nil || !strings.Contains(err.Error(), "not an https URL") {
		t.Error(err)
	}
}

func TestLists_AreFetchedThroughAProxyByTheAddressThatWasJudged(t *testing.T) {
	t.Parallel()
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("93.184.216.34:443", ca.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef"`)
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Length", strconv.Itoa(len(r.URL.Path)))
		fmt.Fprint(w, r.URL.Path)
	}), "93.184.216.34"))
	route, err := outbound.NewRoute(proxy.URL(), "", ca.Pool)
	if err != nil {
		t.Fatal(err)
	}
	l := &Lists{MaxBytes: 100, Route: route, S3: S3{Endpoint: "https://93.184.216.34", Region: "eu-west-1", Keys: s3keys.Keys{AccessKey: "key", SecretKey: secret.New("secret")}}}
	for list, want := range map[string]string{"https://93.184.216.34/list.csv": "/list.csv", "s3://bucket/list.csv": "/bucket/list.csv"} {
		if got, _, err := whole(t, l, schedule(t, list)); got != want || err != nil {
			t.Errorf("%s: %q, %v", list, got, err)
		}
	}
	before := len(proxy.Asked())
	l.S3.Endpoint = "https://10.0.0.5"
	for _, list := range []string{"https://10.0.0.5/list.csv", "s3://bucket/list.csv"} {
		if _, _, err := whole(t, l, schedule(t, list)); !errors.Is(err, outbound.ErrPrivate) || len(proxy.Asked()) != before {
			t.Errorf("%s: %v; the proxy was asked for %q", list, err, proxy.Asked()[before:])
		}
	}
}

func TestProgram_IsKilledWithAllThatItHasStarted(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	r, s := m.runner(never + "timeout: 1s\n" + `command: [sh, -c, "trap '' TERM; (trap '' TERM; sleep 600; touch $FOLDER/alive) & echo $! > $FOLDER/child; sleep 600"]`)
	began := time.Now()
	tick := m.byHand(r, s, monday, Hand{})
	if d := time.Since(began); tick.Reason != "not done within 1 s" || d > 30*time.Second {
		t.Errorf("after %s: %+v", d, tick)
	}
	child := strings.TrimSpace(m.read("child"))
	m.await("the child of the program is gone", func() bool {
		state, err := os.ReadFile("/proc/" + child + "/stat")
		return err != nil || strings.Contains(string(state), ") Z ")
	})
}

func TestProgram_GetsThePeriodAndItsArguments(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	r, s := m.runner(never + "zone: Asia/Tokyo\n" + `command: [sh, -c, "echo $HANDOUT_PERIOD $HOME $* > $FOLDER/got; false", "", "[[id]]", "[[day]]", "[[time]]", "[[period]]", "$(ls)"]`)
	m.byHand(r, s, "2026-11-22T17:00Z", Hand{})
	if got := m.read("got"); got != "2026-11-22T17:00Z nightly-20261122t1700z 2026-11-23 2026-11-23T02:00 2026-11-22T17:00Z $(ls)\n" {
		t.Errorf("%q", got)
	}
}

func TestExport_OpensTheCampaignItself(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ script, kind, reason string }{
		"a line":        {`echo exporting; echo shop-2026-11-23`, "", ""},
		"json":          {`echo '{"files": 3, "campaign": "shop-2026-11-23"}'`, "", ""},
		"json, pretty":  {`printf '{\n  "campaign": "shop-2026-11-23"\n}\n'`, "", ""},
		"failed":        {`echo shop-2026-11-23; exit 1`, refusedExport, "exit status 1"},
		"names none":    {`echo "nothing to do"`, refusedExport, "named no campaign"},
		"json of none":  {`echo '{"campaign": ""}'`, refusedExport, "named no campaign"},
		"says why":      {`echo '{"refused": "drift", "reason": "12 files are far off the 400"}'; exit 1`, refusedDrift, "12 files are far off the 400"},
		"in its words":  {`echo '{"refused": "check", "reason": "a link  is dead"}'; exit 1`, refusedExport, "a link is dead"},
		"no reason":     {`echo '{"refused": "drift"}'; exit 3`, refusedExport, "the program failed: exit status 3"},
		"names another": {`echo shop-2026-11-24`, refusedExport, "isn't there: shop-2026-11-24"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newRoom(t)
			m.write("export.sh", "#!/bin/sh\n"+c.script+"\n")
			spec := campaign.Spec{ID: "shop-2026-11-23", MessageType: "MKT", Channels: []campaign.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "hello"}}}}
			file, err := producer.NewFile(spec)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := producer.New(m.rdb).Submit(t.Context(), file, producer.ListReader("x.csv", producer.CSV, strings.NewReader(people(7))), producer.SubmitOptions{}); err != nil {
				t.Fatal(err)
			}
			r, s := m.runner(never + `export: [sh, -c, "$FOLDER/export.sh"]`)
			tick := m.byHand(r, s, monday, Hand{})
			if c.kind != "" {
				if tick.State != Refused || tick.Kind != c.kind || !strings.Contains(tick.Reason, c.reason) {
					t.Errorf("%+v", tick)
				}
				return
			}
			if tick.State != Running || tick.Campaign != "shop-2026-11-23" || tick.Total != 7 {
				t.Errorf("%+v", tick)
			}
			m.end(tick.Campaign)
			r.scan(t.Context())
			if tick := m.tick(monday); tick.State != Done || tick.Outcome["planned"] != 7 {
				t.Errorf("%+v", tick)
			}
		})
	}
}

// TestExport_BegunAgain holds an export that was killed, or asks for it, to be
// begun again, and not for ever.
func TestExport_BegunAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ script, reason string }{
		"killed": {`kill -9 $$`, "is tried again: the export was killed: signal: killed"},
		"asked":  {`echo '{"again": true, "reason": "another run is under way"}'; exit 1`, "is tried again: the export says: another run is under way"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newRoom(t)
			m.write("export.sh", "#!/bin/sh\necho begun >>$FOLDER/begun\n"+c.script+"\n")
			r, s := m.runner(never + `export: [sh, -c, "exec $FOLDER/export.sh"]`)
			tick := m.byHand(r, s, monday, Hand{})
			if tick.State != Waiting || tick.Attempt != 2 || tick.Reason != c.reason {
				t.Fatalf("%+v", tick)
			}
			tick.Attempt = maxAttempts
			if err := r.store.put(t.Context(), s.Name, tick, 0); err != nil {
				t.Fatal(err)
			}
			tick = m.byHand(r, s, monday, Hand{})
			if tick.State != Refused || tick.Kind != refusedExport || !strings.HasPrefix(tick.Reason, "tried 10 times: the export") {
				t.Errorf("%+v", tick)
			}
			if begun := m.read("begun"); begun != "begun\nbegun\n" || len(m.campaigns()) != 0 {
				t.Errorf("%q, %v", begun, m.campaigns())
			}
		})
	}
}
