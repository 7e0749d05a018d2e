package worker_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f != nil {
		_ = f.Value.Set("8") // these tests wait more than they compute
	}
	goleak.VerifyTestMain(m)
}

const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "VGVzdCBLZXk="
	patience   = 90 * time.Second // until a test gives up; far over what anything takes
)

// rig is a Redis, a vendor, and workers between them.
type rig struct {
	t            testing.TB
	server       *redistest.Server
	rdb          *redis.Client
	ledger       *ledger.Ledger
	suppressions *suppression.List
	queue        *queue.Queue
	url          string // of the vendor
	log          *lines
	phones       []string // whatever happens, none of them is ever logged
}

func setup(t testing.TB, vendor http.Handler) *rig {
	t.Helper()
	return setupOn(t, vendor)
}

// setupDurable has a Redis that loses nothing when it is killed.
func setupDurable(t testing.TB, vendor http.Handler) *rig {
	t.Helper()
	return setupOn(t, vendor, redistest.AppendOnly("always"))
}

func setupOn(t testing.TB, vendor http.Handler, o ...redistest.Option) *rig {
	t.Helper()
	r := &rig{t: t, server: redistest.Start(t, o...), log: &lines{}}
	r.rdb = r.server.Client()
	r.ledger, r.queue = ledger.New(r.rdb), queue.New(r.rdb)
	r.suppressions = suppression.New(r.rdb)
	server := httptest.NewServer(vendor)
	t.Cleanup(server.Close)
	r.url = server.URL
	t.Cleanup(r.discreet)
	return r
}

