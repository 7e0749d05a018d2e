package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/test/redistest"
)

// call is an operation with a body that it takes.
type call struct {
	op           *openapi3.Operation
	method, path string // with {id}, {recipient} and {phone}
	media, body  string
	header       []string
}

// calls are all operations of the document.
func (h *house) calls(t *testing.T) []call {
	t.Helper()
	bodies := map[string]string{
		"create-campaign": campaignBody("new"), "retry-campaign": `{"only":"failed","expected":1}`,
		"accept-all-as-sent": `{"expected":1}`,
		"set-campaign-rate":  `{"rate":5}`, "set-account-rate": `{"rate":5}`, "purge-campaign": `{"id":"listless"}`,
		"reschedule-campaign": `{"at":"2099-01-01T00:00:00Z"}`,
		"rotate-webhook":      `{}`,
		"add-webhook":         `{"url":"https://hooks.example.com/"}`,
		"create-send":         `{"recipient":"a","phone":"+12015550100","message_type":"ARN","channels":[{"channel":"sms","template":"text","parameters":{"text":"Hello"}}]}`,
	}
	var all []call
	for path, item := range h.document.Paths.Map() {
		for method, op := range item.Operations() {
			c := call{op: op, method: method, path: path}
			if op.RequestBody != nil {
				if c.media, c.body = asCSV, csvOf(1); op.RequestBody.Value.Content[asJSON] != nil {
					c.media, c.body = asJSON, "{}"
				}
			}
			if body, ok := bodies[op.OperationID]; ok {
				c.body = body
			}
			if op.OperationID == "create-send" {
				c.header = []string{"Idempotency-Key", "k"}
			}
			all = append(all, c)
		}
	}
	if len(all) < 15 {
		t.Fatalf("%d operations", len(all))
	}
	return all
}

func (c call) to(id string) string {
	return strings.NewReplacer("{id}", id, "{recipient}", "nobody", "{phone}", "+12015550100", "{webhook}", "nobody").Replace(c.path)
}

// problemOf holds an answer to be a problem of a kind.
func problemOf(t testing.TB, a answer, kind string) api.Problem {
	t.Helper()
	var p api.Problem
	a.into(t, &p)
	if a.status == http.StatusNotFound && p.Detail == "" {
		t.Errorf("a 404 without a detail: %s", a.body)
	}
	for _, f := range p.Errors {
		if kind == "invalid" && (f.Message == "" || f.Field == "" && f.Line == 0) {
			t.Errorf("a fault that names neither field nor line: %s", a.body)
		}
	}
	if p.Type != api.Prefix+"/docs#problem-"+kind || p.Status != a.status || p.Title == "" {
		t.Errorf("%d %s, want a problem of the kind %s", a.status, a.body, kind)
	}
	return p
}

func TestRefusals_EveryOperation(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	good, none := h.client(t, "billing", access.Scopes()...), &client{h: h}
	looker := h.client(t, "looker", access.People)
	revoked := h.client(t, "revoked", access.Scopes()...)
	if err := h.keys.Revoke(t.Context(), "revoked"); err != nil {
		t.Fatal(err)
	}
	good.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("listless"))
	for _, c := range h.calls(t) {
		problemOf(t, none.do(t, 401, c.method, c.to("any"), c.media, c.body, c.header...), "unauthorized")
		problemOf(t, revoked.do(t, 401, c.method, c.to("any"), c.media, c.body, c.header...), "unauthorized")
		problemOf(t, looker.do(t, 403, c.method, c.to("any"), c.media, c.body, c.header...), "forbidden")
		p := problemOf(t, good.do(t, 422, c.method, c.to("any")+"?nonsense=1", c.media, c.body, c.header...), "invalid")
		if len(p.Errors) != 1 || p.Errors[0].Field != "nonsense" {
			t.Errorf("%s: an unknown parameter: %+v", c.op.OperationID, p)
		}
		if strings.Contains(c.path, "{id}") {
			problemOf(t, good.do(t, 404, c.method, c.to("nobody"), c.media, c.body, c.header...), "not-found")
			p := problemOf(t, good.do(t, 422, c.method, c.to("Any.Body"), c.media, c.body, c.header...), "invalid")
			if len(p.Errors) != 1 || p.Errors[0].Field != "id" {
				t.Errorf("%s: %+v", c.op.OperationID, p)
			}
			if conflict := c.op.Responses.Status(409); conflict != nil && c.media != asCSV && c.op.OperationID != "withdraw-campaign" {
				problemOf(t, good.do(t, 409, c.method, c.to("listless"), c.media, c.body, c.header...), "wrong-state")
			}
		}
		if c.media == asJSON {
			c.refuseBodies(t, good)
		}
		if c.media == asCSV {
			problemOf(t, good.do(t, 415, c.method, c.to("listless"), asJSON, "{}"), "media-type")
		}
	}
}

