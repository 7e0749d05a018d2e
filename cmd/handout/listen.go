package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
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
			rdb, registry, err := a.openMetered(ctx)
			if err != nil {
				return err
			}
			defer rdb.Close()
			l, err := newListener(c, rdb, a.logger(c), registry)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var replay sync.WaitGroup
			replay.Go(func() { l.Run(ctx) })
			err = a.serveListener(ctx, c, rdb, l, registry)
			cancel()
			replay.Wait()
			return err
		},
	}
}

// serveListener serves receipts on one address, and on another what the public
// that calls the first needn't see, until ctx is done.
func (a *app) serveListener(ctx context.Context, c *Config, rdb redis.UniversalClient, l http.Handler, r prometheus.Gatherer) error {
	mux := http.NewServeMux()
	health(mux, rdb)
	mux.Handle(callbacks.Path, l)
	apart, err := listenOn(ctx, "HANDOUT_LISTEN_METRICS_ADDR", c.ListenMetricsAddr, inside(rdb, r))
	if errors.Is(err, syscall.EADDRINUSE) && c.ListenMetricsAddr == defaultOf("HANDOUT_LISTEN_METRICS_ADDR") {
		// The address is only a default: receipts matter more.
		a.logger(c).Warn("the address of the metrics is taken by another; taking any", "error", err)
		apart, err = listenOn(ctx, "HANDOUT_LISTEN_METRICS_ADDR", "127.0.0.1:0", inside(rdb, r))
	}
	if err != nil {
		return err
	}
	s, err := listenOn(ctx, "HANDOUT_LISTEN_ADDR", c.ListenAddr, mux)
	if err != nil {
		return errors.Join(err, apart.stop())
	}
	a.logger(c).Info("metrics on " + apart.url())
	s.announce(a.stdout)
	return errors.Join(joinStop(s.wait(ctx), s), apart.stop())
}

func newListener(c *Config, rdb redis.UniversalClient, log *slog.Logger, r prometheus.Registerer) (*callbacks.Listener, error) {
	verifier, err := telesign.NewVerifier(c.TelesignCustomerID, c.TelesignAPIKey.Reveal())
	if err != nil {
		return nil, usageError{err}
	}
	return callbacks.New(callbacks.Options{
		Redis: rdb, Verifier: verifier, RequireSignature: c.RequireSignature,
		ReceiptMargin: c.ReceiptMargin, ReceiptDeadline: c.ReceiptDeadline, Logger: log, Metrics: r,
	})
}
