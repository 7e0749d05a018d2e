package worker

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

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/filecheck"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

// MaxWindow bounds [Options.Window]: what one feed hands to the queue at once.
const MaxWindow = 10_000

// Options are what a worker needs; all but those with a default are required.
type Options struct {
	Redis      redis.UniversalClient
	MasterKeys *sealed.Ring // of the installation; nil: none
	// Account is the default one, and Others are those beside it.
	Account
	Others []Account
	// Poll is whether to ask Telesign for outcomes whose receipt didn't come.
	Poll bool
	// Concurrency is the number of sends of the bulk lane in flight at most; urgent
	// ones have some places more.
	Concurrency int
	// Window is how many recipients of one campaign stand in the queue at most.
	Window int
	// SendTimeout is that of a request to Telesign.
	SendTimeout time.Duration
	// ReceiptMargin is how long after the last fallback a receipt may take.
	ReceiptMargin time.Duration
	// ReceiptDeadline, if not 0, stands for the fallback times and the margin
	// together, for rehearsals against a fast simulator.
	ReceiptDeadline time.Duration
	Logger          *slog.Logger
	Metrics         prometheus.Registerer
	// FilesRate is how many files are looked at per second, of campaigns with
	// check_files; FilesPrivate allows private addresses there.
	FilesRate    float64
	FilesPrivate bool
	Route        *outbound.Route // to files; nil: straight

	// Replicas is how many replicas of Redis must have a claim before it is sent.
	Replicas int
}

// Worker sends. Make one with New, then Start it and Stop it, once each.
type Worker struct {
	rdb          redis.UniversalClient
	ledger       *ledger.Ledger
	suppressions *suppression.List
	queue        *queue.Queue
	accounts     map[string]*account // by name
	planner      *planner
	cache        *cache
	clock        clock
	rollback     rollbackDetector
	metrics      *metrics
	log          *slog.Logger

	filesPace *pacing.Pacer
	files     *filecheck.Checker

	name          string // of this process, for its lease
	window        int
	sendTimeout   time.Duration
	receiptMargin time.Duration
	receiptIn     time.Duration // if not 0: see Options.ReceiptDeadline

	swept sync.WaitGroup
	look  chan struct{} // the rates have changed
	// stopping is done when the worker is to stop: every wait ends, and what has
	// been claimed is sent and recorded.
	stopping context.Context
	stop     context.CancelFunc
}

// New is a worker that isn't running yet.
func New(o Options) (*Worker, error) {
	if o.Redis == nil || o.Account.Telesign == nil || o.Logger == nil || o.Metrics == nil {
		return nil, errors.New("worker: Redis, Telesign, Logger and Metrics are required")
	}
	if o.Account.Rate < 0 || o.Concurrency < 1 || o.Window < 1 || o.Window > MaxWindow || o.SendTimeout <= 0 {
		return nil, fmt.Errorf("worker: rate %v, concurrency %d, window %d or send time-out %v is out of range",
			o.Account.Rate, o.Concurrency, o.Window, o.SendTimeout)
	}
	l := ledger.New(o.Redis)
	l.Seal(o.MasterKeys)
	w := &Worker{
		rdb: o.Redis, ledger: l, suppressions: suppression.New(o.Redis), queue: queue.New(o.Redis), planner: newPlanner(),
		metrics: newMetrics(o.Metrics), log: o.Logger, name: rand.Text(), accounts: make(map[string]*account),
		window: o.Window, sendTimeout: o.SendTimeout, receiptMargin: o.ReceiptMargin, receiptIn: o.ReceiptDeadline,
	}
	w.filesPace, w.files = pacing.New(o.Redis, pacing.KeyFiles(o.Redis), o.FilesRate), filecheck.New(o.FilesPrivate, o.Route)
	w.look = make(chan struct{}, 1)
	w.stopping, w.stop = context.WithCancel(context.Background())
	w.ledger.RequireReplicas(o.Replicas)
	w.cache = &cache{
		load: w.loadSubject, loadPage: w.ledger.Recipients,
		subjects: make(map[campaign.ID]*entry[*subject]), pages: make(map[pageKey]*entry[[]campaign.Recipient]),
	}
	for _, own := range append([]Account{o.Account}, o.Others...) {
		a, err := w.newAccount(&o, own)
		if err != nil {
			return nil, err
		}
		w.accounts[a.name] = a
	}
	return w, nil
}

