package process_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/handout-dev/handout/test/redistest"
)

// hooked is another app that gets the outcomes of campaigns.
type hooked struct {
	t      testing.TB
	url    string
	mu     sync.Mutex
	secret string
	ids    []string          // of messages, in their order
	types  []string          // of events, likewise
	states map[string]string // by recipient, as last delivered
	wait   chan struct{}     // if not nil, answers come when it is closed
}

func hook(t testing.TB, wait chan struct{}) *hooked {
	t.Helper()
	h := &hooked{t: t, states: make(map[string]string), wait: wait}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *hooked) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender was killed
	}
	h.mu.Lock()
	verifier, err := standardwebhooks.NewWebhook(h.secret)
	if err == nil {
		err = verifier.Verify(body, r.Header)
	}
	var event struct {
		Type string
		Data struct {
			Recipients []struct{ Recipient, State string }
		}
	}
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	if err != nil {
		h.t.Errorf("%v: %s", err, body)
	}
	h.ids, h.types = append(h.ids, r.Header.Get("webhook-id")), append(h.types, event.Type)
	for _, to := range event.Data.Recipients {
		h.states[to.Recipient] = to.State
	}
	wait := h.wait
	h.mu.Unlock()
	if wait != nil {
		<-wait
	}
}

// add adds the app as a webhook and returns its ID.
func (h *hooked) add(e env, flags ...string) string {
	h.t.Helper()
	r := handout(h.t, e, append([]string{"webhook", "add", h.url + "/?key=s3cr3t"}, flags...)...)
	id := regexp.MustCompile(`^webhook ([a-z0-9]{12}) is added`).FindStringSubmatch(r.stderr)
	if r.code != 0 || len(id) != 2 || !regexp.MustCompile(`^whsec_[A-Za-z0-9+/]{43}=\n$`).MatchString(r.stdout) {
		h.t.Fatalf("%+v", r)
	}
	h.mu.Lock()
	h.secret = strings.TrimSpace(r.stdout)
	h.mu.Unlock()
	return id[1]
}

func (h *hooked) told() (ids, types []string, states map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	states = make(map[string]string)
	for k, v := range h.states {
		states[k] = v
	}
	return append([]string(nil), h.ids...), append([]string(nil), h.types...), states
}

func TestWebhook_IsToldTheOutcomesOfTheExport(t *testing.T) {
	t.Parallel()
	h := open(t, quick(redistest.Start(t).URL()).with("HANDOUT_WEBHOOK_ALLOW_PRIVATE", "true"))
	app := hook(t, nil)
	id := app.add(h.env)
	done(t, h.env, "webhook", "test", id)
	phones := numbers(300, func(_, digits int) bool { return digits < 35 })
	done(t, h.env, "submit", campaignFile(t, "spring"), listFile(t, phones))
	untilDone(t, h.env, "spring")
	await(t, "all has been told", func() bool {
		_, types, _ := app.told()
		return len(types) > 0 && types[len(types)-1] == "campaign.done"
	})
	_, types, states := app.told()
	if types[0] != "webhook.test" || types[1] != "campaign.running" {
		t.Errorf("%q", types)
	}
	for _, person := range export(t, h.env, "spring") {
		if states[person["recipient"]] != person["state"] {
			t.Errorf("%s is %s, and the webhook was told %q", person["recipient"], person["state"], states[person["recipient"]])
		}
	}
	list, log := done(t, h.env, "webhook", "list"), done(t, h.env, "webhook", "log", id)
	if !strings.Contains(list, id) || !strings.Contains(list, "?...") || !strings.Contains(list, "  ok") || !strings.Contains(log, "campaign.done") || !strings.Contains(log, "HTTP 200") {
		t.Errorf("%s%s", list, log)
	}
	if page := h.work.metrics(t); !regexp.MustCompile(`(?m)^handout_webhook_deliveries_total\{result="taken"\} [1-9]`).MatchString(page) {
		t.Error("deliveries aren't counted")
	}
	done(t, h.env, "webhook", "remove", id)
	h.work.stop()
	for _, text := range []string{h.work.out.String(), list, log} {
		for _, secret := range []string{"s3cr3t", "whsec_", strings.TrimPrefix(app.secret, "whsec_")} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is shown", secret)
			}
		}
	}
}

