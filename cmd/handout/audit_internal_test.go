package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/config"
)

// command runs the program, and returns what it prints.
func command(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, why bytes.Buffer
	if code := run(t.Context(), args, &out, &why); code != want {
		t.Fatalf("%q: %d, want %d: %s", args, code, want, why.String())
	}
	return out.String() + why.String()
}

// All of this left no trace before.
func TestAudit_HasWhatLeftNoTrace(t *testing.T) {
	f := openFaces(t)
	lines := filepath.Join(t.TempDir(), "audit.jsonl")
	t.Setenv("HANDOUT_AUDIT_FILE", lines)
	f.submit("spring")

	key := strings.TrimSpace(command(t, 0, "key", "create", "--name", "shop", "--scopes", "submit,read", "--ends", "30d", "--daily", "1000"))
	command(t, 0, "key", "rotate", "shop", "--overlap", "1h")
	command(t, 0, "key", "limit", "shop", "--daily", "10")
	command(t, 0, "rate", "--account", "20", "--by", "olga", "--why", "as agreed with +1 201 555 0100")
	command(t, 0, "suppress", "add", "+12015550100")
	command(t, 0, "suppress", "remove", "+12015550100")
	command(t, 0, "suppress", "list")
	command(t, 0, "export", "spring")
	command(t, 1, "key", "revoke", "nobody")
	command(t, 0, "key", "revoke", "shop")

	text := command(t, 0, "audit", "--json", "--since", "1h")
	if strings.Contains(text, key) || regexp.MustCompile(`201\D{0,3}555`).MatchString(text) {
		t.Errorf("a secret or a number stands in it: %s", text)
	}
	var said []string
	for line := range strings.Lines(text) {
		var e audit.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Via == "command line" && (e.Who != loginName() || e.At.IsZero()) {
			t.Errorf("%+v", e)
		}
		said = append(said, strings.Trim(strings.Join([]string{e.Via, e.As, e.Verb, e.Object, e.Result, e.Why}, "|"), "|"))
	}
	want := []string{
		"command line||create|key shop: submit, read; its own campaigns, 1,000 recipients a day, 10 an hour to one number; until ",
		"command line||rotate|key shop, overlap 1 h|begun",
		"command line||limit|key shop: submit, read; its own campaigns, 10 recipients a day, 10 an hour to one number; until ",
		"command line|olga|set rate|account to 20 a second|begun|as agreed with [number]",
		"command line||suppress|+*********00|begun",
		"command line||unsuppress|+*********00|begun",
		"command line||read all|suppression list|begun",
		"command line||export|campaign spring|begun",
		"command line||revoke|key nobody|begun",
		"command line||revoke|key nobody|refused|key nobody: there is no key of this name",
		"command line||revoke|key shop|begun",
	}
	for _, w := range want {
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, w) }) {
			t.Errorf("there is no %q among\n%s", w, strings.Join(said, "\n"))
		}
	}
	if out := command(t, 0, "audit", "verify"); !strings.Contains(out, "without a gap") {
		t.Error(out)
	}
	kept, err := os.ReadFile(lines)
	if err != nil || strings.Count(string(kept), "\n") < len(want) {
		t.Errorf("%d lines in the file, %v", strings.Count(string(kept), "\n"), err)
	}
	if err := f.rdb.XDel(t.Context(), "handout:audit:{trail}", f.rdb.XRange(t.Context(), "handout:audit:{trail}", "-", "+").Val()[3].ID).Err(); err != nil {
		t.Fatal(err)
	}
	if out := command(t, 1, "audit", "verify"); !strings.Contains(out, "after entry 3 comes 5") {
		t.Error(out)
	}
}

func TestAudit_AnActWhoseTraceCannotBeWrittenIsNotDone(t *testing.T) {
	f := openFaces(t)
	f.submit("spring")
	t.Setenv("HANDOUT_AUDIT_FILE", "/dev/full")
	for _, args := range [][]string{
		{"key", "create", "--name", "shop", "--scopes", "read"}, {"rate", "--account", "20"}, {"suppress", "add", "+12015550100"},
		{"cancel", "spring"}, {"export", "spring"},
	} {
		if out := command(t, 1, args...); strings.Contains(out, "ho_shop") || strings.Contains(out, "recipient,phone") || !strings.Contains(out, "no space left") {
			t.Errorf("%q: %s", args, out)
		}
	}
	keys := f.rdb.HKeys(t.Context(), "handout:keys").Val()
	if slices.Contains(keys, "shop") || f.rdb.HGet(t.Context(), "handout:{spring}:meta", "state").Val() == "settling" || f.rdb.HExists(t.Context(), "handout:rates", "*").Val() {
		t.Errorf("something was done: %v", keys)
	}
}

func TestAudit_HasFailedLoginsAndBadKeys(t *testing.T) {
	proxy, redis, _ := behind(t, "", httptest.NewTLSServer, func(c *Config, proxy string) { c.ConsoleURL = proxy })
	v := visit(t, proxy)
	if status, _, _, _ := v.ask(http.MethodPost, "/login", url.Values{"key": {"ho_root_" + strings.Repeat("0", 64)}}); status != http.StatusUnauthorized {
		t.Errorf("logged in: %d", status)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, proxy.URL+"/api/v1/campaigns", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ho_shop_1234")
	resp, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	entries, _, err := audit.New(redis.Client(), audit.Options{}).Latest(t.Context(), "", 10)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%+v, %v", entries, err)
	}
	for i, who := range []string{"shop", "root"} {
		if e := entries[i]; e.Who != who || e.Verb != "log in" || e.Result != audit.Refused || e.From != "127.0.0.1" {
			t.Errorf("%+v", e)
		}
	}
}

func TestConfig_ReadsSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"TELESIGN_API_KEY", "REDIS_URL", "HANDOUT_SCHEDULE_S3_SECRET_KEY"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("redis://127.0.0.1:1/0\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, "")
		t.Setenv(name+"_FILE", path)
	}
	t.Setenv("HANDOUT_SCHEDULE_S3_ACCESS_KEY", "id")
	c, err := loadConfig()
	if err != nil || c.TelesignAPIKey.Reveal() != "redis://127.0.0.1:1/0" || c.RedisURL != "redis://127.0.0.1:1/0" || c.ScheduleS3SecretKey.Reveal() == "" {
		t.Errorf("%+v, %v", c, err)
	}
	if unknown := config.Unknown(); slices.ContainsFunc(unknown, func(n string) bool { return strings.HasSuffix(n, "_FILE") }) {
		t.Errorf("%v", unknown)
	}
	t.Setenv("TELESIGN_API_KEY_FILE", filepath.Join(dir, "nowhere"))
	if _, err := loadConfig(); err == nil || !strings.Contains(err.Error(), "TELESIGN_API_KEY: ") {
		t.Error(err)
	}
}
