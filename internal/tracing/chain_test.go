package tracing_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

const (
	customer = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	// callers are the trace and the span of who calls the API.
	callerTrace, callerSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
)

var apiKey = base64.StdEncoding.EncodeToString([]byte("the key of a Telesign account"))

// house is an installation: API, worker, listener and vendor.
type house struct {
	t      *testing.T
	rdb    *redis.Client
	ledger *ledger.Ledger
	token  string
	api    string
	logged *lines
}

type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(b)
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, rdb: redistest.Start(t).Client(), logged: new(lines)}
	h.ledger = ledger.New(h.rdb)
	log := slog.New(tracing.LogIDs(slog.NewTextHandler(h.logged, nil)))
	registry := prometheus.NewRegistry()

	vendor, err := simulator.New(simulator.Options{CustomerID: customer, APIKey: apiKey, Rate: 50, Speed: 1000, Polling: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vendor.Close)
	vendorServer := httptest.NewServer(vendor)
	t.Cleanup(vendorServer.Close)

	verifier, err := telesign.NewVerifier(customer, apiKey)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := callbacks.New(callbacks.Options{
		Redis: h.rdb, Verifiers: callbacks.Verifiers{"default": {verifier}}, RequireSignature: true, ReceiptMargin: time.Minute, Logger: log, Metrics: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	receipts := httptest.NewServer(listener)
	t.Cleanup(receipts.Close)
	vendor.SetCallbackURL(receipts.URL + callbacks.Path)

	client, err := telesign.NewClient(telesign.Options{URL: vendorServer.URL, CustomerID: customer, APIKey: apiKey, Auth: telesign.AuthBasic, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Options{
		Redis: h.rdb, Account: worker.Account{Name: campaign.DefaultAccount, Telesign: client, Rate: 50, PollRate: 50}, Poll: true, Concurrency: 16, Window: 100,
		SendTimeout: 10 * time.Second, ReceiptMargin: time.Minute, Logger: log, Metrics: registry,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})

	keys := access.NewKeys(h.rdb)
	if h.token, err = keys.Create(t.Context(), access.Key{Name: "billing", Scopes: []access.Scope{access.Read, access.Submit, access.Control}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	rest, err := api.New(api.Options{Redis: h.rdb, Gate: &access.Gate{Keys: keys}, AccountRate: 50, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(rest)
	t.Cleanup(func() { rest.Close(); server.Close(); http.DefaultClient.CloseIdleConnections() })
	h.api = server.URL + api.Prefix
	return h
}

func (h *house) call(want int, method, path, media, body string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.api+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	req.Header.Set("Idempotency-Key", "a key of the caller's")
	req.Header.Set("Traceparent", "00-"+callerTrace+"-"+callerSpan+"-01")
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != want {
		h.t.Fatalf("%s %s: %d, %s", method, path, resp.StatusCode, text)
	}
}

// endings choose what becomes of the people: delivered, failed, in doubt, refused.
var endings = []string{"00", "69", "88", "92"}

// send sends to one person of each ending, and waits for what becomes of them.
func (h *house) send(id campaign.ID) *campaign.Info {
	h.t.Helper()
	h.call(http.StatusCreated, http.MethodPost, "/campaigns", "application/json", fmt.Sprintf(`{"id": %q, "message_type": "MKT", "channels": [
		{"channel": "whatsapp", "fallback_time": "10m", "template": "file", "parameters": {"url": "{{.url}}"}},
		{"channel": "sms", "template": "text", "parameters": {"text": "Yours is at {{.url}}."}}]}`, id))
	list := "recipient,phone,url\n"
	for i, ending := range endings {
		list += fmt.Sprintf("customer-%d,+12015550%d%s,https://files.example.com/secret-%d\n", i, i+1, ending, i)
	}
	h.call(http.StatusCreated, http.MethodPut, "/campaigns/"+string(id)+"/recipients", "text/csv", list)
	h.call(http.StatusOK, http.MethodPost, "/campaigns/"+string(id)+"/start", "", "")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		b, err := h.ledger.Balance(h.t.Context(), id)
		if err == nil && b.Of(campaign.Delivered) == 1 && b.Of(campaign.Failed) == 1 && b.Of(campaign.InDoubt) == 1 && b.Of(campaign.Refused) == 1 {
			break
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%+v, %v", b, err)
		}
	}
	info, err := h.ledger.Info(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return info
}

// of are the spans of this name that are about the recipient with this index, or about
// none.
func of(all []*seen, name string, index string) (found []*seen) {
	for _, s := range all {
		if s.Name == name && s.about["handout.index"] == index && !strings.HasPrefix(s.about["handout.campaign"], "sends-") {
			found = append(found, s)
		}
	}
	return found
}

func linked(from, to *seen) bool {
	for _, l := range from.Links {
		if fmt.Sprintf("%x", l.SpanId) == to.id && fmt.Sprintf("%x", l.TraceId) == to.trace {
			return true
		}
	}
	return false
}

func TestTracing_LeadsFromTheRequestToTheReceipt(t *testing.T) {
	c := startCollector(t)
	stop := c.start(t, map[string]string{
		"OTEL_SERVICE_NAME": "handout-test", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=hush%20hush", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
	})
	h := open(t)
	info := h.send("spring")
	h.call(http.StatusCreated, http.MethodPost, "/sends", "application/json", `{"recipient": "customer-9", "phone": "+12015550900", "message_type": "ARN",
		"channels": [{"channel": "sms", "template": "text", "parameters": {"text": "Yours is at hand."}}]}`)
	c.until(t, "the one-off send's receipt", func(all []*seen) bool {
		return slices.ContainsFunc(all, func(s *seen) bool {
			return s.Name == "receipt" && strings.HasPrefix(s.about["handout.campaign"], "sends-")
		})
	})
	c.until(t, "the receipts of two", func(all []*seen) bool {
		return len(of(all, "receipt", "0")) > 0 && slices.ContainsFunc(of(all, "receipt", "1"), func(s *seen) bool { return s.about["handout.state"] == "failed" }) &&
			len(of(all, "send", "2")) > 0 && len(of(all, "send", "3")) > 0
	})
	stop() // sends the rest
	all := c.all()

	var request *seen
	for _, s := range all {
		if s.Name == "PUT /api/v1/campaigns/{id}/recipients" {
			request = s
		}
	}
	var submit, feed, once *seen
	for _, s := range all {
		switch spring := s.about["handout.campaign"] == "spring"; {
		case s.Name == "submit" && spring:
			submit = s
		case s.Name == "submit":
			once = s
		case s.Name == "feed" && spring:
			feed = s
		}
	}
	if request == nil || request.trace != callerTrace || request.parent != callerSpan || request.about["http.response.status_code"] != "201" {
		t.Fatalf("the request isn't of its caller's trace: %+v", request)
	}
	if !linked(submit, request) || feed.trace != submit.trace || feed.parent != submit.id {
		t.Errorf("the submit %v doesn't lead to its request, or the feed %v to the submit", submit, feed)
	}
	if !slices.ContainsFunc(all, func(s *seen) bool { return s.Name == "POST /api/v1/sends" && linked(once, s) }) ||
		!slices.ContainsFunc(all, func(s *seen) bool { return s.Name == "receipt" && s.trace == once.trace }) {
		t.Errorf("the one-off send %v doesn't lead from its request to its receipt", once)
	}
	traces := make(map[string]bool)
	for index, state := range []string{"accepted", "accepted", "in_doubt", "refused"} {
		i := fmt.Sprint(index)
		sends := of(all, "send", i)
		if len(sends) != 1 {
			t.Fatalf("%d attempts at %s", len(sends), i)
		}
		send := sends[0]
		traces[send.trace] = true
		if got := send.about["handout.state"]; got != state && state != "accepted" || send.about["handout.campaign"] != "spring" || send.about["service.name"] != "handout-test" {
			t.Errorf("recipient %s: %v", i, send.about)
		}
		if !linked(send, submit) || !linked(send, feed) {
			t.Errorf("recipient %s: the attempt leads to no submit, or to no feed: %v", i, send.Links)
		}
		for _, step := range []string{"slot", "claim", "wait", "post"} {
			if !slices.ContainsFunc(all, func(s *seen) bool { return s.Name == step && s.parent == send.id && s.trace == send.trace }) {
				t.Errorf("recipient %s: the attempt has no step %s", i, step)
			}
		}
		for _, r := range of(all, "receipt", i) {
			if r.trace != send.trace || r.parent != send.id || r.StartTimeUnixNano < send.StartTimeUnixNano {
				t.Errorf("recipient %s: a receipt %v isn't the attempt's %v", i, r, send)
			}
		}
		if wrong := state != "accepted"; (send.Status.GetCode() == 2) != wrong {
			t.Errorf("recipient %s: status %v", i, send.Status)
		}
	}
	if len(traces) != len(endings) {
		t.Errorf("%d traces for %d recipients", len(traces), len(endings))
	}
	h.checkSecrets(c, info)
	if got := c.header.Get("Api-Key"); got != "hush hush" {
		t.Errorf("the header is %q", got)
	}
	// The log's line about the one in doubt leads to the attempt.
	doubt := of(all, "send", "2")[0]
	if line := "trace_id=" + doubt.trace + " span_id=" + doubt.id; !strings.Contains(h.logged.String(), line) {
		t.Errorf("no line of the log has %s:\n%s", line, h.logged)
	}
}

// checkSecrets holds that nothing of a person, and no secret, has left.
func (h *house) checkSecrets(c *collector, info *campaign.Info) {
	h.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, secret := range []string{"2015550", "customer-", "files.example.com", "secret-", "Yours is at", apiKey, h.token, "ho_billing", customer, info.Salt, "hush"} {
		if strings.Contains(c.raw.String(), secret) || strings.Contains(h.logged.String(), "hush") {
			h.t.Errorf("%q has left", secret)
		}
	}
}

func TestTracing_WithoutAShareOnlyTroubleIsTraced(t *testing.T) {
	c := startCollector(t)
	stop := c.start(t, map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"})
	h := open(t)
	info := h.send("spring")
	c.until(t, "the failure", func(all []*seen) bool { return len(of(all, "receipt", "1")) > 0 })
	stop()
	all := c.all()
	for i, want := range []int{0, 1, 1, 1} {
		sends := of(all, "send", fmt.Sprint(i))
		if len(sends) != want {
			t.Fatalf("%d attempts at %d, want %d", len(sends), i, want)
		}
	}
	failed, receipt := of(all, "send", "1")[0], of(all, "receipt", "1")[0]
	if receipt.parent != failed.id || receipt.trace != failed.trace || receipt.about["handout.state"] != "failed" || receipt.about["handout.channels"] == "" {
		t.Errorf("the receipt %v isn't of the attempt %v", receipt, failed)
	}
	if failed.about["handout.from"] != "record" || time.Since(time.Unix(0, int64(failed.StartTimeUnixNano))) > patience {
		t.Errorf("the attempt isn't that of the record: %v", failed)
	}
	if len(of(all, "receipt", "0")) > 0 {
		t.Error("who was delivered to is traced")
	}
	h.checkSecrets(c, info)
}

func TestTracing_IsOffWithoutACollector(t *testing.T) {
	defer tracing.Start(func(string) string { return "" }, slog.New(slog.DiscardHandler))()
	info := &campaign.Info{ID: "spring", Salt: "k3v7q2m5", Spec: new(campaign.Spec)}
	ctx := t.Context()
	allocations := testing.AllocsPerRun(100, func() {
		a := tracing.Begin(tracing.FromTask(ctx, nil))
		a.Step("slot")
		if a.Claimed(ctx, info, campaign.Place{}, 1) != ctx {
			t.Error("the context has a span")
		}
		a.End(campaign.Record{State: campaign.Failed, Attempt: 1})
		tracing.Changed(ctx, "receipt", time.Time{}, info, campaign.Place{}, campaign.Accepted, campaign.Record{State: campaign.Failed, Attempt: 1})
		if tracing.BeginFeed(info).Headers() != nil {
			t.Error("tasks have headers")
		}
	})
	if allocations > 0 {
		t.Errorf("%v allocations for a send", allocations)
	}
}

func TestTracing_IsOffAndSaysSoWhenItCannotFollow(t *testing.T) {
	var logged lines
	start(t, slog.New(slog.NewTextHandler(&logged, nil)), "http://127.0.0.1:4317", map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
	if tracing.On() || !strings.Contains(logged.String(), "only http/protobuf") {
		t.Errorf("on: %v, and the log says %q", tracing.On(), logged.String())
	}
}

// A collector that stands still keeps no send waiting, and takes a bounded number of
// spans' memory.
func TestTracing_NeverWaitsForTheCollector(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, open <-chan struct{})
		lost   bool // what waits isn't tried again
	}{
		"stands still": {func(_ http.ResponseWriter, r *http.Request, open <-chan struct{}) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-open:
			case <-r.Context().Done():
			}
		}, false},
		"is away": {func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, false},
		"says no": {func(w http.ResponseWriter, _ *http.Request, _ <-chan struct{}) { w.WriteHeader(http.StatusForbidden) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			free, asked := make(chan struct{}), make(chan struct{}, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				select {
				case asked <- struct{}{}:
				default:
				}
				c.answer(w, r, free)
			}))
			defer server.Close()
			defer close(free)
			var logged lines
			stop := start(t, slog.New(slog.NewTextHandler(&logged, nil)), server.URL, nil)
			registry := prometheus.NewRegistry()
			tracing.Register(registry)
			info := &campaign.Info{ID: "spring", Salt: "k3v7q2m5", Total: 10_000, Spec: &campaign.Spec{}}
			const n = 10_000
			began := time.Now()
			for i := range n {
				tracing.Changed(context.Background(), "receipt", began, info, campaign.PlaceOf(i), campaign.Accepted, campaign.Record{State: campaign.Delivered, Attempt: 1})
			}
			took := time.Since(began)
			if took > 2*time.Second { // 10,000 of them take some 20 ms
				t.Errorf("%d spans took %v", n, took)
			}
			select {
			case <-asked:
			case <-time.After(patience):
				t.Fatal("the collector wasn't asked")
			}
			if dropped := value(t, registry); !c.lost && (dropped < n-4096-2*512 || dropped > n) {
				t.Errorf("%v spans of %d are dropped", dropped, n)
			}
			began = time.Now()
			stop()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("the stop took %v", took)
			}
		})
	}
}

func value(t *testing.T, g prometheus.Gatherer) float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}
