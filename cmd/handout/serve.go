package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/config"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/metrics"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/internal/recount"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/usage"
	"github.com/handout-dev/handout/internal/version"
	"github.com/handout-dev/handout/internal/webhook"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/worker"
)

// stopTime is how long a server waits for answers under way when it stops: over
// the 4 s that recording a receipt may take.
const stopTime = 6 * time.Second

// server is an HTTP server that is listening already.
type server struct {
	listener net.Listener
	http     *http.Server
	failed   chan error
}

// listenOn opens addr, which variable has named, and serves handler on it. Port 0
// picks a free port.
func listenOn(ctx context.Context, variable, addr string, handler http.Handler) (*server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", variable, err)
	}
	s := &server{
		listener: listener,
		http: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    32 << 10,
		},
		failed: make(chan error, 1),
	}
	go func() { s.failed <- s.http.Serve(listener) }()
	return s, nil
}

func (s *server) url() string {
	addr, _ := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

func (s *server) announce(w io.Writer) { fmt.Fprintf(w, "listening on %s\n", s.url()) }

// stop lets answers under way end.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if served := <-s.failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// wait returns when ctx is done, nil, or when the server has failed.
func (s *server) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		s.failed <- err
		return err
	}
}

// health adds /healthz, which says that the process lives, and /readyz, which
// says that Redis takes writes and that checks find nothing wrong.
func (m *mode) health(mux *http.ServeMux, checks ...func(now time.Time) error) {
	ready := redisx.NewReadiness(m.rdb, m.queue)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var refused *redisx.RefusedError
		switch err := ready.Check(); {
		case errors.As(err, new(*installation.ReplacedError)), errors.As(err, new(*installation.FormatError)), errors.As(err, new(*installation.AccountError)):
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		case errors.As(err, &refused):
			http.Error(w, "Redis refuses writes: "+refused.Word, http.StatusServiceUnavailable)
			return
		case err != nil:
			http.Error(w, "Redis can't be reached", http.StatusServiceUnavailable)
			return
		}
		for _, check := range checks {
			if err := check(time.Now()); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = io.WriteString(w, "ready\n")
	})
}

func (a *app) simulateCommand() *cobra.Command {
	var account string
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Be the vendor: a strict double of Telesign to rehearse against",
		Long: "Be the vendor: a strict double of Telesign to rehearse against, without paying\n" +
			"and without reaching anybody. The last two digits of a phone number choose what\n" +
			"happens to its message; telesign/simulator/README.md has the table.\n" +
			"It takes the credentials in TELESIGN_CUSTOMER_ID and TELESIGN_API_KEY; any will do.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.load()
			if err == nil {
				err = c.credentials()
			}
			if err != nil {
				return err
			}
			own, err := c.account(account)
			if err != nil {
				return err
			}
			s, err := newSimulator(c, own, a.logger(c))
			if err != nil {
				return err
			}
			defer s.Close()
			handler, closeFiles, err := withFiles(c, s)
			if err != nil {
				return err
			}
			return a.runServer(cmd.Context(), "HANDOUT_SIMULATE_ADDR", c.SimulateAddr, handler, nothing, closeFiles)
		},
	}
	cmd.Flags().StringVar(&account, "account", campaign.DefaultAccount, "for which of HANDOUT_ACCOUNTS; each has a simulator of its own")
	return cmd
}

func withFiles(c *Config, vendor http.Handler) (http.Handler, func() error, error) {
	if c.SimulateFiles == "" {
		return vendor, nothing, nil
	}
	files, err := store.OpenFolder(c.SimulateFiles, "")
	if err != nil {
		return nil, nil, fmt.Errorf("HANDOUT_SIMULATE_FILES: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle(store.FolderPath, files)
	mux.Handle("/", vendor)
	return mux, files.Close, nil
}

// newSimulator plays the vendor for one account.
func newSimulator(c *Config, a *accounts.Account, log *slog.Logger) (*simulator.Simulator, error) {
	rate := c.SimulateRate
	if rate == 0 {
		rate = int(math.Ceil(a.Rate))
	}
	s, err := simulator.New(simulator.Options{
		CustomerID: a.CustomerID, APIKey: a.APIKey.Reveal(), Rate: rate,
		CallbackURL: c.SimulateCallbackURL, Speed: c.SimulateSpeed, Polling: c.SimulatePolling, FetchFiles: c.SimulateFetch, Logger: log,
	})
	if err != nil {
		return nil, usage.Wrap(err)
	}
	return s, nil
}

func (a *app) listenCommand() *cobra.Command {
	return a.serverCommand("listen", "Take receipts: the endpoint that Telesign calls back", (*Config).credentials, func(ctx context.Context, m *mode) error {
		l, err := newListener(m)
		if err != nil {
			return err
		}
		// The public that calls the first address needn't see what the second serves.
		apart, err := m.apart(ctx, "HANDOUT_LISTEN_METRICS_ADDR", m.ListenMetricsAddr)
		if err != nil {
			return err
		}
		mux := http.NewServeMux()
		m.health(mux)
		mux.Handle(callbacks.Path, l)
		replaying, cancel := context.WithCancel(ctx)
		defer cancel()
		var replay sync.WaitGroup
		start := func() error {
			replay.Go(func() { l.Run(replaying) })
			m.log.Info("metrics on " + apart.url())
			return nil
		}
		err = a.runServer(ctx, "HANDOUT_LISTEN_ADDR", m.ListenAddr, mux, start, nothing)
		cancel()
		replay.Wait()
		return errors.Join(err, apart.stop())
	})
}

func newListener(m *mode) (*callbacks.Listener, error) {
	all, err := m.accounts()
	if err != nil {
		return nil, err
	}
	verifiers := make(callbacks.Verifiers, len(all))
	for i := range all {
		if verifiers[all[i].Name], err = all[i].Verifiers(); err != nil {
			return nil, usage.Wrap(err)
		}
	}
	return callbacks.New(callbacks.Options{
		Redis: m.rdb, MasterKeys: m.MasterKeys(), Verifiers: verifiers, RequireSignature: m.RequireSignature,
		ReceiptMargin: m.ReceiptMargin, ReceiptDeadline: m.ReceiptDeadline, Replicas: m.RedisReplicas,
		Logger: m.log, Metrics: m.registry,
	})
}

// mode is what a server of ours runs on.
type mode struct {
	*Config
	rdb      redis.UniversalClient
	registry *prometheus.Registry
	log      *slog.Logger
	queue    string // whose tasks it takes; empty: none
}

// takesFrom is the queue whose tasks a server takes, by its command.
var takesFrom = map[string]string{"work": "bulk", "schedule": "schedule"}

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
				tracing.Register(registry)
				return serve(cmd.Context(), &mode{c, rdb, registry, a.logger(c), takesFrom[use]})
			})
		},
	}
}