func (w *Worker) loadSubject(ctx context.Context, id campaign.ID) (*subject, error) {
	info, err := w.ledger.Info(ctx, id)
	if err != nil {
		return nil, err
	}
	if info.Phase == campaign.Draft {
		return nil, fmt.Errorf("campaign %s is a draft: %w", id, ledger.ErrNotFound)
	}
	s := &subject{Info: info, account: w.accounts[info.Spec.AccountName()]}
	if s.cascade, err = campaign.NewCascade(info.Spec, info.Columns); err != nil {
		return nil, fmt.Errorf("campaign %s: %w", id, err)
	}
	if s.zones, err = w.loadZones(ctx, info); err != nil {
		return nil, err
	}
	return s, nil
}

// Start begins to work and returns.
func (w *Worker) Start(ctx context.Context) error {
	if err := w.rollback.watch(ctx, w.rdb); err != nil {
		return err
	}
	if err := w.clock.sync(ctx, w.rdb); err != nil {
		return err
	}
	if err := w.readRates(ctx); err != nil {
		return err
	}
	var started []*asynq.Server
	for _, a := range w.accounts {
		mux := asynq.NewServeMux()
		mux.HandleFunc(tasks.TypeSend, func(ctx context.Context, t *asynq.Task) error { return w.send(ctx, a, t) })
		mux.HandleFunc(tasks.TypePoll, func(ctx context.Context, t *asynq.Task) error { return w.poll(ctx, a, t) })
		for _, s := range a.servers() {
			if err := s.Start(mux); err != nil {
				for _, s := range started {
					s.Shutdown()
				}
				return fmt.Errorf("start the queue's servers: %w", err)
			}
			started = append(started, s)
		}
	}
	w.swept.Go(func() { w.sweep(w.stopping) })
	w.swept.Go(func() { w.plan(w.stopping) })
	w.swept.Go(func() { w.followRates(w.stopping) })
	w.swept.Go(func() { w.retain(w.stopping) })
	return nil
}

// How often an empty queue is looked at, unless this worker has put tasks there: each
// look is a call to Redis.
const (
	emptyLook   = 200 * time.Millisecond
	drainedLook = 2 * time.Millisecond // at first: at high rates the next tasks come soon
	pollLook    = time.Second
)

// sendForward is how often tasks that were given back are looked for.
const sendForward = time.Second

// retryDelay is when asynq runs a task again whose handler returned an error.
func retryDelay(n int, err error, _ *asynq.Task) time.Duration {
	if errors.Is(err, errStopping) {
		return 0
	}
	return backoff(n)
}

// maxChangeWait is how long a change of a record may wait before the worker isn't
// ready: a call to Redis takes 10 s at most, and many changes share one.
const maxChangeWait = 30 * time.Second

// Ready returns what keeps the worker from its work, if anything does.
func (w *Worker) Ready(now time.Time) error {
	recipient, since, ok := w.ledger.Oldest()
	if waited := now.Sub(since); ok && waited >= maxChangeWait {
		return fmt.Errorf("a change of %s has waited for Redis for %v", recipient, waited.Round(time.Second))
	}
	return nil
}

// ErrStillRunning is what the Stop of a worker, and of other servers of the queue,
// returns when it gave up: Redis's client has to stay open then.
var ErrStillRunning = queue.ErrStillRunning

// Stop takes no more tasks, lets what is under way end and be recorded, and returns
// then. After the time-out of a send, recordPatience and three seconds it returns
// [ErrStillRunning]: what has been claimed by then and isn't recorded will be
// found in doubt, and Redis's client has to stay open.
func (w *Worker) Stop() error {
	w.stop()
	err := queue.StopWithin(w.sendTimeout+recordPatience+3*time.Second, func() {
		w.swept.Wait()
		var stopped sync.WaitGroup
		for _, a := range w.accounts {
			for _, s := range a.servers() {
				stopped.Go(s.Shutdown)
			}
		}
		stopped.Wait()
	})
	w.files.Close()
	return err
}
