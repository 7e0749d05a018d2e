package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

// seen is every answer that the suite has had, as "operation status", and the
// document that they were held against.
var seen struct {
	sync.Mutex
	document  *openapi3.T
	answers   map[string]bool
	documents map[string]*openapi3.T // by text: reading one takes as long as many a test
}

// TestMain fails when the document promises an answer that no test has seen.
func TestMain(m *testing.M) {
	code := m.Run()
	if whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.list").Value.String() == ""; whole && code == 0 {
		for _, answer := range unseen() {
			fmt.Println("no test has seen the answer", answer)
			code = 1
		}
	}
	os.Exit(code)
}

func unseen() []string {
	seen.Lock()
	defer seen.Unlock()
	if seen.document == nil {
		return []string{"at all: there is no document"}
	}
	var missing []string
	for _, item := range seen.document.Paths.Map() {
		for _, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if answer := op.OperationID + " " + status; !seen.answers[answer] {
					missing = append(missing, answer)
				}
			}
		}
	}
	sort.Strings(missing)
	return missing
}

// house is an API over HTTP on a Redis of its own.
type house struct {
	redis        *redistest.Server
	rdb          redis.UniversalClient
	ledger       *ledger.Ledger
	suppressions *suppression.List
	keys         *access.Keys
	url          string
	document     *openapi3.T
	api          *api.API
	log          *bytes.Buffer // read it when nothing runs any more
}

func open(t testing.TB, change func(*api.Options), opts ...redistest.Option) *house {
	t.Helper()
	h := &house{redis: redistest.Start(t, opts...), log: new(bytes.Buffer)}
	h.rdb = h.redis.Client()
	h.ledger, h.keys = ledger.New(h.rdb), access.NewKeys(h.rdb)
	h.suppressions = suppression.New(h.rdb)
	o := api.Options{
		Redis: h.rdb, Gate: &access.Gate{Keys: h.keys}, AccountRate: 10,
		Logger: slog.New(slog.NewTextHandler(&locked{w: h.log}, nil)),
	}
	if change != nil {
		change(&o)
	}
	a, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(a)
	server.Config.ReadTimeout = readTimeout
	server.Start()
	t.Cleanup(func() { a.Close(); server.Close() })
	h.api, h.url = a, server.URL+api.Prefix
	h.document = documentOf(t, h.url)
	return h
}

