package chaos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "VGVzdCBLZXk="
	campaignID = campaign.ID("order-history-2026-11")
	// inFlight is how many sends one worker has under way at most.
	inFlight = 16
	// receiptsPath is where handout listen takes receipts.
	receiptsPath = "/callbacks/telesign"
)

// campaignFile is the campaign that all scenarios send.
const campaignFile = `
id: order-history-2026-11
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 30s
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your viatu.com order history is ready for download at {{.url}}."}
lane: bulk
`

// rig is one campaign with everything around it.
type rig struct {
	t          *testing.T
	recipients int
	deaf       bool // see setup
	redis      *redistest.Server
	rdb        *redis.Client
	ledger     *ledger.Ledger
	info       *campaign.Info
	vendor     *simulator.Simulator
	unheard    *unheard
	vendorURL  string
	files      []string // of the campaign, for submit
	vars       map[string]string
	start      time.Time
	kills      atomic.Int64

	mu     sync.Mutex
	doubts map[string]bool // recipients that a worker put in doubt, by its log
	tail   []string
}

// setup is what a scenario wants otherwise than the rest.
type setup struct {
	recipients int
	endings    []int // of the phone numbers: the stories, see telesign/simulator
	redis      []redistest.Option
	rate       int
	deaf       bool // receipts may be missing by their story, or be forgotten by Redis
	vars       map[string]string
	noPolling  bool
}

// calm are the stories in which Telesign answers every request, and brings
// receipts with our ID.
func calm() []int {
	var all []int
	for ending := range 100 {
		switch s := simulator.StoryOf(fmt.Sprintf("121220000%02d", ending)); {
		case s.NeedsPolling, s.ExpectedState == "in_doubt", s.ExpectedState == "unconfirmed", s.ExpectedState == "refused":
		case ending >= 85 && ending <= 91, ending == 97: // no answer, no good one, or "later"
		case ending == 74, ending >= 77 && ending <= 79: // receipts without our ID
		default:
			all = append(all, ending)
		}
	}
	return all
}

// unhurried is for scenarios in which no worker dies and Telesign answers: who is
// in doubt there is so by a fault of ours, and never since the machine was busy.
var unhurried = map[string]string{"HANDOUT_SEND_TIMEOUT": "1m"}

// every are all stories alike.
func every() []int {
	all := make([]int, 100)
	for i := range all {
		all[i] = i
	}
	return all
}

