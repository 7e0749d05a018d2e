package queues

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/test/redistest"
)

const patience = 60 * time.Second

// house is the pages over HTTP, with real tasks in each state in the queue bulk.
type house struct {
	t         *testing.T
	url       string
	inspector *asynq.Inspector
	tokens    map[string]string // by key
}

func open(t *testing.T, write bool) *house {
	t.Helper()
	rdb := redistest.Start(t).Client()
	keys := access.NewKeys(rdb)
	gate := &access.Gate{Keys: keys}
	pages, err := New(Options{Redis: rdb, Root: "/queues", Key: gate.Browser, Logger: slog.New(slog.DiscardHandler), Write: write})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(pages)
	t.Cleanup(server.Close)
	h := &house{t: t, url: server.URL, inspector: asynq.NewInspectorFromRedisClient(rdb), tokens: map[string]string{"nobody": "", "wrong": "ho_eve_wrong"}}
	for name, scopes := range map[string][]access.Scope{"eve": {access.Read}, "shop": {access.Submit, access.Control}, "ann": {access.Read, access.Control}} {
		if h.tokens[name], err = keys.Create(t.Context(), access.Key{Name: name, Scopes: scopes}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	h.fill(asynq.NewClientFromRedisClient(rdb), asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Queues: map[string]int{"handout:bulk": 1}, Concurrency: 8, TaskCheckInterval: 50 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	}))
	return h
}

// pendingTasks are more than one answer may have.
const pendingTasks = maxTasks + 20

