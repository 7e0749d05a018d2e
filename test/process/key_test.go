package process_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/test/redistest"
)

func TestKey_IsShownOnceAndRevokedAtOnce(t *testing.T) {
	t.Parallel()
	e := account(redistest.Start(t).URL())
	token := strings.TrimSuffix(done(t, e, "key", "create", "--name", "billing", "--scopes", "submit,read", "--campaigns", "all"), "\n")
	if !regexp.MustCompile(`^ho_billing_[0-9a-f]{64}$`).MatchString(token) {
		t.Fatalf("the key is %q", token)
	}
	if out := done(t, e, "key", "list"); !strings.Contains(out, "billing  submit,read  ") || !strings.Contains(out, "never") || strings.Contains(out, token[11:]) {
		t.Errorf("list:\n%s", out)
	}
	p := serve(t, e, "console")
	api := &caller{t, p.url + "/api/v1", token}
	api.ask(http.StatusOK, "GET", "/campaigns", "", nil)
	var list []map[string]any
	if err := json.Unmarshal([]byte(done(t, e, "key", "list", "--json")), &list); err != nil || len(list) != 1 || list[0]["last_used"] == "" {
		t.Errorf("%v, %v", list, err)
	}
	done(t, e, "key", "revoke", "billing")
	api.ask(http.StatusUnauthorized, "GET", "/campaigns", "", nil)
	p.stop()
	if strings.Contains(p.out.String(), token[11:]) {
		t.Error("the console's output has the key")
	}
}

func TestKey_WrongUse(t *testing.T) {
	t.Parallel()
	e := account(redistest.Start(t).URL())
	done(t, e, "key", "create", "--name", "billing", "--scopes", "read", "--campaigns", "all")
	checkAll(t, e, []refusal{
		{name: "no verb", args: []string{"key"}, code: 2, stderr: "key: create, list, limit, rotate, revoke or logout is missing; see handout key --help"},
		{name: "no name", args: []string{"key", "create", "--scopes", "read"}, code: 2, stderr: "key create: --name and --scopes are needed, .*"},
		{name: "no such scope", args: []string{"key", "create", "--name", "a", "--scopes", "root"}, code: 2, stderr: `key create: --scopes: there is no scope "root": choose from read, submit, control, people`},
		{name: "no name at all", args: []string{"key", "create", "--name", "A_b", "--scopes", "read"}, code: 2, stderr: "key create: --name: a key's name is .*"},
		{name: "twice", args: []string{"key", "create", "--name", "billing", "--scopes", "read"}, code: 1, stderr: "key billing: there is a key of this name already, and it can't be shown again; revoke it first"},
		{name: "nobody's", args: []string{"key", "revoke", "shop"}, code: 1, stderr: "key shop: there is no key of this name"},
		{name: "whose", args: []string{"key", "revoke"}, code: 2, stderr: "key revoke: NAME is missing; usage: .*"},
	})
}

// caller is another app.
type caller struct {
	t          testing.TB
	url, token string
}

// ask sends a request whose answer is to have this status.
func (c *caller) ask(status int, method, path, media string, body io.Reader) string {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("Content-Type", media)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		c.t.Fatalf("%s %s: %d, want %d: %.500s (%v)", method, path, resp.StatusCode, status, text, err)
	}
	return string(text)
}

