package console_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// patience is how long a test waits for what should happen within seconds.
const patience = 90 * time.Second

// house is a console over HTTP on a Redis of its own.
type house struct {
	redis        *redistest.Server
	rdb          redis.UniversalClient
	ledger       *ledger.Ledger
	suppressions *suppression.List
	keys         *access.Keys
	url          string
}

func open(t testing.TB, change func(*console.Options)) *house {
	t.Helper()
	h := &house{redis: redistest.Start(t)}
	h.rdb = h.redis.Client()
	h.ledger, h.keys = ledger.New(h.rdb), access.NewKeys(h.rdb)
	h.suppressions = suppression.New(h.rdb)
	o := console.Options{
		Redis: h.rdb, Gate: &access.Gate{Keys: h.keys}, AccountRate: 10, Every: 20 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&locked{w: new(bytes.Buffer)}, nil)),
	}
	if change != nil {
		change(&o)
	}
	c, err := console.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(c)
	t.Cleanup(func() { c.Close(); server.Close() })
	h.url = server.URL
	return h
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// browser keeps cookies, and follows no redirect.
type browser struct {
	t    testing.TB
	h    *house
	http *http.Client
	// header is sent along with everything.
	header http.Header
}

func (h *house) browser(t testing.TB) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, h: h, header: http.Header{}, http: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (h *house) key(t testing.TB, name string, scopes ...access.Scope) string {
	t.Helper()
	token, err := h.keys.Create(t.Context(), access.Key{Name: name, Scopes: scopes}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// login is a browser that has logged in with a key of these scopes.
func (h *house) login(t testing.TB, name string, scopes ...access.Scope) *browser {
	t.Helper()
	b := h.browser(t)
	if a := b.post(http.StatusSeeOther, "/login", "key", h.key(t, name, scopes...)); a.header.Get("Location") != "/campaigns" {
		t.Fatalf("after the login it goes to %q", a.header.Get("Location"))
	}
	return b
}

type answer struct {
	status int
	header http.Header
	body   string
}

// get asks for a page, whose answer is to have this status.
func (b *browser) get(want int, path string) answer {
	b.t.Helper()
	return b.send(want, http.MethodGet, path, nil)
}

// post sends a form's fields, name and value in turn.
func (b *browser) post(want int, path string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send(want, http.MethodPost, path, form)
}

func (b *browser) send(want int, method, path string, form url.Values) answer {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, b.h.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, values := range b.header {
		req.Header[name] = values
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, string(text)}
	if a.status != want {
		b.t.Fatalf("%s %s: %d, want %d: %.2000s", method, path, a.status, want, a.body)
	}
	b.judge(method+" "+path, a)
	return a
}

// elsewhere is an address on any other host.
var elsewhere = regexp.MustCompile(`(?i)(?:https?:)?//[a-z0-9]|javascript:|data:`)

// inline is what the policy would forbid.
var inline = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:>| [^>]*>[^<])|hx-on|<base|<iframe`)

// judge is what holds for every answer.
func (b *browser) judge(what string, a answer) {
	b.t.Helper()
	policy := a.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
		if !strings.Contains(policy, want) {
			b.t.Errorf("%s: the policy %q hasn't %s", what, policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Referrer-Policy") != "same-origin" {
		b.t.Errorf("%s: %v", what, a.header)
	}
	for _, attribute := range regexp.MustCompile(`(?:href|src|action|hx-[a-z]+|sse-connect|content)="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		if elsewhere.MatchString(attribute[1]) {
			b.t.Errorf("%s leads elsewhere: %s", what, attribute[0])
		}
	}
	if found := inline.FindString(a.body); found != "" && strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		b.t.Errorf("%s has %q inline", what, found)
	}
	if !strings.HasPrefix(a.body, "<!doctype html>") {
		return // a part of a page, a redirect, a file
	}
	for _, want := range []string{`<html lang="en">`, `name="viewport"`, "<main", "<h1"} {
		if !strings.Contains(a.body, want) {
			b.t.Errorf("%s hasn't %s", what, want)
		}
	}
}