// ledgerMetrics adds what stands in Redis to a mode's metrics.
func (m *mode) ledgerMetrics() error {
	q, err := m.reader(m.rdb)
	if err == nil {
		m.registry.MustRegister(metrics.NewLedger(m.rdb, q, m.log))
	}
	return err
}

// inside serves health and metrics, for those who run handout.
func (m *mode) inside(checks ...func(now time.Time) error) *http.ServeMux {
	mux := http.NewServeMux()
	m.health(mux, checks...)
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}

// apart serves health and metrics on an address of their own, which variable names.
func (m *mode) apart(ctx context.Context, variable, addr string) (*server, error) {
	s, err := listenOn(ctx, variable, addr, m.inside())
	if errors.Is(err, syscall.EADDRINUSE) && addr == config.DefaultOf(variable) {
		// The address is only a default: what the server is for matters more.
		m.log.Warn("the address of the metrics is taken by another; taking any", "error", err)
		s, err = listenOn(ctx, variable, "127.0.0.1:0", m.inside())
	}
	return s, err
}

// runServer serves handler until ctx is done. start and stop are for what works beside
// it; stop is called while the health page still answers.
func (a *app) runServer(ctx context.Context, variable, addr string, handler http.Handler, start, stop func() error) error {
	s, err := listenOn(ctx, variable, addr, handler)
	if err != nil {
		return err
	}
	return a.serve(ctx, s, start, stop)
}

func (a *app) serve(ctx context.Context, s *server, start, stop func() error) error {
	if err := start(); err != nil {
		return errors.Join(err, s.stop())
	}
	a.logger(a.config).Info("ready", "version", version.String())
	s.announce(a.stdout)
	err := s.wait(ctx)
	return errors.Join(err, stop(), s.stop())
}

func (a *app) workCommand() *cobra.Command {
	return a.serverCommand("work", "Send: take tasks from the queue and speak to Telesign", (*Config).credentials, func(ctx context.Context, m *mode) error {
		if err := m.ledgerMetrics(); err != nil {
			return err
		}
		w, err := newWorker(m)
		if err != nil {
			return err
		}
		hooks, err := webhook.NewServer(webhook.Options{
			Redis: m.rdb, MasterKeys: m.MasterKeys(), Private: m.WebhookAllowPrivate, Route: m.Route(), Backlog: m.WebhookBacklog, Logger: m.log, Metrics: m.registry,
		})
		if err != nil {
			return err
		}
		defer recount.Start(ctx, recount.Options{Redis: m.rdb, MasterKeys: m.MasterKeys(), Logger: m.log, Metrics: m.registry})()
		start := func() error {
			m.sayDestination()
			if err := w.Start(ctx); err != nil {
				return err
			}
			err := hooks.Start()
			if err != nil {
				err = errors.Join(err, w.Stop())
			}
			return err
		}
		stop := func() error { // webhooks needn't wait for the sends
			told := make(chan error)
			go func() { told <- hooks.Stop() }()
			return errors.Join(w.Stop(), <-told)
		}
		return a.runServer(ctx, "HANDOUT_WORK_ADDR", m.WorkAddr, m.inside(w.Ready), start, stop)
	})
}

func newWorker(m *mode) (*worker.Worker, error) {
	all, err := m.accounts()
	if err != nil {
		return nil, err
	}
	speaks := make([]worker.Account, len(all)) // the default first
	for i, a := range all {
		client, err := m.Client(&a)
		if err != nil {
			return nil, usage.Wrap(err)
		}
		speaks[i] = worker.Account{Name: a.Name, Telesign: client, Rate: a.Rate, PollRate: a.PollRate, CallbackURL: a.CallbackURL, SenderID: a.SenderID}
	}
	return worker.New(worker.Options{
		Redis: m.rdb, MasterKeys: m.MasterKeys(), Account: speaks[0], Others: speaks[1:], Poll: m.Poll,
		Concurrency: m.Concurrency, Window: m.Window, SendTimeout: m.SendTimeout,
		ReceiptMargin: m.ReceiptMargin, ReceiptDeadline: m.ReceiptDeadline,
		FilesRate: m.CheckFilesRate, FilesPrivate: m.CheckFilesPrivate, Route: m.Route(),
		Replicas: m.RedisReplicas, Logger: m.log, Metrics: m.registry,
	})
}

func nothing() error { return nil }
