package bench_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

// BenchmarkMemoryOfAWholeCampaign watches Redis from submit to done: the list,
// records, counts, references, what is due, and the window in the queue. Both
// figures are Redis's own (used_memory less that of the empty server). The
// requirement is for a plain url column, like the vendor's sample; 32 random
// digits of a signature in each address can't be compressed below 16 bytes, and
// stand in the table beside it.
func BenchmarkMemoryOfAWholeCampaign(b *testing.B) {
	const (
		recipients  = 100_000
		requirement = 150
	)
	for b.Loop() {
		ours := lifeOfOurs(b, campaignFile, people(recipients, ordinaryDigits, false), recipients)
		signed := listOfOurs(b, people(recipients, ordinaryDigits, true), recipients)
		// Pages are written once and never change, so that all that a signature
		// takes is there after the submit.
		more := signed - ours.list
		plain := lifeOfPlain(b, people(recipients, ordinaryDigits, false), recipients)
		plainSigned := lifeOfPlain(b, people(recipients/10, ordinaryDigits, true), recipients/10)
		b.Logf("handout: list %.1f B, highest %.1f B at %s, finished %.1f B; a signature takes %.1f B more; done in %s",
			ours.list, ours.highest, ours.at, ours.finished, more, ours.took.Round(100*time.Millisecond))

		b.ReportMetric(ours.highest, "B/recipient")
		b.ReportMetric(ours.finished, "B/finished")
		b.ReportMetric(ours.highest+more, "B/recipient-signed-url")
		b.ReportMetric(plain.highest, "plain-B/recipient")
		b.ReportMetric(plain.finished, "plain-B/finished")
		b.ReportMetric(ours.highest/plain.highest, "ratio")
		add := func(what string, ours, plain float64, requirement string, met verdict) {
			table = append(table, line{what, fmt.Sprintf("%.0f B", ours), fmt.Sprintf("%.0f B", plain), ratio(ours, plain), requirement, met})
		}
		add("Redis memory per recipient, highest, plain url column", ours.highest, plain.highest,
			fmt.Sprintf("≤ %d B", requirement), met(ours.highest <= requirement))
		add("  the same, finished", ours.finished, plain.finished, "", noRequirement)
		add("  highest, each url with a signature of 32 hex digits", ours.highest+more, plainSigned.highest, "", noRequirement)
		add("  the same, finished", ours.finished+more, plainSigned.finished, "", noRequirement)
	}
	noTime(b)
}

// fourChannels is a cascade of which every channel fails for a number that ends in 70.
var fourChannels = strings.Replace(campaignFile, "channels:\n", `channels:
  - channel: rcs
    fallback_time: 10m
    template: text
    parameters: {text: "Ready for download at {{.url}}."}
  - channel: viber
    fallback_time: 10m
    template: text
    parameters: {text: "Ready for download at {{.url}}."}
`, 1) + "max_failure_rate: 1\n"

// BenchmarkMemoryOfFourChannels is the same for people whose records have as many legs
// as most cascades ever will: each fails for everyone, so that no record stays short.
func BenchmarkMemoryOfFourChannels(b *testing.B) {
	const (
		recipients  = 100_000
		requirement = 130
	)
	failing := func(yield func(person) bool) {
		for p := range people(recipients, 1, false) {
			p.phone = p.phone[:len(p.phone)-2] + "70"
			if !yield(p) {
				return
			}
		}
	}
	for b.Loop() {
		ours := lifeOfOurs(b, fourChannels, failing, recipients, stretch)
		ours.highest = max(ours.highest, ours.finished)
		b.Logf("list %.1f B, highest %.1f B at %s, finished %.1f B; done in %s", ours.list, ours.highest, ours.at, ours.finished, ours.took.Round(100*time.Millisecond))
		b.ReportMetric(ours.highest, "B/recipient")
		b.ReportMetric(ours.finished, "B/finished")
		table = append(table, line{"  highest, four channels, each of which fails", fmt.Sprintf("%.0f B", ours.highest), "", "",
			fmt.Sprintf("≤ %d B", requirement), met(ours.highest <= requirement)})
	}
	noTime(b)
}

// stretch gives records the times of a real cascade, each channel a quarter of an hour
// after the one before: the simulator's minutes take milliseconds, whose times are shorter.
func stretch(b *testing.B, h *handout) {
	b.Helper()
	keys := h.rdb.Scan(b.Context(), 0, "*:rec:*", 10_000).Iterator()
	for keys.Next(b.Context()) {
		stored, err := h.rdb.HGetAll(b.Context(), keys.Val()).Result()
		if err != nil {
			b.Fatal(err)
		}
		for index, raw := range stored {
			r, err := campaign.DecodeRecord([]byte(raw))
			if err != nil {
				b.Fatal(err)
			}
			for i := range r.Legs {
				r.Legs[i].At = r.ClaimedAt.Add(time.Duration(i+1) * 15 * time.Minute)
			}
			r.SettledAt = r.ClaimedAt.Add(time.Hour)
			stored[index] = string(r.Encode())
		}
		if err := h.rdb.HSet(b.Context(), keys.Val(), stored).Err(); err != nil {
			b.Fatal(err)
		}
	}
	if err := keys.Err(); err != nil {
		b.Fatal(err)
	}
}

