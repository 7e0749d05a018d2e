package worker

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/internal/pacing"
)

// metrics are what a worker counts. Labels are classes and codes, never a
// campaign's or a recipient's own.
type metrics struct {
	sends        *prometheus.CounterVec
	duration     prometheus.Histogram
	polls        *prometheus.CounterVec
	pollsRefused prometheus.Gauge
	ledgerErrors prometheus.Counter
	restored     prometheus.Counter
	unreplicated prometheus.Counter
	lastSend     *prometheus.GaugeVec // not there until there was one

	reserved, used, lost *prometheus.CounterVec // slots, by limiter
	granted, rate        prometheus.Gauge
}

func (m *metrics) slots(limiter string) pacing.SlotCounts {
	return pacing.SlotCounts{
		Reserved: m.reserved.WithLabelValues(limiter), Used: m.used.WithLabelValues(limiter), Lost: m.lost.WithLabelValues(limiter),
	}
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
		pollsRefused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "handout_polls_refused", Help: "1 while Telesign refuses status queries of this account, and receipts alone decide.",
		}),
		ledgerErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "handout_ledger_errors_total", Help: "Calls to Redis that failed.",
		}),
		restored: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "handout_redis_restored_total", Help: "Times that Redis was found to have come back with an older state.",
		}),
	}
	m.unreplicated = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "handout_claims_unreplicated_total", Help: "Claims that weren't sent, since too few replicas of Redis had them in time.",
	})
	m.reserved = slotCounter("reserved", "Slots that this process has reserved.")
	m.used = slotCounter("used", "Reserved slots that a caller has taken.")
	m.lost = slotCounter("lost", "Reserved slots whose time passed, or was pushed back, before anyone could use them.")
	m.granted = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "handout_rate_granted", Help: "Messages per second that Telesign grants, as measured; 0: all that the account's rate allows.",
	})
	m.rate = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "handout_rate", Help: "Messages per second that are in force for the account; 0 is no limit.",
	})
	m.lastSend = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "handout_last_send_timestamp_seconds", Help: "When Telesign last took a message of this worker's, Unix time.",
	}, nil)
	m.sends.WithLabelValues("accepted", "3001") // an increase is seen from 0 on
	r.MustRegister(m.sends, m.duration, m.polls, m.pollsRefused, m.ledgerErrors, m.reserved, m.used, m.lost, m.granted, m.rate, m.lastSend, m.restored, m.unreplicated)
	return m
}

func slotCounter(what, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "handout_slots_" + what + "_total", Help: help,
	}, []string{"limiter"})
}

func (m *metrics) sent(since time.Time, class string, code int) {
	m.sends.WithLabelValues(class, strconv.Itoa(code)).Inc()
	m.duration.Observe(time.Since(since).Seconds())
	if class == "accepted" {
		m.lastSend.WithLabelValues().SetToCurrentTime()
	}
}
