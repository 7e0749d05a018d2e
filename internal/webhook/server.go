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

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

// concurrency is how many deliveries are under way in one process: one for each
// endpoint, so a slow one delays no other.
const concurrency = outbox.MaxEndpoints

// emptyLook is how long it is until the empty queue is looked at again. Scans of this
// process write most tasks, and are seen at once.
const emptyLook = 200 * time.Millisecond

// Options are what a server needs; all but MasterKeys, Private and Route are required.
type Options struct {
	Redis      redis.UniversalClient
	MasterKeys *sealed.Ring // of the installation; nil: none
	Private    bool         // allows private addresses, and http
	Route      *outbound.Route
	// Backlog is about how many outcomes and changes may be pending for one
	// endpoint, over all campaigns.
	Backlog int
	Logger  *slog.Logger
	Metrics prometheus.Registerer
}

// Server makes the deliveries. Make one with NewServer, then Start it and Stop it,
// once each.
type Server struct {
	ledger     *ledger.Ledger
	outbox     *outbox.Store
	queue      *queue.Queue
	client     *Client
	backlog    int
	log        *slog.Logger
	deliveries *prometheus.CounterVec

	asynq   *asynq.Server
	token   string // for its leases
	scanned scanned
	scans   sync.WaitGroup

	mu   sync.Mutex
	busy map[string]bool // endpoints with a delivery under way

	stopping context.Context
	stop     context.CancelFunc
}

// NewServer returns a server that has yet to be started.
func NewServer(o Options) (*Server, error) {
	if o.Redis == nil || o.Backlog <= 0 || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("webhook: Redis, Backlog, Logger and Metrics are required")
	}
	l := ledger.New(o.Redis)
	l.Seal(o.MasterKeys)
	s := &Server{
		ledger: l, outbox: l.Outbox(), queue: queue.New(o.Redis), client: NewClient(o.Private, o.Route),
		backlog: o.Backlog, log: o.Logger, token: rand.Text(), busy: make(map[string]bool),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_webhook_deliveries_total", Help: "Deliveries to webhooks, by result.",
		}, []string{"result"}),
	}
	for _, r := range results { // from 0 on, for increase()
		s.deliveries.WithLabelValues(r)
	}
	o.Metrics.MustRegister(s.deliveries)
	s.stopping, s.stop = context.WithCancel(context.Background())
	looker := s.queue.Looker(tasks.QueueWebhooks, queue.Looks{Shortest: emptyLook, Longest: emptyLook, Stopping: s.stopping.Done()})
	s.asynq = asynq.NewServerFromRedisClient(looker, asynq.Config{
		Concurrency:              concurrency,
		Queues:                   map[string]int{s.queue.Name(tasks.QueueWebhooks): 1},
		TaskCheckInterval:        queue.LookInterval,
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          postTime + recordTime + 5*time.Second,
		Logger:                   queue.Logger{Log: o.Logger},
		LogLevel:                 asynq.WarnLevel,
	})
	return s, nil
}

// Start begins to deliver and returns.
func (s *Server) Start() error {
	mux := asynq.NewServeMux()
	mux.HandleFunc(tasks.TypeDeliver, s.handle)
	if err := s.asynq.Start(mux); err != nil {
		return fmt.Errorf("start the server of webhooks: %w", err)
	}
	s.scans.Go(s.scanLoop)
	return nil
}

// Stop begins no more deliveries, and returns when those under way have ended and are
// recorded. After stopTime it returns [queue.ErrStillRunning].
func (s *Server) Stop() error {
	s.stop()
	err := queue.StopWithin(stopTime, func() {
		s.scans.Wait()
		s.asynq.Shutdown()
	})
	s.client.Close()
	return err
}

// stopTime is over what asynq gives the deliveries under way.
const stopTime = postTime + recordTime + 10*time.Second