// readTimeout is a server's own, which ends what doesn't move it; as in cmd/handout,
// only shorter.
const readTimeout = 5 * time.Second

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func documentOf(t testing.TB, url string) *openapi3.T {
	t.Helper()
	resp, err := http.Get(url + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	seen.Lock()
	defer seen.Unlock()
	if document := seen.documents[string(text)]; document != nil {
		return document
	}
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	if seen.document == nil {
		seen.document, seen.answers, seen.documents = document, make(map[string]bool), make(map[string]*openapi3.T)
	}
	seen.documents[string(text)] = document
	return document
}

// client speaks with a key.
type client struct {
	h     *house
	token string
}

// client makes a key with these scopes.
func (h *house) client(t testing.TB, name string, scopes ...access.Scope) *client {
	t.Helper()
	token, err := h.keys.Create(t.Context(), access.Key{Name: name, Scopes: scopes}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &client{h, token}
}

// all is a client that may do everything but see people.
func (h *house) all(t testing.TB) *client {
	t.Helper()
	return h.client(t, "billing", access.Read, access.Submit, access.Control)
}

const (
	asJSON   = "application/json"
	asCSV    = "text/csv"
	asNDJSON = "application/x-ndjson"
)

// answer is one, held against the document.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// do sends a request whose answer is to be this.
func (c *client) do(t testing.TB, want int, method, path, media, content string, header ...string) answer {
	t.Helper()
	var body io.Reader
	if media != "" {
		body = strings.NewReader(content)
	}
	a := c.send(t, method, path, media, body, header...)
	if a.status != want {
		t.Fatalf("%s %s: %d, want %d: %.500s", method, path, a.status, want, a.body)
	}
	return a
}

func (c *client) send(t testing.TB, method, path, media string, body io.Reader, header ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.h.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{resp.StatusCode, resp.Header, string(text)}
	c.h.judge(t, method, path, a)
	return a
}

const patience = 90 * time.Second

// judge holds an answer against the document, and notes that it was seen.
func (h *house) judge(t testing.TB, method, path string, a answer) {
	t.Helper()
	op := h.operation(method, path)
	if op == nil {
		return
	}
	r := op.Responses.Status(a.status)
	if r == nil {
		t.Errorf("%s answers %d, which the document doesn't know: %s", op.OperationID, a.status, a.body)
		return
	}
	media, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || r.Value.Content[media] == nil {
		t.Errorf("%s answers %d as %q, which the document doesn't know", op.OperationID, a.status, a.header.Get("Content-Type"))
		return
	}
	for name := range r.Value.Headers {
		if a.header.Get(name) == "" && a.status == http.StatusServiceUnavailable {
			t.Errorf("%s answers %d without %s", op.OperationID, a.status, name)
		}
	}
	if strings.HasSuffix(media, "json") && media != asNDJSON {
		var v any
		if err := json.Unmarshal([]byte(a.body), &v); err != nil {
			t.Errorf("%s: %v", op.OperationID, err)
		} else if err := r.Value.Content[media].Schema.Value.VisitJSON(v, openapi3.EnableJSONSchema2020(), openapi3.EnableFormatValidation(), openapi3.MultiErrors()); err != nil {
			t.Errorf("%s answers %d with what its schema forbids: %v\n%s", op.OperationID, a.status, err, a.body)
		}
	}
	seen.Lock()
	defer seen.Unlock()
	seen.answers[fmt.Sprint(op.OperationID, " ", a.status)] = true
}

// operation finds one of the document's by a request's path.
func (h *house) operation(method, path string) *openapi3.Operation {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for template, item := range h.document.Paths.Map() {
		names := strings.Split(template, "/")
		same := len(names) == len(parts)
		for i := range names {
			same = same && (names[i] == parts[i] || strings.HasPrefix(names[i], "{"))
		}
		if op := item.GetOperation(method); same && op != nil {
			return op
		}
	}
	return nil
}

// campaignBody is a campaign file in JSON.
func campaignBody(id string) string {
	return fmt.Sprintf(`{"id":%q,"message_type":"MKT","channels":[
	{"channel":"whatsapp","fallback_time":"10m","template":"file","parameters":{"url":"{{.url}}"}},
	{"channel":"sms","template":"text","parameters":{"text":"Your file: {{.url}} 😀"}}]}`, id)
}

// phoneOf is the number of person i, counted from 0. The first hundred are free
// for fiction.
func phoneOf(i int) string {
	if i < 100 {
		return fmt.Sprintf("+120155501%02d", i)
	}
	return fmt.Sprintf("+1201%07d", 2_000_000+i)
}

func csvOf(people int) string {
	var b strings.Builder
	b.WriteString("recipient,phone,url\n")
	for i := range people {
		fmt.Fprintf(&b, "customer-%d,%s,https://files.example.com/%d.xlsx\n", i, phoneOf(i), i)
	}
	return b.String()
}

// held makes a campaign of so many people, on hold.
func (c *client) held(t testing.TB, id string, people int) {
	t.Helper()
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody(id))
	c.do(t, 201, "PUT", "/campaigns/"+id+"/recipients?hold=true", asCSV, csvOf(people))
}

// settle gives a person of a campaign an outcome, as a worker and a listener do.
func (h *house) settle(t testing.TB, id campaign.ID, index int, events ...campaign.Event) {
	t.Helper()
	info, err := h.ledger.Info(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	at := campaign.PlaceOf(index)
	var at0 ledger.Seen
	for _, e := range events {
		e.At = time.Now()
		if at0, err = h.ledger.Apply(t.Context(), info, at, at0, e); err != nil {
			t.Fatal(err)
		}
	}
}

// await polls until what is hoped for is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
