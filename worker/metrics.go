package worker

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what a worker counts. Labels are classes and codes, never a
// campaign's or a recipient's own.
type metrics struct {
	sends        *prometheus.CounterVec
	duration     prometheus.Histogram
	polls        *prometheus.CounterVec
	ledgerErrors prometheus.Counter
	restored     prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_sends_total", Help: "Requests to Telesign by what came of them and Telesign's status code.",
		}, []string{"class", "code"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "handout_send_duration_seconds", Help: "Time from claim to Telesign's answer.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 14),
		}),
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_polls_total", Help: "Status queries to Telesign by what came of them.",
		}, []string{"result"}),
		ledgerErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "handout_ledger_errors_total", Help: "Calls to Redis that failed.",
		}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "handout_redis_restored_total", Help: "Times that Redis was found to have come back with an older state.",
		}),
	}
	r.MustRegister(m.restored)
	r.MustRegister(m.sends, m.duration, m.polls, m.ledgerErrors)
	return m
}

func (m *metrics) sent(since time.Time, class string, code int) {
	m.sends.WithLabelValues(class, strconv.Itoa(code)).Inc()
	m.duration.Observe(time.Since(since).Seconds())
}
