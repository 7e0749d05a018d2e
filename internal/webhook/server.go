package webhook

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

// concurrency is how many deliveries are under way in one process. Each endpoint
// has one at most, so that no slow one is in another's way.
const concurrency = outbox.MaxEndpoints

// Options are what a server needs; all are required.
type Options struct {
	Redis   redis.UniversalClient
	Private bool // may speak to private addresses, and without TLS
	// Backlog is how many outcomes and changes may wait for one endpoint, about,
	// over all campaigns.
	Backlog int
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Server tells endpoints what there is to tell. Make one with NewServer, then
// Start it and Stop it, once each.
type Server struct {
	ledger     *ledger.Ledger
	outbox     *outbox.Store
	queue      *queue.Queue
	client     *Client
	backlog    int
	log        *slog.Logger
	deliveries *prometheus.CounterVec

	asynq *asynq.Server
	token string // for its leases
	sight sight
	swept sync.WaitGroup

	mu   sync.Mutex
	busy map[string]bool // endpoints with a delivery under way

	stopping context.Context
	stop     context.CancelFunc
}

// NewServer is a server that isn't running yet.
func NewServer(o Options) (*Server, error) {
	if o.Redis == nil || o.Backlog <= 0 || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("webhook: Redis, Backlog, Logger and Metrics are required")
	}
	l := ledger.New(o.Redis)
	s := &Server{
		ledger: l, outbox: l.Outbox(), queue: queue.New(o.Redis), client: NewClient(o.Private),
		backlog: o.Backlog, log: o.Logger, token: rand.Text(), busy: make(map[string]bool),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_webhook_deliveries_total", Help: "Deliveries to webhooks by what came of them.",
		}, []string{"result"}),
	}
	for _, r := range results { // an increase is seen from 0 on
		s.deliveries.WithLabelValues(r)
	}
	o.Metrics.MustRegister(s.deliveries)
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.asynq = asynq.NewServerFromRedisClient(o.Redis, asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{tasks.QueueWebhooks: 1},
		TaskCheckInterval:        200 * time.Millisecond,
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          postTime + recordTime + 5*time.Second,
		Logger:                   queue.Logger{Log: o.Logger},
		LogLevel:                 asynq.WarnLevel,
	})
	return s, nil
}

// Start begins to tell and returns.
func (s *Server) Start() error {
	mux := asynq.NewServeMux()
	mux.HandleFunc(tasks.TypeDeliver, s.deliver)
	if err := s.asynq.Start(mux); err != nil {
		return fmt.Errorf("start the webhooks' server: %w", err)
	}
	s.swept.Go(s.sweep)
	return nil
}

// Stop begins no delivery any more, and returns when those under way have ended
// and are recorded: after some twenty seconds at the latest.
func (s *Server) Stop() {
	s.stop()
	s.swept.Wait()
	s.asynq.Shutdown()
	s.client.Close()
}