// comma goes on with an object.
func comma(body string) string {
	if body == "{}" {
		return "{"
	}
	return ","
}

// refuseBodies sends JSON that can't be taken.
func (c call) refuseBodies(t *testing.T, with *client) {
	t.Helper()
	path := c.to("listless")
	problemOf(t, with.do(t, 400, c.method, path, asJSON, `{"why":"+12015550100`, c.header...), "malformed")
	problemOf(t, with.do(t, 413, c.method, path, asJSON, `{"why":"`+strings.Repeat("a", 1<<20)+`"}`, c.header...), "too-large")
	problemOf(t, with.do(t, 415, c.method, path, "text/plain", c.body, c.header...), "media-type")
	p := problemOf(t, with.do(t, 422, c.method, path, asJSON, strings.TrimSuffix(strings.TrimSuffix(c.body, "}"), "{")+comma(c.body)+`"nonsense":"+12015550100"}`, c.header...), "invalid")
	if !slices.ContainsFunc(p.Errors, func(f api.Fault) bool { return f.Field == "nonsense" }) {
		t.Errorf("%s: an unknown field: %+v", c.op.OperationID, p)
	}
	for _, f := range p.Errors {
		if strings.Contains(f.Message, "555") {
			t.Errorf("%s quotes: %+v", c.op.OperationID, f)
		}
	}
}

func TestRefusals_WithoutRedis(t *testing.T) {
	t.Parallel()
	h := open(t, nil, redistest.AppendOnly("always"))
	good := h.all(t)
	calls := h.calls(t)
	h.redis.Kill()
	for _, c := range calls {
		a := good.do(t, 503, c.method, c.to("any"), c.media, c.body, c.header...)
		problemOf(t, a, "unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: without Retry-After", c.op.OperationID)
		}
	}
	h.redis.Restart()
	var a answer
	await(t, "Redis is found again", func() bool {
		a = good.send(t, "GET", "/campaigns", "", nil)
		return a.status == http.StatusOK
	})
	if !strings.Contains(a.body, `"campaigns":[]`) {
		t.Errorf("something was done: %s", a.body)
	}
}

func TestRefusals_NoSuchPathIsAProblemToo(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	good := h.all(t)
	for _, c := range [][2]string{{"GET", "/nothing"}, {"DELETE", "/campaigns"}, {"GET", "/campaigns/a/b/c"}} {
		problemOf(t, good.do(t, 404, c[0], c[1], "", ""), "not-found")
	}
}

func TestRefusals_AnotherSitesPageMaySendNothing(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	local := h.all(t)
	local.do(t, 200, "GET", "/campaigns", "", "")
	a := local.do(t, 403, "POST", "/campaigns", asJSON, campaignBody("new"), "Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site")
	problemOf(t, a, "forbidden")
	local.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("new"))
}

// raw sends a request by hand and returns the answer; after is what happens to
// the connection once the request is written.
func (c *client) raw(t *testing.T, method, path, media string, length int, content string, after func(*net.TCPConn)) answer {
	t.Helper()
	address := strings.TrimPrefix(strings.TrimSuffix(c.h.url, api.Prefix), "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "%s %s%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		method, api.Prefix, path, c.token, media, length, content)
	tcp, _ := conn.(*net.TCPConn)
	after(tcp)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{resp.StatusCode, resp.Header, string(text)}
	c.h.judge(t, method, path, a)
	return a
}

func TestRefusals_AListThatBreaksOffOrStops(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *api.Options) { o.Silence, o.MaxList = 300*time.Millisecond, 1<<20 })
	good := h.all(t)
	good.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	list := csvOf(500)
	for method, path := range map[string]string{"PUT": "/campaigns/spring/recipients", "POST": "/campaigns/spring/dry-run"} {
		cut := good.raw(t, method, path, asCSV, 2*len(list), list, func(c *net.TCPConn) { _ = c.CloseWrite() })
		problemOf(t, cut, "malformed")
		stopped := good.raw(t, method, path, asCSV, 2*len(list), list, func(*net.TCPConn) {})
		problemOf(t, stopped, "too-slow")
		long := "recipient,phone,url\n" + strings.Repeat("a,+12015550100,https://files.example.com/a.xlsx\n", 1<<20/40)
		problemOf(t, good.do(t, 413, method, path, asCSV, long), "too-large")
		if cut.status != 400 || stopped.status != 408 {
			t.Errorf("%d, %d", cut.status, stopped.status)
		}
	}
	if _, err := h.ledger.Info(t.Context(), "spring"); err == nil {
		t.Error("something of it was kept")
	}
	good.do(t, 201, "PUT", "/campaigns/spring/recipients", asCSV, list)
}
