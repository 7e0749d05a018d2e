package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/metrics"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/internal/web/console"
	"github.com/handout-dev/handout/internal/web/queues"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/worker"
)

// mode is what a server of ours runs on.
type mode struct {
	*Config
	rdb      redis.UniversalClient
	registry *prometheus.Registry
	log      *slog.Logger
}

// serverCommand is a command that serves until it is interrupted. check, which may be
// nil, comes before Redis is opened.
func (a *app) serverCommand(use, short string, check func(*Config) error, serve func(context.Context, *mode) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err == nil && check != nil {
				err = check(c)
			}
			if err != nil {
				return err
			}
			return a.withRedis(cmd.Context(), func(rdb redis.UniversalClient) error {
				registry := prometheus.NewRegistry()
				registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
				rdb.AddHook(metrics.NewRedisErrors(registry))
				return serve(cmd.Context(), &mode{c, rdb, registry, a.logger(c)})
			})
		},
	}
}

// ledgerMetrics adds what stands in Redis to a mode's metrics.
func (m *mode) ledgerMetrics() { m.registry.MustRegister(metrics.NewLedger(m.rdb, m.Rate, m.log)) }

// inside serves health and metrics, for those who run handout.
func (m *mode) inside() *http.ServeMux {
	mux := http.NewServeMux()
	health(mux, m.rdb)
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

// runServer serves handler until ctx is done. start and stop are for what works beside
// it; stop is called while the health page still answers.
func (a *app) runServer(ctx context.Context, variable, addr string, handler http.Handler, start func() error, stop func()) error {
	s, err := listenOn(ctx, variable, addr, handler)
	if err != nil {
		return err
	}
	if err := start(); err != nil {
		return errors.Join(err, s.stop())
	}
	s.announce(a.stdout)
	err = s.wait(ctx)
	stop()
	return errors.Join(err, s.stop())
}

func (a *app) workCommand() *cobra.Command {
	return a.serverCommand("work", "Send: take tasks from the queue and speak to Telesign", (*Config).credentials, func(ctx context.Context, m *mode) error {
		m.ledgerMetrics()
		w, err := newWorker(m)
		if err != nil {
			return err
		}
		hooks, err := webhook.NewServer(webhook.Options{
			Redis: m.rdb, Private: m.WebhookAllowPrivate, Backlog: m.WebhookBacklog, Logger: m.log, Metrics: m.registry,
		})
		if err != nil {
			return err
		}
		start := func() error {
			if err := w.Start(ctx); err != nil {
				return err
			}
			err := hooks.Start()
			if err != nil {
				w.Stop()
			}
			return err
		}
		stop := func() { // webhooks needn't wait for the sends
			var hooksStopped sync.WaitGroup
			hooksStopped.Go(hooks.Stop)
			w.Stop()
			hooksStopped.Wait()
		}
		return a.runServer(ctx, "HANDOUT_WORK_ADDR", m.WorkAddr, m.inside(), start, stop)
	})
}

func newWorker(m *mode) (*worker.Worker, error) {
	client, err := m.client()
	if err != nil {
		return nil, err
	}
	return worker.New(worker.Options{
		Redis: m.rdb, Telesign: client, Rate: m.Rate, PollRate: m.PollRate, Poll: m.Poll,
		Concurrency: m.Concurrency, Window: m.Window, SendTimeout: m.SendTimeout,
		ReceiptMargin: m.ReceiptMargin, ReceiptDeadline: m.ReceiptDeadline,
		FilesRate: m.CheckFilesRate, FilesPrivate: m.CheckFilesPrivate,
		CallbackURL: m.CallbackURL, Logger: m.log, Metrics: m.registry,
	})
}

func (a *app) consoleCommand() *cobra.Command {
	return a.serverCommand("console", "Serve the API for other apps at /api/v1, and the operators' pages", nil, func(ctx context.Context, m *mode) error {
		m.ledgerMetrics()
		handler, stop, err := newConsole(m)
		if err != nil {
			return err
		}
		return a.runServer(ctx, "HANDOUT_CONSOLE_ADDR", m.ConsoleAddr, handler, nothing, stop)
	})
}

func nothing() error { return nil }

// newConsole serves the API, and the pages. stop ends the streams of both; it
// comes before the server's own, which waits for them.
func newConsole(m *mode) (_ http.Handler, stop func(), _ error) {
	gate := &access.Gate{Keys: access.NewKeys(m.rdb), Open: m.ConsoleOpen}
	rest, err := api.New(api.Options{Redis: m.rdb, Gate: gate, Logger: m.log, Region: m.Region, AccountRate: m.Rate})
	if err != nil {
		return nil, nil, err
	}
	pages, err := console.New(console.Options{
		Redis: m.rdb, Gate: gate, Logger: m.log, Region: m.Region, AccountRate: m.Rate, PlainHTTP: m.ConsolePlainHTTP,
	})
	if err != nil {
		return nil, nil, err
	}
	tasks, err := queues.New(queues.Options{Redis: m.rdb, Root: "/queues", Key: gate.Browser, Logger: m.log, Write: m.QueuesWrite})
	if err != nil {
		return nil, nil, err
	}
	mux := m.inside()
	mux.Handle(api.Prefix+"/", rest)
	mux.Handle("/queues/", tasks)
	mux.Handle("/", pages)
	stop = func() {
		pages.Close()
		rest.Close()
	}
	return timely(mux), stop, nil
}

// pageTime bounds a page's answer; the API moves it for its streams.
const pageTime = 30 * time.Second

// timely gives each answer a deadline of its own. A server's WriteTimeout can't
// be moved for streams, and what a stream has set stays with the connection.
func timely(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pageTime)) // every connection of ours has one
		next.ServeHTTP(w, r)
	})
}
