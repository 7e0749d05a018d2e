package schedule

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/tasks"
)

// Options are what a runner needs; all are required.
type Options struct {
	Redis      redis.UniversalClient
	MasterKeys *sealed.Ring // of the installation; nil: none
	Schedules  []*Schedule
	Lists      Lists
	Logger     *slog.Logger
	Metrics    prometheus.Registerer
	Audit      *audit.Log // nil: one in the same Redis, with the usual length and age
}

// Runner runs the ticks of schedules. Any number of processes may have one.
type Runner struct {
	schedules    []*Schedule
	byName       map[string]*Schedule
	lists        Lists
	store        *Store
	ledger       *ledger.Ledger
	suppressions *suppression.List
	producer     *producer.Client
	queue        *queue.Queue
	server       *asynq.Server
	metrics      *metrics
	log          *slog.Logger
	audit        *audit.Log

	name     string // of this process, for its leases
	leases   atomic.Int64
	stopping context.Context
	stop     context.CancelFunc
	scanning sync.WaitGroup
}

const (
	// scanEvery is how often the clock and the ticks are scanned.
	scanEvery = time.Second
	// concurrency is how many ticks one process runs at once.
	concurrency = 16
	// emptyLook is how long it is until the empty queue is looked at again.
	emptyLook = 200 * time.Millisecond
)

// New returns a runner that has yet to be started.
func New(o Options) (*Runner, error) {
	if o.Redis == nil || len(o.Schedules) == 0 || o.Logger == nil || o.Metrics == nil || o.Lists.MaxBytes <= 0 {
		return nil, errors.New("schedule: Redis, Schedules, Lists.MaxBytes, Logger and Metrics are required")
	}
	r := &Runner{
		schedules: o.Schedules, byName: map[string]*Schedule{}, lists: o.Lists, store: NewStore(o.Redis),
		ledger: ledger.New(o.Redis), suppressions: suppression.New(o.Redis), producer: producer.New(o.Redis), queue: queue.New(o.Redis),
		metrics: newMetrics(o.Metrics, o.Schedules), log: o.Logger, name: rand.Text(),
	}
	r.ledger.Seal(o.MasterKeys)
	r.producer.Seal(o.MasterKeys)
	if r.audit = o.Audit; r.audit == nil {
		r.audit = audit.New(o.Redis, audit.Options{})
	}
	for _, s := range o.Schedules {
		r.byName[s.Name] = s
	}
	r.stopping, r.stop = context.WithCancel(context.Background())
	looker := r.queue.Looker(tasks.QueueSchedule, queue.Looks{Shortest: emptyLook, Longest: emptyLook, Stopping: r.stopping.Done()})
	r.server = asynq.NewServerFromRedisClient(looker, asynq.Config{
		Concurrency: concurrency, Queues: map[string]int{r.queue.Name(tasks.QueueSchedule): 1},
		TaskCheckInterval: queue.LookInterval, ShutdownTimeout: 3*graceTime + recordTime,
		Logger: queue.Logger{Log: o.Logger}, LogLevel: asynq.WarnLevel,
	})
	return r, nil
}

// Start begins to run ticks and returns.
func (r *Runner) Start(ctx context.Context) error {
	if _, err := r.ledger.Now(ctx); err != nil {
		return err
	}
	mux := asynq.NewServeMux()
	mux.HandleFunc(tasks.TypeTick, r.handle)
	if err := r.server.Start(mux); err != nil {
		return fmt.Errorf("start the queue's server: %w", err)
	}
	r.scanning.Go(func() {
		for every := time.NewTicker(scanEvery); ; {
			r.scan(r.stopping)
			select {
			case <-r.stopping.Done():
				every.Stop()
				return
			case <-every.C:
			}
		}
	})
	return nil
}

// Stop interrupts running ticks, which another scheduler or the next start begins
// again, and returns when that is recorded. After stopTime it returns
// [queue.ErrStillRunning].
func (r *Runner) Stop() error {
	r.stop()
	return queue.StopWithin(stopTime, func() {
		r.scanning.Wait()
		r.server.Shutdown()
	})
}

// stopTime is over what running ticks get to end.
const stopTime = 40 * time.Second

