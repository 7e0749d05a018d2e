package process_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/test/redistest"
)

func TestConfig_ListsEveryVariableAndNoSecret(t *testing.T) {
	t.Parallel()
	e := bare().with("REDIS_URL", "redis://user:hunter2@127.0.0.1:6379/1", "TELESIGN_CUSTOMER_ID", customerID,
		"HANDOUT_TELESIGN_API_KEY", secret, "HANDOUT_CALLBACK_URL", "https://user:hunter2@example.com/receipts", "HANDOUT_PROXY_URL", "http://hunter2:hunter2@127.0.0.1:3128")
	var rows []struct{ Name, Value, Default, Description string }
	if err := json.Unmarshal([]byte(done(t, e, "config", "--json")), &rows); err != nil {
		t.Fatal(err)
	}
	table := done(t, e, "config")
	values := make(map[string]string)
	for _, row := range rows {
		values[row.Name] = row.Value
		if row.Description == "" || !regexp.MustCompile(`(?m)^`+row.Name+` `).MatchString(table) {
			t.Errorf("%s isn't described, or not in the table", row.Name)
		}
		if !regexp.MustCompile(`^(HANDOUT_[A-Z0-9_]+|REDIS_URL|TELESIGN_(URL|CUSTOMER_ID|(PREVIOUS_)?API_KEY))$`).MatchString(row.Name) {
			t.Errorf("a variable is called %s", row.Name)
		}
	}
	want := map[string]string{
		"REDIS_URL": "redis://127.0.0.1:6379/1", "TELESIGN_API_KEY": "(set, not shown)", "HANDOUT_PROXY_URL": "(set, not shown)", "TELESIGN_CUSTOMER_ID": customerID,
		"HANDOUT_CALLBACK_URL": "https://user:xxxxx@example.com/receipts", "HANDOUT_LISTEN_ADDR": ":8080",
		"HANDOUT_CONSOLE_ADDR": "127.0.0.1:8090", "HANDOUT_WORK_ADDR": "127.0.0.1:8070", "HANDOUT_SIMULATE_ADDR": "127.0.0.1:8060",
		"HANDOUT_SIMULATE_CALLBACK_URL": "http://127.0.0.1:8080/callbacks/telesign", "HANDOUT_RATE": "10", "HANDOUT_SEND_TIMEOUT": "15s",
		"HANDOUT_CONCURRENCY": "128", "HANDOUT_TELESIGN_AUTH": "basic", "HANDOUT_REQUIRE_SIGNATURE": "true",
	}
	for name, value := range want {
		if values[name] != value {
			t.Errorf("%s is %q, want %q", name, values[name], value)
		}
	}
	if strings.Contains(table, secret) || strings.Contains(done(t, e, "config", "--json"), secret) {
		t.Error("a secret is shown")
	}
}

// findings is what doctor says, by what it has looked at.
func findings(t *testing.T, e env) (code int, text string, bad map[string]bool) {
	t.Helper()
	r := handout(t, e, "doctor", "--json")
	var all []struct {
		OK, Fatal            bool
		Check, Found, Advice string
	}
	if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
		t.Fatalf("%v: %s", err, r.stdout)
	}
	people := handout(t, e, "doctor")
	bad = make(map[string]bool)
	for _, f := range all {
		if !f.OK {
			bad[f.Check] = f.Fatal
			if f.Advice == "" || !strings.Contains(people.stdout, "→ "+f.Advice) {
				t.Errorf("%s: no advice in %s", f.Check, people.stdout)
			}
		}
	}
	if people.code != r.code || strings.Contains(people.stdout+people.stderr, secret) {
		t.Errorf("exit status %d and %d; %s", people.code, r.code, people.stdout)
	}
	if strings.Count(r.stderr, "\n") > 1 || (r.code == 0) != (r.stderr == "") {
		t.Errorf("standard error: %q", r.stderr)
	}
	return r.code, people.stdout, bad
}

func TestDoctor_FindsNothingWrongWithTheRedisThatComesWithIt(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.ConfigFile("../../deploy/redis.conf"))
	code, text, bad := findings(t, account(server.URL()))
	if code != 0 || len(bad) > 0 {
		t.Errorf("exit status %d:\n%s", code, text)
	}
}

func TestDoctor_SaysWhatABareRedisLacks(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Set("maxmemory-policy", "allkeys-lru"))
	code, text, bad := findings(t, account(server.URL()))
	want := map[string]bool{"append-only file": true, "appendfsync": false, "maxmemory-policy": true}
	if diff := cmp.Diff(want, bad); diff != "" || code != 1 {
		t.Errorf("exit status %d:\n%s\n%s", code, diff, text)
	}
}

