package simulator

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/handout-dev/handout/telesign"
)

// callbackSenders is how many callbacks are under way at once.
const callbackSenders = 32

// maxRead is how much of a body is read at all: enough to verify the signature
// of one that is somewhat too large, so that the answer is 413 and not 401.
const maxRead = 1 << 20

// Simulator is one simulated account of the vendor. It is an [http.Handler].
type Simulator struct {
	o           Options
	log         *slog.Logger
	guard       guard
	refs        references
	journal     journal
	tally       *tally
	plans       sync.Map      // planKey → *plan
	replies     atomic.Uint64 // messages of recipients to us
	agenda      *agenda
	templates   templates
	callbackURL atomic.Pointer[string]
	mux         *http.ServeMux
	client      *http.Client
	fetcher     *http.Client

	start    time.Time
	stopping context.Context // done by Close
	stop     context.CancelFunc
}

// New makes a simulator. Close stops its callbacks.
func New(o Options) (*Simulator, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	key, err := telesign.DecodeKey(o.APIKey)
	if err != nil {
		return nil, err
	}
	s := &Simulator{
		o:       o,
		log:     o.Logger,
		guard:   guard{customerID: o.CustomerID, apiKey: o.APIKey, key: key},
		refs:    references{o.Seed},
		tally:   newTally(o.Seed),
		journal: journal{cascades: map[string]*cascade{}},
		agenda:  newAgenda(),
		start:   time.Now(),

		fetcher: newFetcher(),
		client: &http.Client{
			Transport: &http.Transport{
				MaxIdleConns:        callbackSenders,
				MaxIdleConnsPerHost: callbackSenders,
				IdleConnTimeout:     time.Minute,
			},
			// A redirect isn't 200, and only 200 is success.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.mux = s.routes()
	s.SetCallbackURL(o.CallbackURL)
	s.SetTemplates(o.Templates)
	return s, nil
}

// SetCallbackURL says where receipts go from now on; "" means nowhere, which
// counts as a failed attempt.
func (s *Simulator) SetCallbackURL(url string) { s.callbackURL.Store(&url) }

// Close stops everything and returns when it has stopped: callbacks that are
// due, under way or waiting are dropped, held answers are let go. Requests that
// come later get 503.
func (s *Simulator) Close() {
	s.stop()
	s.agenda.close()
	s.client.CloseIdleConnections()
	s.fetcher.CloseIdleConnections()
}

// Idle waits until no callback is pending: every one that the accepted messages
// will ever have was answered with 200 or given up.
func (s *Simulator) Idle(ctx context.Context) error {
	return s.agenda.idle(ctx)
}

// ServeHTTP serves the vendor's operations, and what the vendor doesn't
// have: health and inspection.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Simulator) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/omnichannel", s.send)
	mux.HandleFunc("GET /v1/omnichannel/{reference}", s.status)
	mux.HandleFunc("GET /v1/omnichannel/templates", s.listTemplates)
	mux.HandleFunc("GET /v1/omnichannel/templates/{channel}/{name}", s.getTemplate)
	mux.HandleFunc("GET /capability/{channel}/{number}", s.capability)
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.health)
	mux.HandleFunc("GET /simulator/log", s.serveLog)
	mux.HandleFunc("GET /simulator/stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Stats()) })
	mux.HandleFunc("POST /simulator/inbound", s.serveInbound)
	mux.HandleFunc("PUT /simulator/templates", s.serveSetTemplates)
	mux.HandleFunc("POST /simulator/templates", s.serveChangeTemplate)
	return mux
}

func (s *Simulator) health(w http.ResponseWriter, _ *http.Request) {
	if s.stopping.Err() != nil {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// scaled turns simulated time into real time.
func (s *Simulator) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / s.o.Speed)
}

// simulated turns real time into simulated time.
func (s *Simulator) simulated(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.o.Speed)
}

// writeJSON answers as the vendor does, with the headers of its samples.
func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // structs of strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Allow", "GET,POST,HEAD")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that has gone is its own loss
}
