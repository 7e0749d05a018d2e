// Package metrics shows Prometheus what stands in Redis: the campaigns, the
// queues and the memory; and counts the calls to Redis that fail.
//
// What is said of the whole ledger is read when Prometheus asks, within two
// seconds, and not oftener than every five. When it can't be read, all that is
// said is handout_ledger_up 0: an old number would look like news. Campaigns
// are named, people never.
package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/report"
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

// NewLedger returns the metrics of the ledger in rdb. rate is the account's, in messages
// per second.
func NewLedger(rdb redis.UniversalClient, rate float64, log *slog.Logger) *Ledger {
	return &Ledger{rdb: rdb, reports: report.NewReader(rdb, rate), queues: asynq.NewInspectorFromRedisClient(rdb), log: log}
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