func TestDoctor_SaysThatARedisThatForgetsASecondIsNoFault(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("everysec"))
	code, text, bad := findings(t, account(server.URL()))
	if want := map[string]bool{"appendfsync": false}; !reflect.DeepEqual(bad, want) || code != 0 {
		t.Errorf("exit status %d:\n%s", code, text)
	}
}

func TestDoctor_FindsWhatStopsSends(t *testing.T) {
	t.Parallel()
	full := redistest.Start(t, redistest.AppendOnly("always"), redistest.Set("maxmemory", "800kb"))
	alone := redistest.Start(t, redistest.AppendOnly("always"), redistest.Set("min-replicas-to-write", "1"))
	replica := redistest.Start(t, redistest.AppendOnly("always"), redistest.Set("replicaof", "127.0.0.1 1"))
	guest := redistest.Start(t, redistest.AppendOnly("always"))
	if err := guest.Client().Do(t.Context(), "acl", "setuser", "guest", "on", "nopass", "~*", "&*", "+@all", "-@write").Err(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		url  string
		want map[string]bool
		word string
	}{
		"full":    {full.URL(), map[string]bool{"Redis writes": true, "Redis memory": true}, "OOM"},
		"alone":   {alone.URL(), map[string]bool{"Redis writes": true}, "NOREPLICAS"},
		"replica": {replica.URL(), map[string]bool{"Redis writes": true, "Redis role": true}, "READONLY"},
		"guest": {strings.Replace(guest.URL(), "unix://", "unix://guest:any@", 1), map[string]bool{"Redis writes": true},
			"can't run this command"},
	} {
		code, text, bad := findings(t, account(c.url))
		if diff := cmp.Diff(c.want, bad); diff != "" || code != 1 || !strings.Contains(text, c.word) {
			t.Errorf("%s: exit status %d:\n%s\n%s", name, code, diff, text)
		}
	}
}

func TestDoctor_GoesOnWithoutARedis(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "redis://:hunter2@127.0.0.1:9", "unix:///nowhere/redis.sock", "redis://:hunter2/@127.0.0.1"} {
		code, text, bad := findings(t, account(url))
		if want := map[string]bool{"Redis": true}; !reflect.DeepEqual(bad, want) || code != 1 {
			t.Errorf("%q: exit status %d:\n%s", url, code, text)
		}
	}
}

func TestDoctor_LooksAtTheAccountAndTheNamesOfVariables(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	e := bare().with("REDIS_URL", server.URL())
	_, _, bad := findings(t, e)
	if diff := cmp.Diff(map[string]bool{"TELESIGN_CUSTOMER_ID": true, "TELESIGN_API_KEY": true}, bad); diff != "" {
		t.Errorf("nothing set:\n%s", diff)
	}
	_, _, bad = findings(t, e.with("TELESIGN_CUSTOMER_ID", secret, "TELESIGN_API_KEY", "%", "HANDOUT_RAET", "5"))
	want := map[string]bool{"TELESIGN_CUSTOMER_ID": false, "TELESIGN_API_KEY": true, "environment": false}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Errorf("set wrong:\n%s", diff)
	}
}

func TestDoctor_AsksTelesignAndTheCallbackURL(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	e := account(server.URL())
	listen := serve(t, e, "listen")
	e = e.with("TELESIGN_URL", serve(t, e, "simulate").url)
	live := func(e env, args ...string) (int, map[string]bool) {
		t.Helper()
		r := handout(t, e, append([]string{"doctor", "--json", "--live"}, args...)...)
		var all []struct {
			OK           bool
			Check, Found string
		}
		if err := json.Unmarshal([]byte(r.stdout), &all); err != nil {
			t.Fatalf("%v: %s", err, r.stdout)
		}
		ok := make(map[string]bool)
		for _, f := range all {
			ok[f.Check] = f.OK
		}
		return r.code, ok
	}
	code, ok := live(e, "--callback-url", listen.url+"/callbacks/telesign")
	for check, want := range map[string]bool{"Telesign": true, "Telesign's clock": true, "callback URL": true, "templates": false} {
		if got, looked := ok[check]; !looked || got != want {
			t.Errorf("%s: %v, want %v", check, got, want)
		}
	}
	if code != 0 {
		t.Errorf("exit status %d", code)
	}
	if code, ok := live(e.with("TELESIGN_API_KEY", "b3RoZXIga2V5IQ==")); code != 1 || ok["Telesign"] {
		t.Errorf("with another key: exit status %d, %v", code, ok)
	}
	if r := handout(t, e, "doctor", "--callback-url", listen.url); r.code != 2 {
		t.Errorf("without --live: exit status %d", r.code)
	}
}
