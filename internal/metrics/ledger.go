// Package metrics shows Prometheus what stands in Redis: the campaigns, the
// queues and the memory; and counts the calls to Redis that fail.
//
// What is said of the whole ledger is read when Prometheus asks, within two
// seconds, and not oftener than every five. When it can't be read, all that is
// said is handout_ledger_up 0: an old number would look like news. Campaigns
// are named, people never.
package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/tasks"
)

const (
	// readTime is how long reading the ledger may take.
	readTime = 2 * time.Second
	// keepTime is how long what was read is news.
	keepTime = 5 * time.Second
)

// Ledger is a prometheus.Collector of what stands in Redis.
type Ledger struct {
	rdb     redis.UniversalClient
	queues  *asynq.Inspector
	reports *report.Reader
	log     *slog.Logger
	mu      sync.Mutex
	reading *reading // the latest, under way or done
}

type reading struct {
	done    chan struct{}
	at      time.Time // when it was done
	metrics []prometheus.Metric
	err     error
}

// NewLedger returns the metrics of the ledger in rdb, by a reader of it.
func NewLedger(rdb redis.UniversalClient, reports *report.Reader, log *slog.Logger) *Ledger {
	return &Ledger{rdb: rdb, reports: reports, queues: asynq.NewInspectorFromRedisClient(rdb), log: log}
}

// Describe names all metrics.
func (l *Ledger) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		ch <- d
	}
}

// Collect gives out what was read within the last seconds, and reads anew where
// nothing was.
func (l *Ledger) Collect(ch chan<- prometheus.Metric) {
	r := l.look()
	timer := time.NewTimer(readTime)
	defer timer.Stop()
	select {
	case <-r.done:
		if r.err == nil {
			ch <- gauge(descUp, 1)
			for _, m := range r.metrics {
				ch <- m
			}
			return
		}
	case <-timer.C: // it may come for the next who asks
	}
	ch <- gauge(descUp, 0)
}

