package search_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/worker"
)

const (
	// rate is the account's limit in messages per second.
	rate = 10
	// window is how many recipients of one campaign may stand in the queue.
	window      = 5
	sendTimeout = 10 * time.Second
	margin      = time.Minute
)

var ann = campaign.Actor{Name: "ann"}

// world is one walk's: the house between its Redis and its vendor, and what the
// walk knows of what it asked for.
type world struct {
	ctx   context.Context
	args  []uint64 // of the step: see pick
	began time.Time

	wire   *wire
	people *process // who steers: no fault hits them
	rdb    *redis.Client
	ledger *ledger.Ledger
	ops    *operations.Operations
	queues *asynq.Inspector
	tasks  *asynq.Client
	vendor *vendor
	hears  *callbacks.Listener
	deafen func() // stops the listener
	crew   []*crew
	ends   sync.WaitGroup // of everything that runs

	model
	saved *snapshot
	old   []oldTask // that have stood in the queue
	seen  map[string]bool
	ours  map[string]bool // IDs of tasks of another application
	poor  time.Time       // when the vendor last said that there is no money
	polls bool
	// restored is when Redis last was.
	restored time.Time

	mu    sync.Mutex
	story []string
	fault string // the first
}

// model is what the walk knows of campaigns and people. A restore brings an older
// one back.
type model struct {
	campaigns map[campaign.ID]*submitted
	// asked is how often people asked for another attempt, by phone.
	asked map[string]int
	// taken is how many messages to a phone don't count: of before a restore.
	taken map[string]int
	stops map[string]time.Time // numbers that are suppressed, since when
	keys  map[string]time.Time // of one-off sends: when first used
}

// submitted is a campaign as people know it.
type submitted struct {
	id       campaign.ID
	phones   []string // by position
	resends  bool     // on_doubt: resend
	hours    bool     // 09:00 to 20:00 UTC
	standing bool
	rate     float64   // its own limit; 0: none
	rated    time.Time // since when
	stopped  time.Time // since when nothing may be sent; zero: something may
	startAt  time.Time // until then
	purged   bool
	resumed  bool // in the calm at the end
}

func (m *model) clone() model {
	c := model{
		campaigns: map[campaign.ID]*submitted{}, asked: maps.Clone(m.asked), taken: maps.Clone(m.taken),
		stops: maps.Clone(m.stops), keys: maps.Clone(m.keys),
	}
	for id, s := range m.campaigns {
		other := *s
		other.phones = slices.Clone(s.phones)
		c.campaigns[id] = &other
	}
	return c
}

// crew is a worker's process.
type crew struct {
	name    string
	process *process
	worker  *worker.Worker
	stop    func() // as SIGTERM does; returns at once
	gone    bool   // killed, or asked to stop
}

// oldTask is a task as it once stood in the queue.
type oldTask struct {
	queue, kind string
	payload     []byte
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%-9s %s", time.Since(w.began).Round(time.Millisecond), fmt.Sprintf(format, args...)))
}

// wrong notes what must not be, and ends the walk after this step. The headline is
// the same each time that a fault is found, so that it differs from others.
func (w *world) wrong(headline, format string, args ...any) {
	if left, _ := leftOut(headline); left {
		return
	}
	w.say("WRONG: %s: %s", headline, fmt.Sprintf(format, args...))
	if w.fault == "" {
		w.fault = headline
	}
}

// newWorld opens a walk inside its bubble, on an empty Redis.
func newWorld(addr string, start time.Time) *world {
	time.Sleep(time.Until(start))
	w := &world{
		ctx: context.Background(), began: time.Now(), wire: newWire(addr), seen: map[string]bool{}, ours: map[string]bool{},
		model: model{
			campaigns: map[campaign.ID]*submitted{}, asked: map[string]int{}, taken: map[string]int{},
			stops: map[string]time.Time{}, keys: map[string]time.Time{},
		},
	}
	w.vendor = &vendor{log: w.say}
	w.people = newProcess(w.wire)
	w.people.sturdy = true
	w.rdb = w.people.client()
	w.must(w.rdb.FlushAll(w.ctx).Err())
	w.must(w.rdb.ScriptFlush(w.ctx).Err())
	w.ledger = ledger.New(w.rdb)
	w.ops = operations.New(w.rdb, operations.Options{AccountRate: rate})
	w.queues, w.tasks = asynq.NewInspectorFromRedisClient(w.rdb), asynq.NewClientFromRedisClient(w.rdb)
	return w
}

// must ends the walk by a fault of the search's own.
func (w *world) must(err error) {
	if err != nil {
		panic(fmt.Sprintf("search: %v", err))
	}
}

