package accounts_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/config"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/campaigntest"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

const patience = time.Minute

// startCluster returns the URL of a cluster of three masters.
func startCluster(t *testing.T) string {
	t.Helper()
	args, url := []string{"--cluster", "create"}, ""
	var nodes []*redistest.Server
	for range 3 {
		port := redistest.FreePort(t)
		nodes = append(nodes, redistest.Start(t, redistest.Set("port", port), redistest.Set("bind", "127.0.0.1"), redistest.Set("cluster-enabled", "yes")))
		args, url = append(args, "127.0.0.1:"+port), "redis+cluster://127.0.0.1:"+port
	}
	if out, err := exec.CommandContext(t.Context(), "redis-cli", append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("make a cluster: %v\n%s", err, out)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); len(nodes) > 0; <-tick.C {
		info, err := nodes[0].Client().ClusterInfo(t.Context()).Result()
		if err == nil && strings.Contains(info, "cluster_state:ok") {
			nodes = nodes[1:]
		} else if time.Now().After(deadline) {
			t.Fatalf("the cluster isn't whole: %s, %v", info, err)
		}
	}
	return url
}

// vendor is Telesign for one account.
type vendor struct {
	*simulator.Simulator
	url, customer, key string
	mu                 sync.Mutex
	senders            map[string]int // sender_id of what was sent
}

func startVendor(t *testing.T, customer string, change func(*simulator.Options)) *vendor {
	t.Helper()
	v := &vendor{customer: customer, key: base64.StdEncoding.EncodeToString([]byte("key of " + customer)), senders: make(map[string]int)}
	o := simulator.Options{CustomerID: customer, APIKey: v.key, Speed: 100, Polling: true}
	change(&o)
	var err error
	if v.Simulator, err = simulator.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent struct {
			SenderID string `json:"sender_id"`
		}
		if r.Method == http.MethodPost && json.Unmarshal(body, &sent) == nil {
			v.mu.Lock()
			v.senders[sent.SenderID]++
			v.mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		v.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	v.url = server.URL
	return v
}

// house is an installation with the accounts default and us.
type house struct {
	t        *testing.T
	rdb      redis.UniversalClient
	ledger   *ledger.Ledger
	vendors  map[string]*vendor
	registry *prometheus.Registry
	receipts string // the listener's URL
}

// rates are those of the accounts, in messages per second.
var rates = map[string]int{"default": 20, "us": 40}

// start opens an installation; change may change its vendors.
func start(t *testing.T, redisURL, prefix string, change func(account string, o *simulator.Options)) *house {
	t.Helper()
	h := &house{t: t, vendors: make(map[string]*vendor), registry: prometheus.NewRegistry()}
	var err error
	if h.rdb, err = redisx.Open(redisURL, prefix); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.rdb.Close() })
	h.ledger = ledger.New(h.rdb)
	file := "accounts:\n"
	for account, rate := range rates {
		v := startVendor(t, prefix+"-"+account, func(o *simulator.Options) { o.Rate = rate; change(account, o) })
		h.vendors[account] = v
		variable := strings.ToUpper(prefix + "_" + account)
		t.Setenv(variable, base64.StdEncoding.EncodeToString([]byte("key of "+v.customer)))
		t.Setenv(variable+"_OLD", base64.StdEncoding.EncodeToString([]byte("old key of "+v.customer)))
		file += fmt.Sprintf("  %s: {customer_id: %s, api_key: env:%s, previous_api_key: env:%s_OLD, url: %q, rate: %d, poll_rate: 50, sender_id: of-%s}\n",
			account, v.customer, variable, variable, v.url, rate, account)
	}
	path := filepath.Join(t.TempDir(), "accounts.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := accounts.Read(path, accounts.Account{Auth: telesign.AuthBasic})
	if err != nil {
		t.Fatal(err)
	}
	h.listen(all)
	h.work(all)
	return h
}

func (h *house) logger() *slog.Logger { return slog.New(slog.NewTextHandler(h.t.Output(), nil)) }