// discreet fails the test if a number, a key or a text was logged.
func (r *rig) discreet() {
	text := r.log.String()
	for _, secret := range append(r.phones, apiKey, "Test Key", "RkZGRkZGRkYtRUVFRS1ERERE", "example.com", "Yours is at") {
		if strings.Contains(text, strings.TrimPrefix(secret, "+")) {
			r.t.Errorf("%q is in the log", secret)
		}
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

func (r *rig) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// sendTimeout is no matter of the test: over what a busy machine takes.
const sendTimeout = 15 * time.Second

func (r *rig) client(timeout time.Duration) *telesign.Client {
	r.t.Helper()
	transport := telesign.NewTransport()
	r.t.Cleanup(transport.CloseIdleConnections)
	client, err := telesign.NewClient(telesign.Options{
		URL: r.url, CustomerID: customerID, APIKey: apiKey, Auth: telesign.AuthBasic, Timeout: timeout, Transport: transport,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return client
}

// hasty is a worker whose requests have this long.
func (r *rig) hasty(timeout time.Duration) func(*worker.Options) {
	return func(o *worker.Options) { o.Telesign, o.SendTimeout = r.client(timeout), timeout }
}

// options are those of a worker that isn't in anybody's way.
func (r *rig) options() worker.Options {
	r.t.Helper()
	return worker.Options{
		Redis: r.rdb, Account: worker.Account{Telesign: r.client(sendTimeout), Rate: 1000, PollRate: 1000}, Poll: true,
		Concurrency: 32, Window: 1000, SendTimeout: sendTimeout, ReceiptMargin: time.Minute,
		Logger: r.logger(), Metrics: prometheus.NewRegistry(),
	}
}

func (r *rig) worker(o worker.Options) *worker.Worker {
	r.t.Helper()
	w, err := worker.New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// start runs a worker until the test ends, or until the function is called.
func (r *rig) start(change ...func(*worker.Options)) (stop func()) {
	r.t.Helper()
	o := r.options()
	for _, f := range change {
		f(&o)
	}
	w := r.worker(o)
	if err := w.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			if err := w.Stop(); err != nil {
				r.t.Error(err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// phone is a number with the ending that tells the simulator its story.
func phone(i, ending int) string { return fmt.Sprintf("+4179%05d%02d", i, ending) }

// phones are n numbers whose stories end well.
func phones(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = phone(i, i%35)
	}
	return all
}

// stand makes a campaign of these numbers.
func (r *rig) stand(id campaign.ID, numbers []string, hold bool, change ...func(*campaign.Spec)) *campaign.Info {
	r.t.Helper()
	r.phones = append(r.phones, numbers...)
	spec := &campaign.Spec{
		ID: id, MessageType: "MKT", Lane: campaign.LaneBulk, OnDoubt: campaign.DoubtHold,
		Channels: []campaign.Channel{
			{Channel: "whatsapp", FallbackTime: 600, Template: "file", Parameters: map[string]string{"url": "{{.url}}"}},
			{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Yours is at {{.url}}."}},
		},
	}
	for _, f := range change {
		f(spec)
	}
	opening, err := r.ledger.Open(r.t.Context(), spec, []string{"url"})
	if err != nil {
		r.t.Fatal(err)
	}
	pages := 0
	for from := 0; from < len(numbers); from += campaign.PageSize {
		var people []campaign.Recipient
		for i := from; i < min(len(numbers), from+campaign.PageSize); i++ {
			people = append(people, campaign.Recipient{
				ID: fmt.Sprintf("r%d", i), Phone: numbers[i], Values: []string{fmt.Sprintf("https://example.com/%d", i)},
			})
		}
		page, err := campaigntest.EncodePage(1, people)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := opening.AddPages(r.t.Context(), pages, [][]byte{page}); err != nil {
			r.t.Fatal(err)
		}
		pages++
	}
	info, err := opening.Commit(r.t.Context(), ledger.Content{Total: len(numbers), Pages: pages, Digest: "d"}, campaign.Beginning{Hold: hold})
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

// apply lets events happen to a recipient.
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

// fed moves the cursor over the whole list, and has settle look at once.
// attempt is one at a recipient of the campaign that stands.
func (r *rig) attempt(id campaign.ID, p campaign.Place, number int) campaign.Attempt {
	r.t.Helper()
	info, err := r.ledger.Info(r.t.Context(), id)
	if err != nil {
		info = &campaign.Info{ID: id, Salt: "aaaaaaaa"} // there is none
	}
	return info.Attempt(p, number)
}

func (r *rig) fed(c *campaign.Info) {
	r.t.Helper()
	pages := make([]int, c.Pages)
	for i := range pages {
		pages[i] = i
	}
	if _, err := r.ledger.Advance(r.t.Context(), c.ID, 0, []int{c.Total}, pages, time.Now().Add(-time.Second)); err != nil {
		r.t.Fatal(err)
	}
}

// nextDue is when a page of a campaign is looked at next.
func (r *rig) nextDue(id campaign.ID) (first time.Time) {
	r.t.Helper()
	s, err := r.ledger.State(r.t.Context(), id, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, at := range s.Next {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

func (r *rig) record(c *campaign.Info, position int) campaign.Record {
	r.t.Helper()
	seen, err := r.ledger.ReadRecord(r.t.Context(), c, campaign.PlaceOf(position))
	if err != nil {
		r.t.Fatal(err)
	}
	return seen.Record
}

func (r *rig) phase(c *campaign.Info) (campaign.Phase, string) {
	r.t.Helper()
	p, reason, _, err := r.ledger.Phase(r.t.Context(), c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return p, reason
}

func (r *rig) balance(c *campaign.Info) *campaign.Balance {
	r.t.Helper()
	b, err := r.ledger.Balance(r.t.Context(), c.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return b
}

// until waits for what has no signal.
func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: it doesn't come; the log ends:\n%s", what, tail(r.log.String()))
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-4000):] }

func (r *rig) untilState(c *campaign.Info, position int, want campaign.State) campaign.Record {
	r.t.Helper()
	r.until(fmt.Sprintf("recipient %d is %s", position, want), func() bool { return r.record(c, position).State == want })
	return r.record(c, position)
}

func (r *rig) untilPhase(c *campaign.Info, want campaign.Phase) {
	r.t.Helper()
	r.until(fmt.Sprintf("campaign %s is %s", c.ID, want), func() bool { p, _ := r.phase(c); return p == want })
}

// untilQuiet waits until asynq has nothing more to do for sends.
func (r *rig) untilQuiet() {
	r.t.Helper()
	r.until("the queue is empty", func() bool {
		n := int64(0)
		for _, q := range []string{tasks.QueueBulk, tasks.QueueUrgent} {
			for _, list := range []string{"pending", "active"} {
				n += r.rdb.LLen(r.t.Context(), "asynq:{handout:"+q+"}:"+list).Val()
			}
		}
		return n == 0
	})
}

// closes fails the test unless the balance agrees with the records.
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

// archived are the tasks in the archives, with the reason.
func (r *rig) archived() []string {
	r.t.Helper()
	var all []string
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	queues, err := inspector.Queues()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, q := range queues {
		archived, err := inspector.ListArchivedTasks(q)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, n := range archived {
			all = append(all, n.ID+": "+n.LastErr)
		}
	}
	return all
}

// vendor is a server that says what a test wants it to say. It answers nothing
// that the real one never would; the simulator has no switch for the moment.
type vendor struct {
	mu    sync.Mutex
	posts []post
	polls map[string]int
	taken atomic.Int64
	// send answers the n-th POST for an external ID, from 1; nil takes it.
	send func(w http.ResponseWriter, r *http.Request, p post)
	// poll answers a status query; nil knows no reference.
	poll func(w http.ResponseWriter, r *http.Request, reference string)
}

type post struct {
	ExternalID string // without its salt
	Salt       string
	Phone      string
	N          int // of this external ID, from 1
	At         time.Time
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		reference := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		v.mu.Lock()
		if v.polls == nil {
			v.polls = map[string]int{}
		}
		v.polls[reference]++
		v.mu.Unlock()
		if v.poll == nil {
			answer(w, 404, -10004)
			return
		}
		v.poll(w, r, reference)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var request struct {
		ExternalID string `json:"external_id"`
		Recipient  struct {
			Phone string `json:"phone_number"`
		} `json:"recipient"`
	}
	_ = json.Unmarshal(body, &request)
	v.mu.Lock()
	p := post{ExternalID: request.ExternalID, Phone: request.Recipient.Phone, N: 1, At: time.Now()}
	if a, err := campaign.ParseExternalID(p.ExternalID); err == nil {
		p.ExternalID, p.Salt = fmt.Sprintf("%s.%s.%d", a.Campaign, a.Place, a.Number), a.Salt
	}
	for _, q := range v.posts {
		if q.ExternalID == p.ExternalID {
			p.N++
		}
	}
	v.posts = append(v.posts, p)
	v.mu.Unlock()
	if v.send == nil {
		accept(w, v.next())
		return
	}
	v.send(w, r, p)
}

func (v *vendor) all() []post {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]post(nil), v.posts...)
}

// next is a number that no message has had.
func (v *vendor) next() int { return int(v.taken.Add(1)) }

func (v *vendor) polled(reference string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.polls[reference]
}

// byRecipient counts POSTs by external ID without the attempt.
func (v *vendor) byRecipient() map[string]int {
	n := map[string]int{}
	for _, p := range v.all() {
		n[p.ExternalID[:strings.LastIndexByte(p.ExternalID, '.')]]++
	}
	return n
}

// once fails the test unless there was exactly one POST for each of n.
func (v *vendor) once(t testing.TB, n int) {
	t.Helper()
	by := v.byRecipient()
	for id, times := range by {
		if times != 1 {
			t.Errorf("%s was sent %d times", id, times)
		}
	}
	if len(by) != n {
		t.Errorf("%d recipients were sent to, want %d", len(by), n)
	}
}

func accept(w http.ResponseWriter, n int) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"status":{"code":3001,"description":"Message in progress"},"reference_id":"%s","external_id":null}`, reference(n))
}

// answer is a refusal as the vendor writes it.
func answer(w http.ResponseWriter, status int, code telesign.Code) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":{"code":%d,"description":%s}}`, code, strconv.Quote(code.Text()))
}

func reference(n int) string { return fmt.Sprintf("%032X", 0xB000_0000_0000+n) }

// newSimulator is the vendor's double, which calls back url.
func newSimulator(t testing.TB, o simulator.Options) *simulator.Simulator {
	t.Helper()
	o.CustomerID, o.APIKey = customerID, apiKey
	s, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}