func mainPart(page string) string {
	if _, text, ok := strings.Cut(page, "<main"); ok {
		return text
	}
	return page
}

// see holds that a page has all of this, and miss that it has none of it.
func (b *browser) see(a answer, wanted ...string) {
	b.t.Helper()
	for _, want := range wanted {
		if !strings.Contains(a.body, want) {
			b.t.Errorf("the page hasn't %q: %.3000s", want, mainPart(a.body))
		}
	}
}

func (b *browser) miss(a answer, unwanted ...string) {
	b.t.Helper()
	for _, no := range unwanted {
		if strings.Contains(a.body, no) {
			b.t.Errorf("the page has %q", no)
		}
	}
}

// phoneOf is the number of person i. The first hundred are free for fiction.
func phoneOf(i int) string { return fmt.Sprintf("+120155501%02d", i) }

// submit opens a campaign of so many people, on hold unless it runs.
func (h *house) submit(t testing.TB, id string, people int, runs bool, more string) *campaign.Info {
	t.Helper()
	file, err := producer.ParseCampaign("", []byte(`
id: `+id+`
message_type: MKT
channels:
  - {channel: whatsapp, fallback_time: 10m, template: file, parameters: {url: "{{.url}}"}}
  - {channel: sms, template: text, parameters: {text: "Your file: {{.url}}"}}
`+more))
	if err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	list.WriteString("recipient,phone,url\n")
	for i := range people {
		name := fmt.Sprintf("customer-%d", i)
		fmt.Fprintf(&list, "%s,%s,https://files.example.com/%d.xlsx\n", name, phoneOf(i), i)
	}
	result, err := producer.New(h.rdb).Submit(t.Context(), file, producer.ListReader("list.csv", producer.CSV, strings.NewReader(list.String())),
		producer.SubmitOptions{Begin: campaign.Beginning{By: campaign.Actor{Name: "shop"}, Hold: !runs}})
	if err != nil {
		t.Fatal(err)
	}
	return result.Info
}

// outcome has a person be sent to, with these legs at the end, each delivered if
// its code says so.
func (h *house) outcome(t testing.TB, info *campaign.Info, index int, took time.Duration, legs ...campaign.ChannelLeg) {
	t.Helper()
	reference := fmt.Sprintf("%032X", index+1)
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	status := legs[len(legs)-1].Leg
	h.settle(t, info, index,
		campaign.Event{Kind: campaign.EventClaim, Claim: 7, At: began},
		campaign.Event{Kind: campaign.EventAccept, Claim: 7, Attempt: 1, Reference: reference, DueAt: began.Add(2 * time.Hour), At: began},
		campaign.Event{Kind: campaign.EventReceipt, Attempt: 1, Reference: reference, Final: status.Rank == campaign.RankFailed, Status: status, Legs: legs, At: began.Add(took)})
}

var (
	whatsAppDelivers = campaign.ChannelLeg{Channel: "whatsapp", Leg: campaign.Leg{Rank: campaign.RankDelivered, Code: 3100}}
	whatsAppFails    = campaign.ChannelLeg{Channel: "whatsapp", Leg: campaign.Leg{Rank: campaign.RankFailed, Code: 3056}}
	smsDelivers      = campaign.ChannelLeg{Channel: "sms", Leg: campaign.Leg{Rank: campaign.RankDelivered, Code: 3100}}
)

// settle gives a person an outcome, as a worker and a listener do.
func (h *house) settle(t testing.TB, info *campaign.Info, index int, events ...campaign.Event) {
	t.Helper()
	at := campaign.PlaceOf(index)
	var seen ledger.Seen
	var err error
	for _, e := range events {
		if e.At.IsZero() {
			e.At = time.Now()
		}
		if seen, err = h.ledger.Apply(t.Context(), info, at, seen, e); err != nil {
			t.Fatal(err)
		}
	}
}
