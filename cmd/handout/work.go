package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/metrics"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/worker"
)

func (a *app) workCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "work",
		Short: "Send: take notes from the queue and speak to Telesign",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := a.load()
			if err != nil {
				return err
			}
			client, err := c.client()
			if err != nil {
				return err
			}
			rdb, registry, err := a.openMetered(ctx)
			if err != nil {
				return err
			}
			var running error
			defer func() { closeRedis(rdb, running) }()
			registry.MustRegister(metrics.NewLedger(metrics.Options{Redis: rdb, Rate: c.Rate, Logger: a.logger(c)}))
			w, err := newWorker(c, rdb, client, a.logger(c), registry)
			if err != nil {
				return err
			}
			hooks, err := webhook.NewServer(webhook.Options{
				Redis: rdb, Private: c.WebhookAllowPrivate, Backlog: c.WebhookBacklog, Logger: a.logger(c), Metrics: registry,
			})
			if err != nil {
				return err
			}
			s, err := listenOn(ctx, "HANDOUT_WORK_ADDR", c.WorkAddr, inside(rdb, registry, w.Ready))
			if err != nil {
				return err
			}
			if err := w.Start(ctx); err != nil {
				return err
			}
			if err := hooks.Start(); err != nil {
				running = w.Stop()
				return err
			}
			s.announce(a.stdout)
			err = s.wait(ctx)
			// The sends first, while the health page still answers; what is to be told
			// needn't wait for them.
			told := make(chan error)
			go func() { told <- hooks.Stop() }()
			running = w.Stop()
			if hooksRunning := <-told; running == nil {
				running = hooksRunning
			}
			return joinStop(errors.Join(err, running), s)
		},
	}
}

func newWorker(c *Config, rdb redis.UniversalClient, client *telesign.Client, log *slog.Logger, r prometheus.Registerer) (*worker.Worker, error) {
	return worker.New(worker.Options{
		Redis: rdb, Telesign: client, Rate: c.Rate, PollRate: c.PollRate, Poll: c.Poll,
		Concurrency: c.Concurrency, Window: c.Window, SendTimeout: c.SendTimeout,
		ReceiptMargin: c.ReceiptMargin, ReceiptDeadline: c.ReceiptDeadline,
		FilesRate: c.CheckFilesRate, FilesPrivate: c.CheckFilesPrivate,
		CallbackURL: c.CallbackURL, Logger: log, Metrics: r,
	})
}

// closeRedis closes Redis's client, unless servers of the queue are still running:
// they would panic, and the process ends anyway.
func closeRedis(rdb redis.UniversalClient, running error) {
	if running == nil {
		_ = rdb.Close()
	}
}

// openMetered is open for a server: with a registry that counts Redis's errors.
func (a *app) openMetered(ctx context.Context) (redis.UniversalClient, *prometheus.Registry, error) {
	rdb, err := a.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	registry := newRegistry()
	rdb.AddHook(metrics.NewRedisErrors(registry))
	return rdb, registry, nil
}

// inside serves health and metrics, for those who run handout.
func inside(rdb redis.UniversalClient, from prometheus.Gatherer, checks ...func(now time.Time) error) *http.ServeMux {
	mux := http.NewServeMux()
	health(mux, rdb, checks...)
	mux.Handle("GET /metrics", promhttp.HandlerFor(from, promhttp.HandlerOpts{}))
	return mux
}

func newRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// runServer serves handler until ctx is done, with work beside it.
func (a *app) runServer(ctx context.Context, variable, addr string, handler http.Handler) error {
	s, err := listenOn(ctx, variable, addr, handler)
	if err != nil {
		return err
	}
	s.announce(a.stdout)
	return joinStop(s.wait(ctx), s)
}
