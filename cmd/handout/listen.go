package main

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/telesign"
)

func (a *app) listenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "listen",
		Short: "Take receipts: the endpoint that Telesign calls back",
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			c, err := a.load()
			if err != nil {
				return err
			}
			if err := c.credentials(); err != nil {
				return err
			}
			rdb, err := a.open(ctx)
			if err != nil {
				return err
			}
			defer rdb.Close()
			registry := newRegistry()
			l, err := newListener(c, rdb, a.logger(c), registry)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var replay sync.WaitGroup
			replay.Go(func() { l.Run(ctx) })
			mux := http.NewServeMux()
			health(mux, rdb)
			mux.Handle(callbacks.Path, l)
			mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
			err = a.runServer(ctx, "HANDOUT_LISTEN_ADDR", c.ListenAddr, mux)
			cancel()
			replay.Wait()
			return err
		},
	}
}

func newListener(c *Config, rdb redis.UniversalClient, log *slog.Logger, r prometheus.Registerer) (*callbacks.Listener, error) {
	verifier, err := telesign.NewVerifier(c.TelesignCustomerID, string(c.TelesignAPIKey))
	if err != nil {
		return nil, usageError{err}
	}
	return callbacks.New(callbacks.Options{
		Redis: rdb, Verifier: verifier, RequireSignature: c.RequireSignature,
		ReceiptMargin: c.ReceiptMargin, ReceiptDeadline: c.ReceiptDeadline, Logger: log, Metrics: r,
	})
}