// look is the reading that is under way or still news, else a new one: however
// many ask, and however long Redis takes, there is one at a time.
func (l *Ledger) look() *reading {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.reading; r != nil {
		select {
		case <-r.done:
			if r.err == nil && time.Since(r.at) < keepTime {
				return r
			}
		default:
			return r
		}
	}
	r := &reading{done: make(chan struct{})}
	l.reading = r
	go func() {
		defer close(r.done)
		ctx, cancel := context.WithTimeout(context.Background(), readTime)
		defer cancel()
		r.metrics, r.err = l.read(ctx)
		r.at = time.Now()
		if r.err != nil {
			l.log.Warn("read the ledger for metrics", "error", r.err)
		}
	}()
	return r
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

const (
	// maxCampaigns is how many campaigns, the newest, are looked at beside the
	// active ones.
	maxCampaigns = 1000
	// maxShown is how many have series of their own.
	maxShown = 50
	// doneTime is for how long one that is done keeps them.
	doneTime = time.Hour
)

var (
	descUp         = desc("ledger_up", "1 if the ledger could be read for this page; if not, the other gauges of the ledger are missing.")
	descCampaigns  = desc("campaigns", "Campaigns by their state: all active ones, and the newest 1,000.", "state")
	descHeld       = desc("held", "Campaigns that are held.")
	descInDoubt    = desc("in_doubt", "Recipients in doubt, in all those campaigns.")
	descRecipients = desc("recipients", "Recipients of a campaign by their state; of active campaigns, and of those done within the hour.", "campaign", "state")
	descDelivered  = desc("delivered", "Recipients of a campaign who were delivered to, by the channels that delivered; of the same campaigns.", "campaign", "by")
	descLimit      = desc("campaign_limit", "1 for what keeps a campaign from sending faster: account, campaign, shared, throttled, hours, zone, files, canary, held, paused, canceled, nothing left, no worker.", "campaign", "limit")
	descLeftOut    = desc("campaigns_left_out", "Campaigns without series of their own, since there are over 50.")
	descNotes      = desc("queue_notes", "Notes in a queue by their state: pending, active, scheduled, retry, archived.", "queue", "state")
	descOldest     = desc("queue_oldest_seconds", "For how long the oldest pending task has been in its queue.", "queue")
	descReadable   = desc("queue_readable", "1 if the queue could be read; 0 if parts of its tasks were deleted.", "queue")
	descMemory     = desc("redis_memory_used_bytes", "Memory that Redis uses; of a cluster, its fullest node.")
	descOutbox     = desc("webhook_outbox", "Outcomes and changes that some webhook has yet to take.")
	descFailing    = desc("webhook_failing", "Webhooks whose deliveries have all failed for three days.")
	descDropped    = desc("webhook_dropped_total", "Outcomes and changes dropped undelivered, since too many were pending for a webhook.", "webhook")
	descOptOuts    = desc("optouts_unresolved", "STOPs whose number isn't known, which wait for a person.")
	descMemoryMost = desc("redis_memory_max_bytes", "Memory that Redis has: its maxmemory, or without one its machine's.")
)

var descriptions = []*prometheus.Desc{
	descUp, descCampaigns, descHeld, descInDoubt, descRecipients, descDelivered, descLimit, descLeftOut,
	descNotes, descOldest, descReadable, descMemory, descMemoryMost, descOutbox, descFailing, descDropped,
	descOptOuts,
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("handout_"+name, help, labels, nil)
}

// read reads everything, or nothing.
func (l *Ledger) read(ctx context.Context) ([]prometheus.Metric, error) {
	current, err := l.reports.Current(ctx, maxCampaigns)
	if err != nil {
		return nil, err
	}
	var all []prometheus.Metric
	for _, part := range []func(context.Context, []report.Summary) ([]prometheus.Metric, error){l.campaigns, l.notes, l.memory, l.webhooks, l.optOuts} {
		metrics, err := part(ctx, current)
		if err != nil {
			return nil, err
		}
		all = append(all, metrics...)
	}
	return all, nil
}

func (l *Ledger) campaigns(ctx context.Context, current []report.Summary) ([]prometheus.Metric, error) {
	byPhase, inDoubt := make(map[campaign.Phase]int), 0
	for i := range current {
		byPhase[current[i].Phase]++
		inDoubt += current[i].Balance.Of(campaign.InDoubt)
	}
	shown := worthShowing(current, time.Now())
	leftOut := max(0, len(shown)-maxShown)
	metrics := []prometheus.Metric{
		gauge(descHeld, float64(byPhase[campaign.Held])), gauge(descInDoubt, float64(inDoubt)), gauge(descLeftOut, float64(leftOut)),
	}
	for _, p := range campaign.Phases() {
		metrics = append(metrics, gauge(descCampaigns, float64(byPhase[p]), string(p)))
	}
	for _, s := range shown[:len(shown)-leftOut] {
		pace, err := l.reports.PaceOf(ctx, &s)
		if err != nil {
			return nil, err
		}
		for _, state := range campaign.States() {
			metrics = append(metrics, gauge(descRecipients, float64(s.Balance.Of(state)), string(s.ID), state.String()))
		}
		for by := campaign.ByWhatsApp; by <= campaign.ByOther; by++ {
			metrics = append(metrics, gauge(descDelivered, float64(s.Balance.By[by]), string(s.ID), by.String()))
		}
		metrics = append(metrics, gauge(descLimit, 1, string(s.ID), string(pace.Limit)))
	}
	return metrics, nil
}

// worthShowing are those that are neither drafts nor long done, in the order in
// which they matter.
func worthShowing(current []report.Summary, now time.Time) []report.Summary {
	matters := map[campaign.Phase]int{
		campaign.Held: 0, campaign.Running: 1, campaign.Settling: 2, campaign.Ended: 3, campaign.Paused: 4, campaign.Done: 5,
	}
	shown := slices.DeleteFunc(slices.Clone(current), func(s report.Summary) bool {
		_, ok := matters[s.Phase]
		return !ok || s.Phase == campaign.Done && now.Sub(s.FinishedAt) > doneTime
	})
	slices.SortStableFunc(shown, func(a, b report.Summary) int { return cmp.Compare(matters[a.Phase], matters[b.Phase]) })
	return shown
}

// notes asks the queues. Those that have never been written to are empty.
func (l *Ledger) notes(context.Context, []report.Summary) ([]prometheus.Metric, error) {
	known, err := l.queues.Queues()
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	var metrics []prometheus.Metric
	all := []string{tasks.QueueWebhooks, tasks.QueueSchedule}
	for _, account := range l.reports.Accounts() {
		for _, name := range []string{tasks.QueueUrgent, tasks.QueueBulk, tasks.QueuePolls} {
			all = append(all, tasks.OfAccount(name, account))
		}
	}
	for _, shown := range all {
		name := queue.Name(l.rdb, shown)
		states, oldest := map[string]int{"pending": 0, "active": 0, "scheduled": 0, "retry": 0, "archived": 0}, 0.0
		if slices.Contains(known, name) {
			info, err := l.queues.GetQueueInfo(name)
			if err != nil { // a note of which only a part is left spoils asynq's count, and nothing else
				metrics = append(metrics, gauge(descReadable, 0, shown))
				continue
			}
			states = map[string]int{
				"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled, "retry": info.Retry, "archived": info.Archived,
			}
			oldest = info.Latency.Seconds()
		}
		for state, n := range states {
			metrics = append(metrics, gauge(descNotes, float64(n), shown, state))
		}
		metrics = append(metrics, gauge(descOldest, oldest, shown), gauge(descReadable, 1, shown))
	}
	return metrics, nil
}

func (l *Ledger) memory(ctx context.Context, _ []report.Summary) ([]prometheus.Metric, error) {
	used, most, err := redisx.Memory(ctx, l.rdb)
	if err != nil {
		return nil, fmt.Errorf("read Redis's memory: %w", err)
	}
	return []prometheus.Metric{gauge(descMemory, float64(used)), gauge(descMemoryMost, float64(most))}, nil
}

func (l *Ledger) webhooks(ctx context.Context, current []report.Summary) ([]prometheus.Metric, error) {
	ids := make([]campaign.ID, len(current))
	for i := range current {
		ids[i] = current[i].ID
	}
	u, err := l.reports.Undelivered(ctx, ids)
	if err != nil {
		return nil, err
	}
	metrics := []prometheus.Metric{gauge(descOutbox, float64(u.Waiting)), gauge(descFailing, float64(u.Failing))}
	for endpoint, n := range u.Discarded { // an increase is seen from 0 on
		metrics = append(metrics, prometheus.MustNewConstMetric(descDropped, prometheus.CounterValue, float64(n), endpoint))
	}
	return metrics, nil
}

func (l *Ledger) optOuts(ctx context.Context, _ []report.Summary) ([]prometheus.Metric, error) {
	n, err := l.reports.UnresolvedOptOuts(ctx)
	if err != nil {
		return nil, err
	}
	return []prometheus.Metric{gauge(descOptOuts, float64(n))}, nil
}

type redisErrors struct{ errors *prometheus.CounterVec }

// The kinds of errors.
var redisErrorKinds = []string{"time-out", "network", "out of memory", "busy", "read-only", "loading", "answer"}

// NewRedisErrors is a hook that counts into r.
func NewRedisErrors(r prometheus.Registerer) redis.Hook {
	e := &redisErrors{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "handout_redis_errors_total",
		Help: "Calls to Redis that failed after all tries, by kind: " + strings.Join(redisErrorKinds, ", ") + ".",
	}, []string{"kind"})}
	for _, kind := range redisErrorKinds {
		e.errors.WithLabelValues(kind)
	}
	r.MustRegister(e.errors)
	return e
}

