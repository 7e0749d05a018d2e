package callbacks_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f != nil {
		_ = f.Value.Set("8") // these tests wait more than they compute
	}
	// go-redis looks each second whether a killed Redis is back, and notices only then
	// that its client is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "VGVzdCBLZXk="
	otherKey   = "b3RoZXIga2V5"
	// usCustomerID has an account of its own, with otherKey.
	usCustomerID = "11111111-2222-3333-4444-555555555555"
	patience     = 30 * time.Second
)

// rig is a listener behind a real server, and its ledger.
type rig struct {
	t            testing.TB
	server       *redistest.Server
	rdb          *redis.Client
	ledger       *ledger.Ledger
	suppressions *suppression.List
	listener     *callbacks.Listener
	registry     *prometheus.Registry
	http         *httptest.Server
	client       *http.Client
	log          *lines
}

func setup(t testing.TB, o ...redistest.Option) *rig {
	t.Helper()
	return setupWith(t, func(*callbacks.Options) {}, o...)
}

func setupWith(t testing.TB, change func(*callbacks.Options), o ...redistest.Option) *rig {
	t.Helper()
	r := &rig{t: t, server: redistest.Start(t, o...), registry: prometheus.NewRegistry(), log: &lines{}}
	r.rdb = open(t, r.server)
	r.ledger, r.suppressions = ledger.New(r.rdb), suppression.New(r.rdb)
	options := r.options()
	change(&options)
	var err error
	if r.listener, err = callbacks.New(options); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(callbacks.Path, r.listener)
	r.http = httptest.NewUnstartedServer(mux)
	r.http.Config.ReadTimeout = time.Second
	r.http.Start()
	t.Cleanup(r.http.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(func() {
		for _, secret := range []string{apiKey, otherKey, "Test Key", "4179000", "example.com"} {
			if strings.Contains(r.log.String(), secret) {
				t.Errorf("%q is in the log", secret)
			}
		}
	})
	return r
}

// open is a client as the listener's process has it.
func open(t testing.TB, server *redistest.Server) *redis.Client {
	t.Helper()
	rdb, err := redisx.Open(server.URL(), redisx.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	single, _ := rdb.(*redis.Client)
	return single
}

func (r *rig) options() callbacks.Options {
	r.t.Helper()
	verifier, err := telesign.NewVerifier(customerID, apiKey)
	if err != nil {
		r.t.Fatal(err)
	}
	us, err := telesign.NewVerifier(usCustomerID, otherKey)
	if err != nil {
		r.t.Fatal(err)
	}
	return callbacks.Options{
		Redis: r.rdb, Verifiers: callbacks.Verifiers{"default": {verifier}, "us": {us}}, RequireSignature: true, ReceiptMargin: time.Minute,
		Logger: slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: r.registry,
	}
}

// lines are a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// replay looks for early receipts until the test ends.
func (r *rig) replay() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	var group sync.WaitGroup
	group.Go(func() { r.listener.Run(ctx) })
	r.t.Cleanup(func() { cancel(); group.Wait() })
}

// stand makes a running campaign of n.
func (r *rig) stand(id campaign.ID, n int) *campaign.Info {
	r.t.Helper()
	var phones []string
	for i := range n {
		phones = append(phones, fmt.Sprintf("+4179%07d", i))
	}
	return r.standOf(id, phones...)
}

// standOf makes a running campaign of these numbers.
func (r *rig) standOf(id campaign.ID, phones ...string) *campaign.Info {
	r.t.Helper()
	spec := &campaign.Spec{
		ID: id, MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold,
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 600, Template: "file", Parameters: map[string]string{"url": "{{.url}}"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "{{.url}}"}},
		},
	}
	opening, err := r.ledger.Open(r.t.Context(), spec, []string{"url"})
	if err != nil {
		r.t.Fatal(err)
	}
	var people []campaign.Recipient
	for i, phone := range phones {
		people = append(people, campaign.Recipient{ID: fmt.Sprint(i), Phone: phone, Values: []string{"https://example.com"}})
	}
	page, err := campaigntest.EncodePage(1, people)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := opening.AddPages(r.t.Context(), 0, [][]byte{page}); err != nil {
		r.t.Fatal(err)
	}
	if _, err = opening.Commit(r.t.Context(), ledger.Content{Total: len(phones), Pages: 1, Digest: "d"}, campaign.Beginning{}); err != nil {
		r.t.Fatal(err)
	}
	return r.salted(id, salt)
}