// fill makes tasks: those that a server has seen, then those that wait.
func (h *house) fill(client *asynq.Client, server *asynq.Server) {
	t := h.t
	t.Helper()
	add := func(kind string, n int, o ...asynq.Option) {
		for i := range n {
			id := asynq.TaskID(fmt.Sprintf("%s-%d", kind, i))
			if _, err := client.Enqueue(asynq.NewTask(kind, []byte(`{"v":1}`)), append(o, asynq.Queue("handout:bulk"), id)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	release := make(chan struct{})
	handler := func(_ context.Context, task *asynq.Task) error {
		switch task.Type() {
		case "active":
			<-release
		case "retry":
			return errors.New("not yet")
		}
		return nil
	}
	if err := server.Start(asynq.HandlerFunc(handler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(release); server.Shutdown() })
	add("active", 2)
	add("retry", 3)
	add("completed", 2, asynq.Retention(time.Hour))
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if info, err := h.inspector.GetQueueInfo("handout:bulk"); err == nil && info.Active == 2 && info.Retry == 3 && info.Completed == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the server's tasks aren't where they should be")
		}
	}
	// From here on the server takes nothing.
	if err := h.inspector.PauseQueue("handout:bulk"); err != nil {
		t.Fatal(err)
	}
	add("archived", 3)
	for i := range 3 {
		if err := h.inspector.ArchiveTask("handout:bulk", fmt.Sprintf("archived-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	add("pending", pendingTasks)
	add("scheduled", 3, asynq.ProcessIn(time.Hour))
	add("aggregating", 2, asynq.Group("g"))
	if _, err := client.Enqueue(asynq.NewTask("other", nil), asynq.Queue("handout:urgent"), asynq.ProcessIn(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// tasks are how many are in each state, and which queues are paused.
func (h *house) tasks() map[string]int {
	h.t.Helper()
	all := make(map[string]int)
	queues, err := h.inspector.Queues()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, q := range queues {
		i, err := h.inspector.GetQueueInfo(q)
		if err != nil {
			h.t.Fatal(err)
		}
		for state, n := range map[string]int{
			"pending": i.Pending, "active": i.Active, "scheduled": i.Scheduled, "retry": i.Retry, "archived": i.Archived,
			"completed": i.Completed, "aggregating": i.Aggregating,
		} {
			all[q+" "+state] = n
		}
		if i.Paused {
			all[q+" paused"] = 1
		}
	}
	return all
}

// ask sends a request with a key and returns status, type and body.
func (h *house) ask(key, method, path, body string, header ...string) (int, http.Header, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if token := h.tokens[key]; token != "" {
		req.SetBasicAuth("anybody", token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// to is a route's path about a real task, and a body that names several.
func (r route) to() (path, body string) {
	state := "pending"
	if m := regexp.MustCompile(`([a-z]+)_tasks`).FindStringSubmatch(r.path); m != nil {
		state = m[1]
	}
	path = strings.NewReplacer("{qname}", "handout:bulk", "{gname}", "g", "{task_id}", state+"-0", "{entry_id}", "e").Replace(r.path)
	if strings.Contains(r.path, ":batch_") {
		body = fmt.Sprintf(`{"task_ids":["%s-0","%s-1"]}`, state, state)
	}
	return "/queues" + path, body
}

func TestPages_EveryRoute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key string
		write     bool
		refusal   string
	}{
		{"to look only", "ann", false, "HANDOUT_QUEUES_WRITE is false"},
		{"without the scope", "eve", true, "the key eve lacks the scope control"},
		{"with all", "ann", true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, c.write)
			before := h.tasks()
			for _, r := range routes(t) {
				if r.verdict == change && c.refusal == "" {
					continue // TestPages_ChangeOneThing
				}
				path, body := r.to()
				status, header, text := h.ask(c.key, r.method, path, body)
				why, want := r.why, http.StatusForbidden
				switch r.verdict {
				case look:
					want = http.StatusOK
				case change:
					why = c.refusal
				}
				var said struct{ Detail string }
				if want == http.StatusForbidden && (json.Unmarshal([]byte(text), &said) != nil || !strings.Contains(said.Detail, why)) {
					t.Errorf("%s %s says %q, not %q", r.method, path, text, why)
				}
				if status != want || header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Content-Security-Policy") == "" {
					t.Errorf("%s %s: %d, want %d: %.200s %v", r.method, path, status, want, text, header)
				}
			}
			if diff := cmp.Diff(before, h.tasks()); diff != "" {
				t.Errorf("something was changed:\n%s", diff)
			}
		})
	}
}

func TestPages_ChangeOneThing(t *testing.T) {
	t.Parallel()
	h := open(t, true)
	want := h.tasks()
	for _, c := range []struct {
		method, path string
		change       map[string]int
	}{
		{"POST", "handout:urgent:pause", map[string]int{"handout:urgent paused": 1}},
		{"POST", "handout:urgent:resume", map[string]int{"handout:urgent paused": -1}},
		{"DELETE", "handout:bulk/pending_tasks/pending-0", map[string]int{"handout:bulk pending": -1}},
		{"DELETE", "handout:bulk/scheduled_tasks/scheduled-0", map[string]int{"handout:bulk scheduled": -1}},
		{"POST", "handout:bulk/scheduled_tasks/scheduled-1:run", map[string]int{"handout:bulk scheduled": -1, "handout:bulk pending": 1}},
		{"DELETE", "handout:bulk/retry_tasks/retry-0", map[string]int{"handout:bulk retry": -1}},
		{"POST", "handout:bulk/retry_tasks/retry-1:run", map[string]int{"handout:bulk retry": -1, "handout:bulk pending": 1}},
		{"DELETE", "handout:bulk/archived_tasks/archived-0", map[string]int{"handout:bulk archived": -1}},
		{"POST", "handout:bulk/archived_tasks/archived-1:run", map[string]int{"handout:bulk archived": -1, "handout:bulk pending": 1}},
	} {
		if status, _, text := h.ask("ann", c.method, "/queues/api/queues/"+c.path, ""); status >= 300 {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, text)
		}
		for what, n := range c.change {
			if want[what] += n; want[what] == 0 && strings.Contains(what, "paused") {
				delete(want, what)
			}
		}
		if diff := cmp.Diff(want, h.tasks()); diff != "" {
			t.Fatalf("%s %s:\n%s", c.method, c.path, diff)
		}
	}
}

func TestPages_LetNobodyElseIn(t *testing.T) {
	t.Parallel()
	h := open(t, true)
	before := h.tasks()
	for key, want := range map[string]int{"nobody": 401, "wrong": 401, "shop": 403} {
		for _, path := range []string{"/queues/", "/queues/api/queues", "/queues/static/js/x.js"} {
			if status, _, text := h.ask(key, "GET", path, ""); status != want {
				t.Errorf("%s: %s: %d %s", key, path, status, text)
			}
		}
		if status, _, _ := h.ask(key, "POST", "/queues/api/queues/handout:urgent:pause", ""); status != want {
			t.Errorf("%s may pause: %d", key, status)
		}
	}
	for _, header := range [][]string{{"Origin", "https://evil.example.com"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		if status, _, text := h.ask("ann", "POST", "/queues/api/queues/handout:urgent:pause", "", header...); status != 403 || !strings.Contains(text, "another site") {
			t.Errorf("%v: %d %s", header, status, text)
		}
	}
	for _, method := range []string{"PUT", "PATCH", "OPTIONS", "POST"} {
		if status, _, _ := h.ask("ann", method, "/queues/", ""); status != 403 {
			t.Errorf("%s: %d", method, status)
		}
	}
	if diff := cmp.Diff(before, h.tasks()); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
}

func TestPages_NothingButTheirOwn(t *testing.T) {
	t.Parallel()
	h := open(t, false)
	for _, path := range []string{
		"", "/nothing", "/api", "/api/", "/api/nothing", "/asset-manifest.json", "/index.html", "/manifest.json", "/static/js/", "/q/metrics",
		"/static/js/main.5adda2da.chunk.js.map", "//api/queues", "/api/queues/../queues", "/api/queues/..", "/queues/..", "/%2e%2e/etc/passwd", "/api//queues",
	} {
		if status, _, text := h.ask("eve", "GET", "/queues"+path, ""); status != 404 {
			t.Errorf("%s: %d %.200s", path, status, text)
		}
	}
	if status, _, _ := h.ask("eve", "HEAD", "/queues/", ""); status != 200 {
		t.Errorf("HEAD: %d", status)
	}
}

func TestPages_AnAnswerHasAHundredTasksAtMost(t *testing.T) {
	t.Parallel()
	h := open(t, false)
	for query, want := range map[string]int{
		"": 20, "?size=50": 50, "?size=100": 100, "?size=101": 100, "?size=1000000": 100, "?size=0": 1, "?size=-5": 1, "?size=x": 20,
		"?size=1000&size=1": 100, "?size=100&page=2": pendingTasks - 100, "?page=0": 20, "?size=99999999999999999999": 20,
		"?page=9223372036854775807&size=100": 0,
	} {
		status, _, text := h.ask("eve", "GET", "/queues/api/queues/handout:bulk/pending_tasks"+query, "")
		var got struct{ Tasks []any }
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 || len(got.Tasks) != want {
			t.Errorf("%s: %d, %d tasks, want %d (%v)", query, status, len(got.Tasks), want, err)
		}
	}
}

func TestPages_NeedNoOtherHost(t *testing.T) {
	t.Parallel()
	h := open(t, true)
	nonces := make(map[string]bool)
	for _, key := range []string{"eve", "ann"} {
		status, header, page := h.ask(key, "GET", "/queues/queues/handout:bulk", "")
		if status != 200 || regexp.MustCompile(`(?i)(href|src)="?(https?:)?//`).MatchString(page) {
			t.Errorf("%d: something comes from elsewhere: %s", status, page)
		}
		policy := header.Get("Content-Security-Policy")
		nonce := regexp.MustCompile(`'nonce-([A-Z0-9]{26})'`).FindStringSubmatch(policy)
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Count(policy, "'sha256-") != 2 || nonce == nil || !strings.Contains(page, `content="`+nonce[1]+`"`) {
			t.Fatalf("policy %s", policy)
		}
		nonces[nonce[1]] = true
		if want := fmt.Sprintf(`FLAG_READ_ONLY="%t"`, key == "eve"); !strings.Contains(page, want) {
			t.Errorf("%s: not %s", key, want)
		}
		files := regexp.MustCompile(`(?:href|src)="([^"]+)"`).FindAllStringSubmatch(page, -1)
		if len(files) < 5 {
			t.Errorf("%d files", len(files))
		}
		if !strings.Contains(page, `<a id="back" href="/campaigns">`) || !strings.Contains(page, `<style nonce="`+nonce[1]+`">`) {
			t.Error("there is no way back")
		}
		for _, f := range files {
			if f[1] == "/campaigns" {
				continue // the way back
			}
			status, header, text := h.ask(key, "GET", f[1], "")
			if media := header.Get("Content-Type"); status != 200 || text == "" || strings.Contains(media, "html") {
				t.Errorf("%s: %d %s", f[1], status, media)
			}
		}
	}
	if len(nonces) != 2 {
		t.Error("two answers have one nonce")
	}
}

func TestQueues_AreNotForAKeyLimitedToItsOwnCampaigns(t *testing.T) {
	t.Parallel()
	rdb := redistest.Start(t).Client()
	keys := access.NewKeys(rdb)
	gate := &access.Gate{Keys: keys}
	pages, err := New(Options{Redis: rdb, Root: "/queues", Key: gate.Browser, Logger: slog.New(slog.DiscardHandler), Write: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := keys.Create(t.Context(), access.Key{Name: "own", Scopes: access.Scopes(), Limits: access.Limits{Own: true}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/queues/", "/queues/api/queues"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