func TestConsole_RefusesWhoHasNoKey(t *testing.T) {
	t.Parallel()
	e := account(redistest.Start(t).URL())
	reader := strings.TrimSpace(done(t, e, "key", "create", "--name", "eve", "--scopes", "read", "--campaigns", "all"))
	sender := strings.TrimSpace(done(t, e, "key", "create", "--name", "shop", "--scopes", "submit", "--campaigns", "all"))
	p := serve(t, e, "console")
	for _, path := range []string{"/", "/campaigns", "/queues/", "/queues/api/queues", "/api/v1/campaigns"} {
		page := path == "/" || path == "/campaigns"
		for password, want := range map[string]int{"": 401, "ho_eve_wrong": 401, sender: 403, reader: 200} {
			if page && password == "" {
				continue // the login page, below
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case password == "":
			case path == "/api/v1/campaigns":
				req.Header.Set("Authorization", "Bearer "+password)
			default:
				req.SetBasicAuth("anybody", password)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want || (want != 200 && !page && resp.Header.Get("Content-Type") != "application/problem+json") {
				t.Errorf("%s with %.10q: %d as %s, want %d", path, password, resp.StatusCode, resp.Header.Get("Content-Type"), want)
			}
			if want == 401 && resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: nothing says how to show a key", path)
			}
		}
	}
	for _, path := range []string{"/", "/campaigns"} {
		if status, body := get(t, p.url+path); status != http.StatusOK || !strings.Contains(body, `<form id="login"`) {
			t.Errorf("%s without a key: %d, not the login page: %s", path, status, body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/login", "/api/v1/docs", "/api/v1/openapi.json"} {
		if status, _ := get(t, p.url+path); status != http.StatusOK {
			t.Errorf("%s without a key: %d", path, status)
		}
	}
}

// A browser that has logged in sees the queues, too, and another app's API not.
func TestConsole_ASessionIsForThePages(t *testing.T) {
	t.Parallel()
	e := account(redistest.Start(t).URL())
	key := strings.TrimSpace(done(t, e, "key", "create", "--name", "olga", "--scopes", "read", "--campaigns", "all"))
	p := serve(t, e, "console")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	ask := func(want int, path string) {
		t.Helper()
		resp, err := browser.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	resp, err := browser.PostForm(p.url+"/login", url.Values{"key": {key}, "next": {"/campaigns"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/campaigns" {
		t.Errorf("after the login: %d at %s", resp.StatusCode, resp.Request.URL)
	}
	ask(http.StatusOK, "/queues/api/queues")
	ask(http.StatusUnauthorized, "/api/v1/campaigns")
	done(t, e, "key", "revoke", "olga")
	ask(http.StatusUnauthorized, "/queues/api/queues")
	p.stop()
	if strings.Contains(p.out.String(), key[len("ho_olga_"):]) {
		t.Error("the console's output has the key")
	}
}

// TestAPI_FromTheFileToTheLastOutcome is what another app does: over HTTP alone,
// from the campaign file to the export.
func TestAPI_FromTheFileToTheLastOutcome(t *testing.T) {
	t.Parallel()
	const total = 300
	server := redistest.Start(t, redistest.ConfigFile("../../deploy/redis.conf"))
	h := open(t, quick(server.URL()))
	console := serve(t, h.env, "console")
	api := &caller{t, console.url + "/api/v1", strings.TrimSpace(done(t, h.env, "key", "create", "--name", "billing", "--scopes", "submit,read,control,people", "--campaigns", "all"))}
	phones := numbers(total, func(_, digits int) bool { return digits != 90 && digits != 91 })
	list, err := os.ReadFile(listFile(t, phones))
	if err != nil {
		t.Fatal(err)
	}
	api.ask(http.StatusCreated, "POST", "/campaigns", "application/json", strings.NewReader(`{"id":"spring","message_type":"MKT","channels":[
		{"channel":"whatsapp","fallback_time":"10m","template":"file","parameters":{"url":"{{.url}}","file_name":"order history.xlsx"}},
		{"channel":"sms","template":"text","parameters":{"text":"Your order history is ready for download at {{.url}}."}}]}`))
	api.ask(http.StatusCreated, "PUT", "/campaigns/spring/recipients?hold=true", "text/csv", strings.NewReader(string(list)))
	watching := make(chan string, 1)
	go func() { watching <- api.watch("spring") }()
	api.ask(http.StatusOK, "POST", "/campaigns/spring/start", "", nil)
	select {
	case last := <-watching:
		if last != "done" {
			t.Errorf("the last event is %q", last)
		}
	case <-t.Context().Done():
		t.Fatal("the campaign isn't done")
	}
	var got report.Report
	if err := json.Unmarshal([]byte(api.ask(http.StatusOK, "GET", "/campaigns/spring", "", nil)), &got); err != nil {
		t.Fatal(err)
	}
	told := reportOf(t, h.env, "spring")
	if told.State != "done" || told.Total != total {
		t.Errorf("%+v", told)
	}
	checkOutcomes(t, h, "spring", phones)
	if diff := cmp.Diff([]any{told.State, told.Total, told.Balance, told.DeliveredBy}, []any{got.State, got.Total, got.Balance, got.DeliveredBy}); diff != "" {
		t.Errorf("it isn't what the command line says:\n%s", diff)
	}
	if diff := cmp.Diff([]any{told.Pace.Limit, told.Pace.LimitDetail, told.Pace.AccountRate, told.History}, []any{got.Pace.Limit, got.Pace.LimitDetail, got.Pace.AccountRate, got.History}); diff != "" {
		t.Errorf("its pace and history aren't what the command line says:\n%s", diff)
	}
	if diff := cmp.Diff(done(t, h.env, "export", "spring"), api.ask(http.StatusOK, "GET", "/campaigns/spring/export", "", nil)); diff != "" {
		t.Errorf("its export isn't the command line's:\n%s", diff)
	}
	if history := api.ask(http.StatusOK, "GET", "/campaigns/spring/history", "", nil); !strings.Contains(history, `"by":"billing","verb":"resumed"`) {
		t.Error(history)
	}
	checkAccepted(t, h, phones)
	console.stop()
}

// watch reads a campaign's events and returns the name of the last one.
func (c *caller) watch(id string) string {
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.url+"/campaigns/"+id+"/events", nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	last := ""
	for scanner := bufio.NewScanner(resp.Body); scanner.Scan(); {
		if name, ok := strings.CutPrefix(scanner.Text(), "event: "); ok {
			last = name
		}
	}
	return last
}

// A server that stops doesn't wait for those who watch.
func TestConsole_StopsUnderThoseWhoWatch(t *testing.T) {
	t.Parallel()
	e := account(redistest.Start(t).URL())
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)), "--hold")
	api := &caller{t: t, token: strings.TrimSpace(done(t, e, "key", "create", "--name", "eve", "--scopes", "read", "--campaigns", "all"))}
	p := serve(t, e, "console")
	api.url = p.url + "/api/v1"
	watching := make(chan string, 1)
	go func() { watching <- api.watch("spring") }()
	await(t, "somebody watches", func() bool { // the look of each second
		out := done(t, e, "key", "list", "--json")
		return strings.Contains(out, `"last_used":"2`) || strings.Contains(out, `"last_used": "2`)
	})
	p.stop()
	if last := <-watching; last != "progress" && last != "" {
		t.Errorf("the last event is %q", last)
	}
}