func (w *world) logger() *slog.Logger {
	var out io.Writer = io.Discard
	if *withLog {
		out = writer(func(p []byte) { w.say("    log: %s", strings.TrimSpace(string(p))) })
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type writer func(p []byte)

func (f writer) Write(p []byte) (int, error) { f(p); return len(p), nil }

// listen starts the listener.
func (w *world) listen() {
	verifier, err := telesign.NewVerifier(customerID, apiKey)
	w.must(err)
	w.hears, err = callbacks.New(callbacks.Options{
		Redis: w.rdb, Verifiers: callbacks.Verifiers{"default": {verifier}}, RequireSignature: true, ReceiptMargin: margin,
		Logger: w.logger(), Metrics: prometheus.NewRegistry(),
	})
	w.must(err)
	ctx, cancel := context.WithCancel(w.ctx)
	w.ends.Go(func() { w.hears.Run(ctx) })
	w.deafen = cancel
}

// work starts a worker.
func (w *world) work() {
	c := &crew{name: fmt.Sprintf("worker %d", len(w.crew)+1), process: newProcess(w.wire)}
	client, err := telesign.NewClient(telesign.Options{
		URL: vendorURL, CustomerID: customerID, APIKey: apiKey, Auth: telesign.AuthBasic, Timeout: sendTimeout,
		Transport: &road{w.vendor, c.process},
	})
	w.must(err)
	rdb := c.process.client()
	c.worker, err = worker.New(worker.Options{
		Redis: rdb, Account: worker.Account{Telesign: client, Rate: rate, PollRate: 1}, Poll: w.polls, Concurrency: 8, Window: window,
		SendTimeout: sendTimeout, ReceiptMargin: margin, Logger: w.logger(), Metrics: prometheus.NewRegistry(),
	})
	w.must(err)
	w.must(c.worker.Start(w.ctx))
	w.crew = append(w.crew, c)
	var once sync.Once
	stop := func() {
		once.Do(func() {
			c.gone = true
			w.ends.Go(func() { c.worker.Stop(); _ = rdb.Close() })
		})
	}
	c.stop = stop
	c.process.died = func(at string) {
		if at != "" {
			w.say("%s is killed %s", c.name, at)
		}
		stop()
	}
}

// working are the workers that run.
func (w *world) working() (all []*crew) {
	for _, c := range w.crew {
		if !c.gone {
			all = append(all, c)
		}
	}
	return all
}

// pass lets time pass: workers work, until all of them wait.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
	w.must(w.rdb.Eval(w.ctx, age, nil, d.Milliseconds()).Err())
}

// rest lets everything stop, time pass, and as many workers start again: what runs
// asks Redis many times a second.
func (w *world) rest(d time.Duration) {
	running := w.working()
	for _, c := range running {
		c.stop()
	}
	w.pass(sendTimeout + 30*time.Second)
	w.deafen()
	w.pass(d)
	w.listen()
	for range running {
		w.work()
	}
}

// close ends everything that runs in the bubble.
func (w *world) close() {
	_ = w.wire.thaw()
	for _, c := range w.crew {
		c.process.kill("")
	}
	w.deafen()
	w.ends.Wait()
	_ = w.tasks.Close()
	_ = w.queues.Close()
	_ = w.rdb.Close()
	time.Sleep(time.Minute) // go-redis's goroutines notice
}

// snapshot is all that stands in Redis, and what the walk knew then.
type snapshot struct {
	at     time.Time
	keys   map[string]string
	lives  map[string]time.Duration
	model  model
	posted int // messages that the vendor had taken
}

func (w *world) snapshot() *snapshot {
	s := &snapshot{at: time.Now(), keys: map[string]string{}, lives: map[string]time.Duration{}, model: w.clone(), posted: len(w.vendor.taken)}
	keys, err := w.rdb.Keys(w.ctx, "*").Result()
	w.must(err)
	for _, k := range keys {
		b, err := w.rdb.Dump(w.ctx, k).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		w.must(err)
		left, err := w.rdb.PTTL(w.ctx, k).Result()
		w.must(err)
		s.keys[k], s.lives[k] = b, max(0, left)
	}
	return s
}

// restore puts an older state into Redis, with all connections broken.
func (w *world) restore(s *snapshot) {
	w.must(w.rdb.FlushAll(w.ctx).Err())
	for k, v := range s.keys {
		w.must(w.rdb.Restore(w.ctx, k, s.lives[k], v).Err())
	}
	w.must(w.rdb.ScriptFlush(w.ctx).Err())
	w.wire.cut()
	w.model = s.model.clone()
	// Who was sent to since may be sent to again: Redis has forgotten it.
	for _, m := range w.vendor.taken[s.posted:] {
		w.taken[m.phone]++
	}
	w.restored = time.Now()
	clear(w.ours) // their tasks are those of the older state, too
	// What was said since, the vendor says again: it tries four times.
	for _, m := range w.vendor.taken {
		m.final = m.final && m.told.Before(s.at)
	}
}