// handle runs a tick. It returns nil also after a failure: the next scan writes the
// task again.
func (r *Runner) handle(ctx context.Context, task *asynq.Task) error {
	n, err := tasks.ParseTick(task.Payload())
	if err != nil {
		return tasks.Unread(err)
	}
	s := r.byName[n.Schedule]
	if s == nil {
		return nil // of another file; a scheduler with that file writes the task again
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.stopping, cancel)()
	_, err = r.perform(ctx, s, Period(n.Period), nil)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrBusy) && !errors.Is(err, errChanged) && !errors.Is(err, errLeaseLost) {
		r.log.Error("tick failed, and is tried again", "schedule", s.Name, "period", n.Period, "error", err)
	}
	return nil
}

// scan reads the clock and tends all ticks, once.
func (r *Runner) scan(ctx context.Context) {
	now, err := r.ledger.Now(ctx)
	for _, s := range r.schedules {
		if err == nil {
			err = r.judge(ctx, s, now)
		}
		if err == nil {
			err = r.tend(ctx, s, now)
		}
		if err != nil && ctx.Err() == nil {
			r.log.Error("scan a schedule", "schedule", s.Name, "error", err)
		}
		err = nil
	}
}

// judge records the ticks that have come up. It moves the time up to which it did so
// last: if the process dies before, the next scan records the rest.
func (r *Runner) judge(ctx context.Context, s *Schedule, now time.Time) error {
	seen, err := r.store.seen(ctx, s.Name)
	if err != nil {
		return err
	}
	if seen.IsZero() {
		return r.store.See(ctx, s.Name, now) // a new schedule: earlier ticks don't count
	}
	due := s.Clock.between(seen, now)
	if len(due) == 0 {
		return nil
	}
	if over := len(due) - maxTicks; over > 0 {
		r.log.Warn("ticks missed, too many to keep", "schedule", s.Name, "ticks", over)
		r.metrics.ticks.WithLabelValues(s.Name, string(Missed)).Add(float64(over))
		due = due[over:]
	}
	ticks, err := r.store.Ticks(ctx, s.Name)
	if err != nil {
		return err
	}
	waiting := 0
	for _, t := range ticks {
		if t.State == Waiting {
			waiting++
		}
	}
	for _, at := range due {
		t := &Tick{Period: PeriodOf(at), Attempt: 1, At: now.UTC()}
		if t.State, t.Reason = birth(at, now, time.Duration(s.CatchUp), waiting); t.State == Waiting {
			t.Note, t.Reason = t.Reason, "" // a note stays, a reason is overwritten
		}
		if err := r.put(ctx, s, t); err != nil && !errors.Is(err, errChanged) {
			return err
		}
		if t.State == Waiting {
			waiting++
		}
	}
	return r.store.See(ctx, s.Name, due[len(due)-1])
}

// tend takes all ticks that aren't over one step on.
func (r *Runner) tend(ctx context.Context, s *Schedule, now time.Time) error {
	ticks, err := r.store.Ticks(ctx, s.Name)
	if err != nil {
		return err
	}
	states := map[Period]State{}
	for _, t := range ticks {
		states[t.Period] = t.State
	}
	for _, t := range ticks {
		switch {
		case t.State == Waiting:
			err = r.wake(ctx, s, t, states, now)
		case t.State == Running && t.Campaign != "":
			err = r.settle(ctx, s, t)
		case t.State == Running:
			err = r.takeOver(ctx, s, t)
		}
		if err != nil && !errors.Is(err, errChanged) {
			return err
		}
		states[t.Period] = t.State
	}
	r.metrics.next(s, now)
	return nil
}

// wake writes the task of a waiting tick, unless that waits for another tick. Each
// scan writes it again, since it may have got lost; one that is there stays.
func (r *Runner) wake(ctx context.Context, s *Schedule, t *Tick, states map[Period]State, now time.Time) error {
	if move, before := decide(t.Period, states, s.Overlap); move == moveWait {
		reason := "waits for " + s.Key(before)
		if t.Reason == reason {
			return nil
		}
		t.Reason = reason
		return r.store.put(ctx, s.Name, t, 0)
	}
	if now.Sub(t.At) < backoff(t.Attempt) {
		return nil
	}
	if now.Sub(t.At) > late { // it may have been archived
		if _, err := r.queue.Free(ctx, tasks.QueueSchedule, []string{tasks.TickID(s.Name, string(t.Period), t.Attempt)}, time.Now()); err != nil {
			return err
		}
	}
	task, err := tasks.NewTick(s.Name, string(t.Period), t.Attempt)
	if err != nil {
		return err
	}
	return r.queue.Enqueue(ctx, tasks.QueueSchedule, task)
}