// DialHook counts nothing: a call that gets no connection fails itself.
func (e *redisErrors) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook counts a call.
func (e *redisErrors) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return e.count(next(ctx, cmd))
	}
}

// ProcessPipelineHook counts calls that travel together as one.
func (e *redisErrors) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return e.count(next(ctx, cmds))
	}
}

func (e *redisErrors) count(err error) error {
	if kind := redisErrorKind(err); kind != "" {
		e.errors.WithLabelValues(kind).Inc()
	}
	return err
}

// redisErrorKind is the kind of an error; empty for what is none: nothing found,
// a script that has to be loaded, a caller who gave up.
func redisErrorKind(err error) string {
	var answer redis.Error
	var network net.Error
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, context.Canceled), errors.Is(err, redis.ErrClosed):
		return ""
	case errors.As(err, &answer):
		word, _, _ := strings.Cut(answer.Error(), " ")
		if kind, ok := answerKinds[word]; ok {
			return kind
		}
		return "answer"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "time-out"
	}
	return "network"
}

// answerKinds are the kinds of errors that Redis itself answers, by their first word;
// of NOSCRIPT none, and of all others "answer".
var answerKinds = map[string]string{
	"NOSCRIPT": "", "OOM": "out of memory", "BUSY": "busy", "READONLY": "read-only", "LOADING": "loading",
}
