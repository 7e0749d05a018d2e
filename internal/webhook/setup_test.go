package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what should happen within seconds.
const patience = 90 * time.Second

// query is in every receiver's URL, and in no log.
const query = "token=s3cr3t"

// rig is a Redis with servers on it.
type rig struct {
	t       testing.TB
	server  *redistest.Server
	rdb     *redis.Client
	ledger  *ledger.Ledger
	log     *lines
	secrets []string
}

func setup(t testing.TB, o ...redistest.Option) *rig {
	t.Helper()
	r := &rig{t: t, server: redistest.Start(t, o...), log: &lines{}, secrets: []string{"s3cr3t", "whsec_", "4179000"}}
	r.rdb = r.server.Client()
	r.ledger = ledger.New(r.rdb)
	t.Cleanup(func() {
		for _, s := range r.secrets {
			if strings.Contains(r.log.String(), s) {
				t.Errorf("%q is in the log:\n%s", s, r.log)
			}
		}
	})
	return r
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

// start runs a server until the test ends, or until the function is called.
func (r *rig) start(private bool) (stop func()) {
	r.t.Helper()
	return r.startWith(private, 1_000_000)
}

func (r *rig) startWith(private bool, backlog int) (stop func()) {
	r.t.Helper()
	s, err := webhook.NewServer(webhook.Options{
		Redis: r.rdb, Private: private, Backlog: backlog, Metrics: prometheus.NewRegistry(),
		Logger: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		r.t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			if err := s.Stop(); err != nil {
				r.t.Error(err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// add adds an endpoint.
func (r *rig) add(url string, change ...func(*outbox.Endpoint)) outbox.Endpoint {
	r.t.Helper()
	e := webhook.New(url+"/hooks?"+query, []string{outbox.EventCampaign, outbox.EventRecipients}, "", false, time.Now())
	for _, f := range change {
		f(&e)
	}
	if err := r.ledger.Outbox().Add(r.t.Context(), e); err != nil {
		r.t.Fatal(err)
	}
	r.secrets = append(r.secrets, strings.TrimPrefix(e.Secret.Reveal(), "whsec_"))
	return e
}

// got is a delivery as its receiver saw it.
type got struct {
	ID, Type string
	Data     struct {
		Campaign, State, Reason, By string
		Balance                     map[string]int
		Recipients                  people
		Changes                     int
		From, To                    time.Time
	}
	body string
}

// people are recipients, or how many there are.
type people []map[string]any

func (p *people) UnmarshalJSON(b []byte) error {
	var n int
	if err := json.Unmarshal(b, &n); err == nil {
		*p = make(people, n)
		return nil
	}
	return json.Unmarshal(b, (*[]map[string]any)(p))
}

// receiver is another app: it takes every delivery, unless answer says otherwise.
type receiver struct {
	t      testing.TB
	url    string
	mu     sync.Mutex
	secret string
	all    []got
	// answer, if not nil, is what it answers to a delivery with this number.
	answer func(n int, g got) int
}

func (r *rig) receiver(answer func(n int, g got) int) *receiver {
	r.t.Helper()
	c := &receiver{t: r.t, answer: answer}
	server := httptest.NewServer(c)
	r.t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // its sender has died
	}
	c.mu.Lock()
	secret := c.secret
	c.mu.Unlock()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err == nil {
		err = verifier.Verify(body, r.Header)
	}
	g := got{ID: r.Header.Get("webhook-id"), body: string(body)}
	if err := json.Unmarshal(body, &g); err != nil {
		c.t.Errorf("%v: %s", err, body)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/hooks" || r.URL.RawQuery != query || r.Header.Get("Content-Type") != "application/json" {
		c.t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
	}
	c.mu.Lock()
	c.all = append(c.all, g)
	n := len(c.all)
	c.mu.Unlock()
	if c.answer != nil {
		w.WriteHeader(c.answer(n, g))
	}
}

// of is the receiver with an endpoint's secret.
func (c *receiver) of(e outbox.Endpoint) *receiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secret = e.Secret.Reveal()
	return c
}

func (c *receiver) deliveries() []got {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]got(nil), c.all...)
}

// words are the deliveries in short: a state, or recipients.
func words(all []got) []string {
	var words []string
	for _, g := range all {
		if state, ok := strings.CutPrefix(g.Type, "campaign."); ok {
			words = append(words, state)
			continue
		}
		if g.Type == "webhook.dropped" {
			words = append(words, fmt.Sprintf("dropped %d+%d", len(g.Data.Recipients), g.Data.Changes))
			continue
		}
		var people []string
		for _, r := range g.Data.Recipients {
			people = append(people, fmt.Sprintf("%v:%v", r["recipient"], r["state"]))
		}
		words = append(words, strings.Join(people, " "))
	}
	return words
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

// told waits for the receiver's n-th delivery.
func (c *receiver) told(n int) []got {
	c.t.Helper()
	await(c.t, fmt.Sprint(n, " deliveries"), func() bool { return len(c.deliveries()) >= n })
	return c.deliveries()
}

// stand makes a running campaign of n.
func (r *rig) stand(id campaign.ID, n int) *campaign.Info {
	r.t.Helper()
	spec := &campaign.Spec{
		ID: id, MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold, MaxFailureRate: 1,
		Channels: []campaign.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Yours."}}},
	}
	o, err := r.ledger.Open(r.t.Context(), spec, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	pages := 0
	for from := 0; from < n; from, pages = from+campaign.PageSize, pages+1 {
		var list []campaign.Recipient
		for i := from; i < min(n, from+campaign.PageSize); i++ {
			list = append(list, campaign.Recipient{ID: fmt.Sprint("r", i), Phone: phone(i)})
		}
		page, err := campaigntest.EncodePage(0, list)
		if err == nil {
			err = o.AddPages(r.t.Context(), pages, [][]byte{page})
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	info, err := o.Commit(r.t.Context(), ledger.Content{Total: n, Pages: pages, Digest: "d"}, campaign.Beginning{})
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

func phone(i int) string { return fmt.Sprintf("+4179000%04d", i) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// apply lets events happen to a recipient.
func (r *rig) apply(c *campaign.Info, i int, events ...campaign.Event) {
	r.t.Helper()
	var seen ledger.Seen
	for _, e := range events {
		var err error
		if seen, err = r.ledger.Apply(r.t.Context(), c, campaign.PlaceOf(i), seen, e); err != nil {
			r.t.Fatal(err)
		}
	}
}

func reference(i int) string { return fmt.Sprintf("%032X", 0xA000+i) }

// fail lets a recipient be sent to in vain.
func (r *rig) fail(c *campaign.Info, i int) {
	r.t.Helper()
	r.apply(c, i,
		campaign.Event{Kind: campaign.EventClaim, At: noon, Claim: 7},
		campaign.Event{Kind: campaign.EventAccept, At: noon, Attempt: 1, Code: 3001, Reference: reference(i), DueAt: noon.Add(time.Minute)},
		receipt(campaign.RankFailed, 3058))
}

func receipt(rank campaign.Rank, code int) campaign.Event {
	leg := campaign.Leg{Rank: rank, Code: code}
	return campaign.Event{
		Kind: campaign.EventReceipt, At: noon.Add(time.Minute), Attempt: 1, Final: rank == campaign.RankFailed,
		Status: leg, Legs: []campaign.ChannelLeg{{Channel: "sms", Leg: leg}},
	}
}

// finish leaves nothing to do in a campaign.
func (r *rig) finish(c *campaign.Info) {
	r.t.Helper()
	ctx := r.t.Context()
	_, err := r.ledger.Advance(ctx, c.ID, 0, []int{c.Total}, nil, noon)
	if err == nil {
		err = r.ledger.Settle(ctx, c.ID)
	}
	if err == nil {
		err = r.ledger.Finish(ctx, c.ID, noon)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// emptied waits until all endpoints have everything.
func (r *rig) emptied(c campaign.ID) {
	r.t.Helper()
	await(r.t, "all is told", func() bool {
		n, err := r.rdb.Exists(r.t.Context(), "handout:{"+string(c)+"}:outbox").Result()
		return err == nil && n == 0
	})
}

func (r *rig) deliveryLog(e outbox.Endpoint) []outbox.Delivery {
	r.t.Helper()
	all, err := r.ledger.Outbox().Deliveries(r.t.Context(), e.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}