// backoff returns how long a tick waits before this attempt.
func backoff(attempt int) time.Duration {
	if attempt <= 2 {
		return 0
	}
	return time.Second << min(attempt, 8)
}

// takeOver begins a tick again whose scheduler has died.
func (r *Runner) takeOver(ctx context.Context, s *Schedule, t *Tick) error {
	leased, err := r.store.leased(ctx, s.Name, t.Period)
	if err != nil || leased {
		return err
	}
	// The tick was read before the lease: a scheduler that ended in between has
	// changed it, and put returns errChanged.
	t.Owner, t.At = "", time.Now().UTC()
	if t.Attempt >= maxAttempts {
		t.State, t.Kind, t.Reason = Refused, refusedSource, fmt.Sprintf("begun %d times, and each time its scheduler died", t.Attempt)
		return r.put(ctx, s, t)
	}
	t.Attempt++
	t.State, t.Reason = Waiting, "its scheduler died"
	if err := r.put(ctx, s, t); err != nil {
		return err
	}
	r.log.Warn("tick taken over", "schedule", s.Name, "period", t.Period, "attempt", t.Attempt)
	return nil
}

// settle ends a tick whose campaign is done.
func (r *Runner) settle(ctx context.Context, s *Schedule, t *Tick) error {
	info, err := r.ledger.Info(ctx, t.Campaign)
	if errors.Is(err, ledger.ErrNotFound) {
		t.State, t.Note, t.At = Done, "the campaign is gone", time.Now().UTC()
		return r.put(ctx, s, t)
	}
	if err != nil || info.Phase != campaign.Done {
		return err
	}
	balance, err := r.ledger.Balance(ctx, t.Campaign)
	if err != nil {
		return err
	}
	t.State, t.Canceled, t.At, t.Outcome = Done, info.Canceled, info.FinishedAt.UTC(), map[string]int{}
	for _, state := range campaign.States() {
		if n := balance.Of(state); n > 0 {
			t.Outcome[state.String()] = n
		}
	}
	var old []string
	for attempt := 1; attempt < t.Attempt; attempt++ {
		old = append(old, tasks.TickID(s.Name, string(t.Period), attempt))
	}
	// Tasks of schedulers that died: asynq has archived them.
	if _, err := r.queue.Free(ctx, tasks.QueueSchedule, old, time.Now()); err != nil {
		return err
	}
	return r.put(ctx, s, t)
}

// put writes a tick, and logs and counts it if this process was the one to write it.
func (r *Runner) put(ctx context.Context, s *Schedule, t *Tick) error {
	sent := 0
	if t.State == Running && t.Campaign != "" && len(s.Export) == 0 || t.State == Done && s.suppresses() {
		sent = t.Total
	}
	if err := r.store.put(ctx, s.Name, t, sent); err != nil {
		return err
	}
	about := []any{"schedule", s.Name, "period", t.Period}
	switch t.State {
	case Missed, Skipped:
		r.log.Warn("tick "+string(t.State), append(about, "reason", t.Reason)...)
	case Refused:
		r.log.Error("tick refused, nothing was sent", append(about, "kind", t.Kind, "reason", t.Reason)...)
		r.metrics.refused.WithLabelValues(s.Name, t.Kind).Inc()
	case Running:
		r.log.Info("tick's campaign is open", append(about, "campaign", t.Campaign, "recipients", t.Total, "note", t.Note)...)
	case Done:
		r.log.Info("tick done", append(about, "campaign", t.Campaign, "note", t.Note)...)
	}
	if t.State.final() {
		r.metrics.ticks.WithLabelValues(s.Name, string(t.State)).Inc()
	}
	return nil
}
