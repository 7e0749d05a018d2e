package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/time/rate"

	"github.com/handout-dev/handout/internal/recount"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

// senderVariable tells a process of this binary to be a sender.
const senderVariable = "HANDOUT_BENCH_SENDER"

// senderOptions are what a sender's process needs.
type senderOptions struct {
	Plain  bool // the plain way: asynq with a limiter of its own
	Redis  string
	Vendor string
	Rate   float64 // of the account; of the plain way's process
}

// BenchmarkWindows holds what the vendor saw against the account's limit: the
// most requests in any window of one second, and how much of the rate was used.
// The vendor refuses what is over the limit. The plain way is a limiter in each
// process, for its part of the rate.
func BenchmarkWindows(b *testing.B) {
	for b.Loop() {
		windows(b, 4, 10, 60*time.Second)
		windows(b, 4, 500, 30*time.Second)
		windows(b, 1, 1000, 30*time.Second)
	}
	noTime(b)
}

// leastUse is how much of the rate must be used.
const leastUse = 0.97

func windows(b *testing.B, processes, limit int, long time.Duration) {
	b.Helper()
	ours, plain := watchSenders(b, false, processes, limit, long), watchSenders(b, true, processes, limit, long)
	what := fmt.Sprintf("%d processes at %d/s for %s", processes, limit, long)
	if processes == 1 {
		what = fmt.Sprintf("1 process at %d/s for %s", limit, long)
	}
	b.Logf("%s: handout %s; plain %s", what, ours, plain)
	row := func(what, ours, plain, ratio, requirement string, met verdict) {
		table = append(table, line{what, ours, plain, ratio, requirement, met})
	}
	row(what+": used", percent(ours.used), percent(plain.used), ratio(ours.used, plain.used),
		"≥ "+percent(leastUse), met(ours.used >= leastUse))
	row("  most in a second", fmt.Sprint(ours.most), fmt.Sprint(plain.most), ratio(float64(ours.most), float64(plain.most)),
		fmt.Sprintf("≤ %d", limit), met(ours.most <= limit))
	row("  refused with 429", fmt.Sprint(ours.refused), fmt.Sprint(plain.refused), "", "0", met(ours.refused == 0))
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

// sight is what the vendor saw.
type sight struct {
	used    float64 // of the rate
	most    int     // requests in a second
	refused int
	gaps    []time.Duration // the longest between two messages
}

// String is the sight in a line.
func (s sight) String() string {
	return fmt.Sprintf("%s used, at most %d in a second, %d refused, longest gaps %v", percent(s.used), s.most, s.refused, s.gaps)
}

// watchSenders has processes send for so long.
func watchSenders(b *testing.B, plain bool, processes, limit int, long time.Duration) sight {
	b.Helper()
	const (
		warm = 3 * time.Second
		rest = 1.2 // more people than can be sent to in the time
	)
	n := int(rest * float64(limit) * (long + 2*warm).Seconds())
	server := redistest.Start(b)
	defer server.Kill()
	to, stop := startVendor(b, vendorOptions{Rate: limit})
	defer stop()
	o := senderOptions{Plain: plain, Redis: server.URL(), Vendor: to.url, Rate: float64(limit)}
	if plain {
		o.Rate /= float64(processes)
		newPlain(b, server).enqueue(b, people(n, acceptedDigits, false))
	} else {
		newHandout(b, server).submit(b, people(n, acceptedDigits, false))
	}
	var stops []func()
	for range processes {
		_, _, stop := startChild(b, senderVariable, o)
		stops = append(stops, stop)
	}
	time.Sleep(warm)
	from := time.Now()
	time.Sleep(long)
	until := time.Now()
	for _, stop := range stops {
		stop()
	}
	return see(b, to, limit, from, until)
}

// see reads the vendor's log.
func see(b *testing.B, to *vendor, limit int, from, until time.Time) sight {
	b.Helper()
	var s sight
	n := 0
	var last time.Time
	for l := range strings.Lines(fetch(b, to.url+"/simulator/log")) {
		var m simulator.Accepted
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			b.Fatal(err)
		}
		if m.At.Before(from) || m.At.After(until) {
			continue
		}
		if n++; !last.IsZero() {
			s.gaps = append(s.gaps, m.At.Sub(last).Round(100*time.Microsecond))
		}
		last = m.At
	}
	slices.Sort(s.gaps)
	slices.Reverse(s.gaps)
	s.gaps = s.gaps[:min(3, len(s.gaps))]
	counts := stats(b, to)
	s.used = float64(n) / (float64(limit) * until.Sub(from).Seconds())
	s.most, s.refused = counts.MaxPerSecond, counts.ByAnswer["429/3204"]
	return s
}

func fetch(b *testing.B, url string) string {
	b.Helper()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatal(resp.Status, err)
	}
	return string(text)
}

// beSender sends until standard input ends.
func beSender(options string) error {
	var o senderOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	rdb, err := redisx.Open(o.Redis, redisx.DefaultPrefix)
	if err != nil {
		return err
	}
	start := sendOursFrom
	if o.Plain {
		start = sendPlainFrom
	}
	stop, err := start(rdb, o)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
	return rdb.Close()
}

func sendOursFrom(rdb redis.UniversalClient, o senderOptions) (stop func(), err error) {
	client, err := telesign.NewClient(telesign.Options{
		URL: o.Vendor, CustomerID: customerID, APIKey: apiKey, Auth: telesign.AuthBasic, Timeout: 15 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	log, registry := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})), prometheus.NewRegistry()
	w, err := worker.New(worker.Options{
		Redis: rdb, Account: worker.Account{Telesign: client, Rate: o.Rate, PollRate: 5},
		Concurrency: concurrency, Window: window, SendTimeout: 15 * time.Second, ReceiptMargin: time.Minute,
		Logger: log, Metrics: registry,
	})
	if err != nil {
		return nil, err
	}
	recounted := recount.Start(context.Background(), recount.Options{Redis: rdb, Logger: log, Metrics: registry}) // as handout work does
	return func() { _ = w.Stop(); recounted() }, w.Start(context.Background())
}

func sendPlainFrom(rdb redis.UniversalClient, o senderOptions) (stop func(), err error) {
	single, ok := rdb.(*redis.Client)
	if !ok {
		return nil, errors.New("the plain way wants one Redis")
	}
	limiter := rate.NewLimiter(rate.Limit(o.Rate), 1)
	p := &plain{rdb: single, client: &http.Client{Timeout: 15 * time.Second}, url: o.Vendor + "/v1/omnichannel"}
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{Concurrency: concurrency, LogLevel: asynq.FatalLevel})
	mux := asynq.NewServeMux()
	mux.HandleFunc(plainType, func(ctx context.Context, t *asynq.Task) error {
		if err := limiter.Wait(ctx); err != nil {
			return err
		}
		return p.handle(ctx, t)
	})
	return server.Shutdown, server.Start(mux)
}
