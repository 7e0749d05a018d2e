package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/internal/access"
	"github.com/handout-dev/handout/internal/api"
	"github.com/handout-dev/handout/internal/console"
	"github.com/handout-dev/handout/internal/metrics"
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
			rdb, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer rdb.Close()
			registry := newRegistry()
			rdb.AddHook(metrics.NewRedisErrors(registry))
			registry.MustRegister(metrics.NewLedger(metrics.Options{Redis: rdb, Rate: c.Rate, Logger: a.logger(c)}))
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

// sharedClient gives asynqmon the client that we have already.
type sharedClient struct{ rdb redis.UniversalClient }

func (s sharedClient) MakeRedisClient() any { return s.rdb }

var _ asynq.RedisConnOpt = sharedClient{}

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
	mux.Handle("/queues/", keyed(gate, queuesPage(rdb)))
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

// keyed lets in who has a key that may read.
func keyed(gate *access.Gate, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, err := gate.Browser(r)
		switch {
		case errors.Is(err, access.ErrRefused):
			w.Header().Set("WWW-Authenticate", `Basic realm="handout: a key as the password", charset="UTF-8"`)
			refuse(w, http.StatusUnauthorized, "a key is needed: as the password of any user, or as Authorization: Bearer; handout key create makes one")
		case err != nil:
			refuse(w, http.StatusServiceUnavailable, "Redis can't be reached")
		case !key.May(access.Read):
			refuse(w, http.StatusForbidden, "the key has not the scope read")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// refuse answers with a problem, as the API does.
func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}

// queuesPage serves asynqmon, which only shows.
func queuesPage(rdb redis.UniversalClient) http.Handler {
	mux := http.NewServeMux()
	queues := asynqmon.New(asynqmon.Options{RootPath: "/queues", RedisConnOpt: sharedClient{rdb}, ReadOnly: true})
	mux.Handle("GET /queues/", queues) // and nothing but GET, whatever asynqmon thinks of it
	// Never closed: closing asynqmon would close the client that we share with it.
	return mux
}