// salted gives a campaign this salt.
func (r *rig) salted(id campaign.ID, salt string) *campaign.Info {
	r.t.Helper()
	if err := r.rdb.HSet(r.t.Context(), "handout:{"+string(id)+"}:meta", "salt", salt).Err(); err != nil {
		r.t.Fatal(err)
	}
	info, err := r.ledger.Info(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

func (r *rig) apply(c *campaign.Info, position int, events ...campaign.Event) {
	r.t.Helper()
	var seen ledger.Seen
	for _, e := range events {
		var err error
		if seen, err = r.ledger.Apply(r.t.Context(), c, campaign.PlaceOf(position), seen, e); err != nil {
			r.t.Fatalf("%s of %d: %v", e.Kind, position, err)
		}
	}
}

func claimed() campaign.Event {
	return campaign.Event{Kind: campaign.EventClaim, At: time.Now(), Claim: 7}
}

func accepted(n int) campaign.Event {
	now := time.Now()
	return campaign.Event{Kind: campaign.EventAccept, At: now, Attempt: 1, Code: 3001, Reference: reference(n), DueAt: now.Add(time.Hour)}
}

// sent makes someone wait for the receipt of reference(n).
func (r *rig) sent(c *campaign.Info, position, n int) {
	r.t.Helper()
	r.apply(c, position, claimed(), accepted(n))
}

func reference(n int) string { return fmt.Sprintf("%032X", 0xC000_0000_0000+n) }

func (r *rig) record(c *campaign.Info, position int) campaign.Record {
	r.t.Helper()
	seen, err := r.ledger.ReadRecord(r.t.Context(), c, campaign.PlaceOf(position))
	if err != nil {
		r.t.Fatal(err)
	}
	return seen.Record
}

func (r *rig) closes(c *campaign.Info) {
	r.t.Helper()
	v, err := r.ledger.Verify(r.t.Context(), c, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(v.Faults) > 0 || v.Moving {
		r.t.Errorf("campaign %s: %q, moving %v", c.ID, v.Faults, v.Moving)
	}
}

// everything is all that stands in Redis.
func (r *rig) everything() map[string]string {
	r.t.Helper()
	all := map[string]string{}
	keys, err := r.rdb.Keys(r.t.Context(), "*").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, k := range keys {
		fields, err := r.rdb.HGetAll(r.t.Context(), k).Result()
		if err == nil { // whose order changes when it is only read
			all[k] = fmt.Sprint(fields)
			continue
		}
		if all[k], err = r.rdb.Dump(r.t.Context(), k).Result(); err != nil {
			r.t.Fatal(err)
		}
	}
	return all
}

// counted is handout_receipts_total by result.
func (r *rig) counted() map[string]int {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	n := map[string]int{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "handout_receipts_total" && m.GetCounter().GetValue() > 0 {
				n[m.GetLabel()[0].GetValue()] += int(m.GetCounter().GetValue())
			}
		}
	}
	return n
}

// signed are the headers that Telesign puts on a body.
func signed(t testing.TB, body string) http.Header {
	t.Helper()
	h, err := telesign.SignCallback(customerID, apiKey, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// call sends a request and returns the status of its answer.
func (r *rig) call(method, body string, header http.Header) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.http.URL+callbacks.Path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatalf("%s: %v", method, err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// hear sends a signed receipt, which must be answered with 200.
func (r *rig) hear(body string) {
	r.t.Helper()
	if status := r.call(http.MethodPost, body, signed(r.t, body)); status != http.StatusOK {
		r.t.Errorf("answered with %d: %s", status, body)
	}
}

// result sends a signed receipt and returns the word that it is counted under.
func (r *rig) result(body string) string {
	r.t.Helper()
	before := r.counted()
	r.hear(body)
	for word, n := range r.counted() {
		if n > before[word] {
			return word
		}
	}
	return ""
}

// salt is that of every campaign that a rig makes.
const salt = "k3v7q2m5"

// withSalt completes <campaign>.<page>.<index>.<attempt>.
func withSalt(externalID string) string {
	if id, rest, ok := strings.Cut(externalID, "."); ok && strings.Count(rest, ".") == 2 {
		return id + "." + salt + "." + rest
	}
	return externalID
}

// receipt is a body; the legs are written like "whatsapp 3056".
func receipt(externalID string, ref int, code int, legs ...string) string {
	external := "null"
	if externalID != "" {
		external = `"` + withSalt(externalID) + `"`
	}
	var all []string
	last := ""
	for _, l := range legs {
		channel, code, _ := strings.Cut(l, " ")
		last = channel
		all = append(all, fmt.Sprintf(`{"%s":{"code":%s,"description":"","updated_on":"2026-11-22T12:00:00.000000Z"}}`, channel, code))
	}
	return fmt.Sprintf(`{"reference_id":"%s","external_id":%s,"status":{"code":%d,"description":"","last_channel":"%s","updated_on":"2026-11-22T12:00:00.000000Z"},"channel_status":[%s]}`,
		reference(ref), external, code, last, strings.Join(all, ","))
}

// receiptOf is a receipt of a delivery with this external ID.
func receiptOf(externalID string, ref int) string { return receipt(externalID, ref, 3000, "sms 3000") }

func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: it doesn't come; counted %v", what, r.counted())
		}
	}
}

// cutter lets so many commands through, and then none: as if the listener had died.
type cutter struct {
	mu   sync.Mutex
	left int // 0: it doesn't cut
}

func (c *cutter) after(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = n
}

var errCut = errors.New("cut off")

func (c *cutter) pass() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.left == 0:
		return nil
	case c.left == 1:
		return errCut
	}
	c.left--
	return nil
}

func (c *cutter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *cutter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := c.pass(); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (c *cutter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := c.pass(); err != nil {
			for _, cmd := range cmds {
				cmd.SetErr(err)
			}
			return err
		}
		return next(ctx, cmds)
	}
}