// newRig starts a Redis and a vendor, and writes the campaign's files.
func newRig(t *testing.T, s setup) *rig {
	t.Helper()
	if _, err := handout(); err != nil {
		t.Fatal(err)
	}
	if s.endings == nil {
		s.endings = calm()
	}
	server := redistest.Start(t, s.redis...)
	missed := &unheard{references: map[string]bool{}}
	vendor, err := simulator.New(simulator.Options{
		CustomerID: customerID, APIKey: apiKey, Polling: !s.noPolling, Speed: 200,
		Latency: 20 * time.Millisecond, // so that something is in flight
		Logger:  slog.New(slog.NewJSONHandler(missed, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vendor.Close)
	web := httptest.NewServer(vendor)
	t.Cleanup(web.CloseClientConnections)
	r := &rig{
		t: t, recipients: s.recipients, deaf: s.deaf, redis: server, rdb: server.Client(), ledger: ledger.New(server.Client()),
		vendor: vendor, unheard: missed, vendorURL: web.URL, start: time.Now(), doubts: map[string]bool{},
		vars: map[string]string{
			"REDIS_URL":            server.URL(),
			"TELESIGN_CUSTOMER_ID": customerID,
			"TELESIGN_API_KEY":     apiKey,
			"TELESIGN_URL":         web.URL,
			"HANDOUT_RATE":         fmt.Sprint(s.rate),
			"HANDOUT_CONCURRENCY":  fmt.Sprint(inFlight),
			// Longer than any answer takes on a busy machine: who is in doubt here
			// is so because of a crash.
			"HANDOUT_SEND_TIMEOUT":     "5s",
			"HANDOUT_RECEIPT_DEADLINE": "4s",
			"HANDOUT_POLL_RATE":        "500",
			"HANDOUT_LISTEN_ADDR":      "127.0.0.1:0", "HANDOUT_LISTEN_METRICS_ADDR": "127.0.0.1:0",
			"HANDOUT_WORK_ADDR":  "127.0.0.1:0",
			"HANDOUT_LOG_FORMAT": "json",
		},
	}
	maps.Copy(r.vars, s.vars)
	t.Cleanup(r.showTail)
	r.files = []string{r.write("campaign.yaml", campaignFile), r.write("list.csv", list(s.recipients, s.endings))}
	return r
}

// unheard reads the vendor's log for the last receipts of messages that it has given up:
// at its speed here, 150 ms after the first try.
type unheard struct {
	mu         sync.Mutex
	references map[string]bool
}

func (u *unheard) Write(line []byte) (int, error) {
	var entry struct {
		Message   string `json:"msg"`
		Reference string `json:"reference"`
		Last      bool   `json:"last"`
	}
	if err := json.Unmarshal(line, &entry); err != nil {
		return 0, err
	}
	if entry.Message == "callback given up" && entry.Last {
		u.mu.Lock()
		u.references[entry.Reference] = true
		u.mu.Unlock()
	}
	return len(line), nil
}

func (u *unheard) has(reference string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.references[reference]
}

// list is one of n recipients whose phone numbers end so, in turn.
func list(n int, endings []int) string {
	var b strings.Builder
	b.WriteString("recipient,phone,url\n")
	for i := range n {
		fmt.Fprintf(&b, "customer%d,+1212%05d%02d,https://files.example.com/%d.xlsx\n", i, 20_000+i, endings[i*7%len(endings)], i)
	}
	return b.String()
}

func (r *rig) write(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// run runs a mode that ends by itself and returns what it prints.
func (r *rig) run(args ...string) (string, error) { return r.runBy(ours(), args...) }

// ours is the program of this commit; newRig has built it.
func ours() string {
	bin, _ := handout()
	return bin
}

func (r *rig) runBy(bin string, args ...string) (string, error) {
	cmd := exec.CommandContext(r.t.Context(), bin, args...)
	cmd.Env = environment(r.vars)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// submit opens the campaign.
func (r *rig) submit() { r.t.Helper(); r.submitBy(ours()) }

func (r *rig) submitBy(bin string) {
	r.t.Helper()
	if out, err := r.runBy(bin, append([]string{"submit"}, r.files...)...); err != nil {
		r.t.Fatalf("submit: %v\n%s", err, out)
	}
	r.load()
}

func (r *rig) load() {
	r.t.Helper()
	info, err := r.ledger.Info(r.t.Context(), campaignID)
	if err != nil {
		r.t.Fatal(err)
	}
	if info.Total != r.recipients {
		r.t.Fatalf("the campaign has %d recipients, not %d", info.Total, r.recipients)
	}
	r.info = info
}

// listen starts a listener, and has the vendor call it.
func (r *rig) listen() *process { r.t.Helper(); return r.listenBy(ours()) }

func (r *rig) listenBy(bin string) *process {
	r.t.Helper()
	p := spawn(r.t, bin, "listen", environment(r.vars), r.log)
	r.vendor.SetCallbackURL(p.url + receiptsPath)
	return p
}

// work starts a worker; vars are "NAME=value" on top of the rig's.
func (r *rig) work(vars ...string) *process { r.t.Helper(); return r.workBy(ours(), vars...) }

func (r *rig) workBy(bin string, vars ...string) *process {
	r.t.Helper()
	return spawn(r.t, bin, "work", append(environment(r.vars), vars...), r.log)
}

// kill ends a worker as a crash would, and counts it.
func (r *rig) kill(p *process) {
	p.kill()
	r.kills.Add(1)
}

// log takes a line of a process's log.
func (r *rig) log(text string) {
	var entry struct {
		Message   string `json:"msg"`
		Recipient string `json:"recipient"`
	}
	bad := json.Unmarshal([]byte(text), &entry) != nil
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry.Message == "in doubt" {
		r.doubts[entry.Recipient] = true
	}
	if bad || entry.Message != "in doubt" {
		r.tail = append(r.tail, text)
		r.tail = r.tail[max(0, len(r.tail)-40):]
	}
}

func (r *rig) showTail() {
	if !r.t.Failed() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t.Logf("the logs end:\n%s", strings.Join(r.tail, "\n"))
}

// await waits for something that must come within the time.
func (r *rig) await(what string, within time.Duration, done func() bool) {
	r.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !done(); <-tick.C {
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: not within %s; %s", what, within, r.balance())
		}
	}
}

// balance tells the counts that aren't 0.
func (r *rig) balance() string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	b, err := r.ledger.Balance(ctx, campaignID)
	if err != nil {
		return err.Error()
	}
	phase, reason, cursor, _ := r.ledger.Phase(ctx, campaignID)
	parts := []string{fmt.Sprintf("the campaign is %s %s, fed %d", phase, reason, cursor)}
	for _, s := range campaign.States() {
		if n := b.Of(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", s, n))
		}
	}
	return strings.Join(parts, ", ")
}

// taken is how many messages the vendor has accepted.
func (r *rig) taken() int { return r.vendor.Stats().Accepted }

// awaitTaken waits until the vendor has accepted n messages.
func (r *rig) awaitTaken(n int) {
	r.t.Helper()
	r.await(fmt.Sprintf("%d messages at the vendor", n), 3*time.Minute, func() bool { return r.taken() >= n })
}

// phase is the campaign's; empty while Redis is away.
func (r *rig) phase() campaign.Phase {
	ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
	defer cancel()
	p, _, _, err := r.ledger.Phase(ctx, campaignID)
	if err != nil {
		return ""
	}
	return p
}

// awaitDone waits until the machine has nothing left to do, and no receipt is
// on its way.
func (r *rig) awaitDone(within time.Duration) {
	r.t.Helper()
	r.await("the end of the campaign", within, func() bool { return r.phase() == campaign.Done })
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	if err := r.vendor.Idle(ctx); err != nil {
		r.t.Fatalf("receipts are still on their way: %v", err)
	}
}