func (h *house) listen(all accounts.Accounts) {
	h.t.Helper()
	verifiers := make(callbacks.Verifiers)
	for i := range all {
		var err error
		if verifiers[all[i].Name], err = all[i].Verifiers(); err != nil {
			h.t.Fatal(err)
		}
	}
	listener, err := callbacks.New(callbacks.Options{
		Redis: h.rdb, Verifiers: verifiers, RequireSignature: true, ReceiptMargin: time.Minute, Logger: h.logger(), Metrics: h.registry,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	server := httptest.NewServer(listener)
	h.t.Cleanup(server.Close)
	h.receipts = server.URL
	for _, v := range h.vendors {
		v.SetCallbackURL(server.URL)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { listener.Run(ctx) })
	h.t.Cleanup(func() { cancel(); running.Wait() })
}

func (h *house) work(all accounts.Accounts) {
	h.t.Helper()
	speaks := make([]worker.Account, len(all))
	for i, a := range all {
		client, err := (&config.Config{SendTimeout: 10 * time.Second}).Client(&a)
		if err != nil {
			h.t.Fatal(err)
		}
		speaks[i] = worker.Account{Name: a.Name, Telesign: client, Rate: a.Rate, PollRate: a.PollRate, SenderID: a.SenderID}
	}
	w, err := worker.New(worker.Options{
		Redis: h.rdb, Account: speaks[0], Others: speaks[1:], Poll: true, Concurrency: 16, Window: 100, SendTimeout: 10 * time.Second,
		ReceiptMargin: time.Minute, Logger: h.logger(), Metrics: h.registry,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := w.Start(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			h.t.Error(err)
		}
	})
}

// submit opens a campaign of n people of an account, whom WhatsApp reaches.
func (h *house) submit(id campaign.ID, account string, n int) *campaign.Info {
	h.t.Helper()
	spec := campaigntest.Spec(id)
	spec.Rate, spec.Account = 0, campaign.StoredAccount(account)
	people := make([]campaign.Recipient, n)
	for i := range people {
		people[i] = campaign.Recipient{ID: fmt.Sprint("r", i), Phone: fmt.Sprintf("+4179%05d00", i), Values: []string{"https://example.com/x"}}
	}
	opening, err := h.ledger.Open(h.t.Context(), spec, []string{"url"})
	if err != nil {
		h.t.Fatal(err)
	}
	var pages [][]byte
	for from := 0; from < n; from += campaign.PageSize {
		page, err := campaign.AppendPage(nil, 1, people[from:min(n, from+campaign.PageSize)])
		if err != nil {
			h.t.Fatal(err)
		}
		pages = append(pages, campaign.CompressPage(page))
	}
	if err := opening.AddPages(h.t.Context(), 0, pages); err != nil {
		h.t.Fatal(err)
	}
	info, err := opening.Commit(h.t.Context(), ledger.Content{Total: n, Pages: len(pages), Digest: string(id)}, campaign.Beginning{})
	if err != nil {
		h.t.Fatal(err)
	}
	return info
}

// until waits until a campaign stands so.
func (h *house) until(id campaign.ID, what string, is func(info *campaign.Info, b *campaign.Balance) bool) {
	h.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		info, err := h.ledger.Info(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		b, err := h.ledger.Balance(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if is(info, b) {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("campaign %s isn't %s: %s (%s), %+v", id, what, info.Phase, info.Reason, b)
		}
	}
}

func (h *house) untilDone(ids ...campaign.ID) {
	h.t.Helper()
	for _, id := range ids {
		h.until(id, "done", func(info *campaign.Info, b *campaign.Balance) bool {
			return info.Phase == campaign.Done && b.Of(campaign.Delivered) == info.Total
		})
	}
}

// counted is the value of a counter with this label.
func (h *house) counted(name, label string) int {
	h.t.Helper()
	families, err := h.registry.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	n := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return int(n)
}

// post sends a receipt to the listener, signed with an account's key.
func (h *house) post(body, customer, key string) int {
	h.t.Helper()
	header, err := telesign.SignCallback(customer, key, []byte(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.receipts, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
