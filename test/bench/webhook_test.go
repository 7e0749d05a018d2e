package bench_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkSendsBesideAWebhookThatHangs sends without a limit while receipts come,
// beside an app that takes connections and never answers, and beside none. What
// the app is to learn is written with each outcome; nothing else may differ.
func BenchmarkSendsBesideAWebhookThatHangs(b *testing.B) {
	const (
		recipients = 5_000
		turns      = 4
	)
	var r rounds
	for b.Loop() {
		r.run(turns,
			func(int) float64 { return sendBesideWebhook(b, recipients, true) },
			func(int) float64 { return sendBesideWebhook(b, recipients, false) })
	}
	b.Logf("hanging %.0f, none %.0f, ratios %.2f", r.ours, r.plain, r.ratios)
	r.report(b, "sends/s", "sends beside a webhook that hangs (PLAIN: beside none)", 0.9)
	noTime(b)
}

func sendBesideWebhook(b *testing.B, n int, hangs bool) float64 {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	h := newHandout(b, server)
	receipts := h.listen(b)
	defer receipts.stop()
	to, stopVendor := startVendor(b, vendorOptions{CallbackURL: receipts.url, Speed: 10_000})
	defer stopVendor()

	var asked atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else it goes unseen that the caller hung up
		asked.Add(1)
		<-r.Context().Done()
	}))
	defer app.Close()
	if hangs {
		e := webhook.New(app.URL, []string{outbox.EventCampaign, outbox.EventRecipients}, "", false, time.Now())
		if err := h.ledger.Outbox().Add(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	hooks, err := webhook.NewServer(webhook.Options{
		Redis: h.rdb, Private: true, Backlog: 10_000_000, Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		b.Fatal(err)
	}
	h.submit(b, people(n, ordinaryDigits, false))
	if err := hooks.Start(); err != nil {
		b.Fatal(err)
	}
	defer hooks.Stop()
	defer app.CloseClientConnections() // what hangs ends
	if hangs {
		await(b, func() bool { return asked.Load() > 0 })
	}
	w := h.work(b, to, 0)
	defer w.stop()
	await(b, func() bool {
		balance := h.balance(b)
		return balance.Of(campaign.Planned)+balance.Of(campaign.Claimed)+balance.Of(campaign.Retrying) == 0
	})
	rate := float64(n) / w.first.since().Seconds()
	waits, err := h.ledger.Outbox().Pending(b.Context(), []campaign.ID{campaignID})
	if err != nil || len(waits) > 0 != hangs {
		b.Fatalf("what waits for the webhook: %+v, %v", waits, err)
	}
	return rate
}
