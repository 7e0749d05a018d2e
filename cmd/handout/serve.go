package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
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

// url is where the server is reached from this machine.
func (s *server) url() string {
	addr, _ := s.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// announce prints the line that says that the server is ready.
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
// says that it reaches Redis and that checks find nothing wrong.
func health(mux *http.ServeMux, rdb redis.UniversalClient, checks ...func(now time.Time) error) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if rdb != nil {
			if err := redisx.Ping(ctx, rdb); err != nil {
				http.Error(w, "Redis can't be reached", http.StatusServiceUnavailable)
				return
			}
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

// joinStop stops a server whose wait has returned err.
func joinStop(err error, s *server) error { return errors.Join(err, s.stop()) }