// life is a campaign's memory in bytes per recipient.
type life struct {
	list, highest, finished float64
	at                      string // where it was highest
	took                    time.Duration
}

func listOfOurs(b *testing.B, of iter.Seq[person], n int) float64 {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	h := newHandout(b, server)
	empty := server.UsedMemory()
	h.submit(b, of)
	return float64(server.UsedMemory()-empty) / float64(n)
}

func lifeOfOurs(b *testing.B, file string, of iter.Seq[person], n int, done ...func(*testing.B, *handout)) (l life) {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	h := newHandout(b, server)
	receipts := h.listen(b)
	to, stopVendor := startVendor(b, vendorOptions{CallbackURL: receipts.url, Speed: 10_000})
	defer stopVendor()

	empty := server.UsedMemory()
	watch := watchMemory(b, server, func() string {
		balance, err := h.ledger.Balance(b.Context(), campaignID)
		if err != nil {
			return "the start"
		}
		return fmt.Sprintf("%d planned, %d accepted", balance.Of(campaign.Planned), balance.Of(campaign.Accepted))
	})
	start := time.Now()
	h.submitFile(b, file, of)
	l.list = float64(server.UsedMemory()-empty) / float64(n)
	stop := profile(b, "life")
	w := h.work(b, to, 0, func(o *worker.Options) { o.ReceiptDeadline = 30 * time.Second })
	await(b, func() bool {
		phase, _, _, err := h.ledger.Phase(b.Context(), campaignID)
		return err == nil && phase == campaign.Done
	})
	stop()
	l.took = time.Since(start)
	w.stop()
	receipts.stop()
	highest, at := watch()
	for _, f := range done {
		f(b, h)
	}
	l.highest, l.at = float64(highest-empty)/float64(n), at
	l.finished = float64(server.UsedMemory()-empty) / float64(n)
	balance := h.balance(b)
	b.Logf("states %v, by channel %v", balance.States, balance.By)
	return l
}

// watchMemory looks at Redis's memory ten times a second, until the function
// that it returns is called, and then says where it was highest.
func watchMemory(b *testing.B, server *redistest.Server, where func() string) (stop func() (highest int64, at string)) {
	b.Helper()
	var highest int64
	var at string
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			var used int64
			text, err := server.Client().Info(b.Context(), "memory").Result()
			if err == nil {
				_, _ = fmt.Sscanf(text, "# Memory\r\nused_memory:%d", &used)
			}
			if used > highest {
				highest, at = used, where()
			}
			select {
			case <-tick.C:
			case <-done:
				tick.Stop()
				return
			}
		}
	})
	return func() (int64, string) {
		close(done)
		watching.Wait()
		return highest, at
	}
}

// listening is a listener for receipts behind a real server.
type listening struct {
	url  string
	stop func()
}

func (h *handout) listen(b *testing.B) *listening {
	b.Helper()
	verifier, err := telesign.NewVerifier(customerID, apiKey)
	if err != nil {
		b.Fatal(err)
	}
	l, err := callbacks.New(callbacks.Options{
		Redis: h.rdb, Verifiers: callbacks.Verifiers{"default": {verifier}}, RequireSignature: true, ReceiptMargin: time.Minute,
		Logger: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	var replay sync.WaitGroup
	replay.Go(func() { l.Run(ctx) })
	mux := http.NewServeMux()
	mux.Handle(callbacks.Path, l)
	url, stop := serve(b, mux)
	return &listening{url + callbacks.Path, func() {
		stop()
		cancel()
		replay.Wait()
	}}
}

// serve serves a handler over HTTP.
func serve(b *testing.B, handler http.Handler) (url string, stop func()) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close()
		serving.Wait()
	}
}

// lifeOfPlain is highest when everyone stands in the queue: what a send leaves
// behind is smaller than its task.
func lifeOfPlain(b *testing.B, of iter.Seq[person], n int) (l life) {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	p := newPlain(b, server)
	empty := server.UsedMemory()
	p.enqueue(b, of)
	l.highest = float64(server.UsedMemory()-empty) / float64(n)
	// What the handlers write, without sending.
	if err := server.Client().FlushAll(b.Context()).Err(); err != nil {
		b.Fatal(err)
	}
	empty = server.UsedMemory()
	p.finish(b, of)
	l.finished = float64(server.UsedMemory()-empty) / float64(n)
	return l
}

// finish writes for everyone what a send and its receipt leave behind.
func (p *plain) finish(b *testing.B, of iter.Seq[person]) {
	b.Helper()
	pipe, n := p.rdb.Pipeline(), uint64(0)
	flush := func() {
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	for who := range of {
		task := newPlainTask(who)
		_ = p.recordSend(b.Context(), pipe, &task, referenceOf(n))
		receipt := plainReceipt{}
		receipt.Status.Code = 3000
		_ = p.recordReceipt(b.Context(), pipe, who.recipient, &receipt)
		if n++; pipe.Len() >= 1000 {
			flush()
		}
	}
	flush()
}

// referenceOf is the n-th reference of a vendor.
func referenceOf(n uint64) string {
	const upper = "0123456789ABCDEF"
	b := make([]byte, 0, 32)
	for _, x := range [...]uint64{scatter(n), scatter(scatter(n))} {
		for shift := 60; shift >= 0; shift -= 4 {
			b = append(b, upper[x>>shift&0xf])
		}
	}
	return string(b)
}