// A worker is killed while the app has a message and hasn't answered. Meanwhile
// all are sent to: no send waits for the app.
func TestWebhook_IsToldAgainAfterItsWorkerWasKilled(t *testing.T) {
	t.Parallel()
	h := open(t, quick(redistest.Start(t).URL()).with("HANDOUT_WEBHOOK_ALLOW_PRIVATE", "true"))
	wait := make(chan struct{})
	app := hook(t, wait)
	var once sync.Once
	release := func() { once.Do(func() { close(wait) }) }
	t.Cleanup(release)
	app.add(h.env, "--events", "recipients")
	phones := numbers(500, func(_, digits int) bool { return digits < 35 })
	done(t, h.env, "submit", campaignFile(t, "spring"), listFile(t, phones))
	await(t, "the app has a message", func() bool { ids, _, _ := app.told(); return len(ids) > 0 })
	untilDone(t, h.env, "spring")
	h.work.signal(syscall.SIGKILL)
	before, _, _ := app.told()
	release()
	serve(t, h.env, "work")
	await(t, "all have been told", func() bool { _, _, states := app.told(); return len(states) == 500 })
	ids, _, _ := app.told()
	if len(ids) <= len(before) || ids[len(before)] != before[0] || ids[0] != before[len(before)-1] {
		t.Errorf("messages %q, then %q", before, ids)
	}
}

func TestWebhook_WrongUse(t *testing.T) {
	t.Parallel()
	e := account(redistest.Start(t).URL())
	checkAll(t, e, []refusal{
		{name: "no verb", args: []string{"webhook"}, code: 2, stderr: "webhook: add, list, rotate, remove, test or log is missing; see handout webhook --help"},
		{name: "plain", args: []string{"webhook", "add", "http://example.com"}, code: 2, stderr: "webhook add: URL: it must be an https URL; HANDOUT_WEBHOOK_ALLOW_PRIVATE=true allows .*"},
		{name: "no URL", args: []string{"webhook", "add", "example"}, code: 2, stderr: "webhook add: URL: it must be a URL as in .*"},
		{name: "events", args: []string{"webhook", "add", "https://example.com", "--events", "all"}, code: 2, stderr: `webhook add: --events: there are no events "all": .*`},
		{name: "prefix", args: []string{"webhook", "add", "https://example.com", "--campaigns", "A"}, code: 2, stderr: "webhook add: --campaigns: .*"},
		{name: "nobody", args: []string{"webhook", "remove", "abc"}, code: 1, stderr: "webhook abc: there is no webhook with this ID"},
		{name: "nobody's log", args: []string{"webhook", "log", "abc"}, code: 1, stderr: "webhook abc: there is no webhook with this ID"},
	})
	checkAll(t, e, []refusal{{name: "private", args: []string{"webhook", "add", "https://127.0.0.1/hooks"}, code: 2,
		stderr: "webhook add: URL: it leads to a private address; HANDOUT_WEBHOOK_ALLOW_PRIVATE=true allows .*"}})
	for range 10 {
		done(t, e, "webhook", "add", "https://example.com/hooks")
	}
	checkAll(t, e, []refusal{{name: "eleven", args: []string{"webhook", "add", "https://example.com"}, code: 1, stderr: "there are 10 webhooks, and there can't be more"}})
}

// TestWebhook_TheReceiversOfThePageVerify runs the programs of docs/webhooks.md.
func TestWebhook_TheReceiversOfThePageVerify(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	e := account(redistest.Start(t).URL()).with("HANDOUT_WEBHOOK_ALLOW_PRIVATE", "true")
	for language, command := range map[string][]string{"python": {"python3"}, "go": {"go", "run"}} {
		found := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
		if len(found) != 1 {
			t.Fatalf("%d programs in %s", len(found), language)
		}
		file := write(t, "main."+map[string]string{"python": "py", "go": "go"}[language], found[0][1])
		// The URL comes first, and with it the secret; the receiver's port is known
		// when it runs.
		proxy := httptest.NewUnstartedServer(nil)
		at := "http://" + proxy.Listener.Addr().String()
		r := handout(t, e, "webhook", "add", at)
		id := regexp.MustCompile(`webhook (\S+) is added`).FindStringSubmatch(r.stderr)[1]
		_ = proxy.Listener.Close()
		run := func(secret string) (stop func()) {
			cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], file)...)
			cmd.Dir = "../.."
			cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret, "LISTEN="+strings.TrimPrefix(at, "http://"))
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run has a child
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
			if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "listening\n" {
				t.Errorf("%s: %q, %v", language, line, err)
			}
			return func() {
				timer.Stop()
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
				_ = cmd.Wait()
			}
		}
		stop := run(strings.TrimSpace(r.stdout))
		if r := handout(t, e, "webhook", "test", id); r.code != 0 {
			t.Errorf("%s: %s", language, r.stderr)
		}
		stop()
		stop = run("whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCE=")
		if r := handout(t, e, "webhook", "test", id); r.code != 1 || !strings.Contains(r.stderr, "HTTP 401") {
			t.Errorf("%s with another secret: %s", language, r.stderr)
		}
		stop()
	}
}
