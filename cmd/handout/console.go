package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/metrics"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/internal/web/console"
	"github.com/handout-dev/handout/internal/web/queues"
)

func (a *app) consoleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "console",
		Short: "Serve the API for other apps at /api/v1, and the operators' pages",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err != nil {
				return err
			}
			rdb, registry, err := a.openMetered(cmd.Context())
			if err != nil {
				return err
			}
			defer rdb.Close()
			registry.MustRegister(metrics.NewLedger(rdb, c.Rate, a.logger(c)))
			handler, stop, err := newConsole(c, rdb, a.logger(c), registry)
			if err != nil {
				return err
			}
			// The streams first: the server waits for them when it stops.
			defer context.AfterFunc(cmd.Context(), stop)()
			return a.runServer(cmd.Context(), "HANDOUT_CONSOLE_ADDR", c.ConsoleAddr, handler)
		},
	}
}

// newConsole serves the API, and the pages. stop ends the streams of both; it
// comes before the server's own.
func newConsole(c *Config, rdb redis.UniversalClient, log *slog.Logger, registry *prometheus.Registry) (_ http.Handler, stop func(), _ error) {
	gate := &access.Gate{Keys: access.NewKeys(rdb), Open: c.ConsoleOpen}
	rest, err := api.New(api.Options{Redis: rdb, Gate: gate, Logger: log, Region: c.Region, AccountRate: c.Rate})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	health(mux, rdb)
	mux.Handle(api.Prefix+"/", rest)
	if registry != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	}
	pages, err := console.New(console.Options{
		Redis: rdb, Gate: gate, Logger: log, Region: c.Region, AccountRate: c.Rate, PlainHTTP: c.ConsolePlainHTTP,
	})
	if err != nil {
		return nil, nil, err
	}
	tasks, err := queues.New(queues.Options{Redis: rdb, Root: "/queues", Key: gate.Browser, Logger: log, Write: c.QueuesWrite})
	if err != nil {
		return nil, nil, err
	}
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
