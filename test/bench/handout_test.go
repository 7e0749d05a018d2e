package bench_test

import (
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

// campaignFile is the campaign that all benchmarks send.
const campaignFile = `
id: order-history-2026-11
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your viatu.com order history is ready for download at {{.url}}."}
lane: bulk
`

const (
	campaignID  = campaign.ID("order-history-2026-11")
	window      = 1000 // notes in the queue at most: the default
	concurrency = 128  // sends in flight: the default
)

// handout is our way on one Redis.
type handout struct {
	rdb    redis.UniversalClient
	ledger *ledger.Ledger
	keys   *sealed.Ring // nil: nothing is encrypted
}

func newHandout(b *testing.B, server *redistest.Server) *handout {
	b.Helper()
	rdb, err := redisx.Open(server.URL(), redisx.DefaultPrefix)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = rdb.Close() })
	return &handout{rdb: rdb, ledger: ledger.New(rdb)}
}

// submit opens the campaign.
func (h *handout) submit(b *testing.B, of iter.Seq[person]) *campaign.Info {
	b.Helper()
	return h.submitFile(b, campaignFile, of)
}

func (h *handout) submitFile(b *testing.B, text string, of iter.Seq[person]) *campaign.Info {
	b.Helper()
	file, err := producer.ParseCampaign("campaign.yaml", []byte(text))
	if err != nil {
		b.Fatal(err)
	}
	client := producer.New(h.rdb)
	client.Seal(h.keys)
	result, err := client.Submit(b.Context(), file,
		producer.ListRows([]string{"url"}, rows(of)), producer.SubmitOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return result.Info
}

// working is a worker at work.
type working struct {
	first *firstRequest
	stop  func()
}

// work starts a worker; a rate of 0 is no limit.
func (h *handout) work(b *testing.B, to *vendor, rate float64, o ...func(*worker.Options)) *working {
	b.Helper()
	transport := telesign.NewTransport()
	first := &firstRequest{RoundTripper: transport}
	client, err := telesign.NewClient(telesign.Options{
		URL: to.url, CustomerID: customerID, APIKey: apiKey, Auth: telesign.AuthBasic,
		Timeout: 15 * time.Second, Transport: first,
	})
	if err != nil {
		b.Fatal(err)
	}
	options := worker.Options{
		Redis: h.rdb, MasterKeys: h.keys, Account: worker.Account{Telesign: client, Rate: rate, PollRate: 5}, Poll: false,
		Concurrency: concurrency, Window: window, SendTimeout: 15 * time.Second, ReceiptMargin: time.Minute,
		Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	}
	for _, change := range o {
		change(&options)
	}
	w, err := worker.New(options)
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	return &working{first, func() {
		w.Stop()
		transport.CloseIdleConnections()
	}}
}

// balance reads the counts.
func (h *handout) balance(b *testing.B) *campaign.Balance {
	b.Helper()
	balance, err := h.ledger.Balance(b.Context(), campaignID)
	if err != nil {
		b.Fatal(err)
	}
	return balance
}

// send sends everything that the campaign has, n recipients, and returns how
// many per second.
func (h *handout) send(b *testing.B, to *vendor, n int) float64 {
	b.Helper()
	w := h.work(b, to, 0)
	defer w.stop()
	await(b, func() bool { return h.balance(b).Of(campaign.Accepted) == n })
	return float64(n) / w.first.since().Seconds()
}
