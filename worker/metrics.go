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
	pollsRefused *prometheus.GaugeVec
	ledgerErrors prometheus.Counter
	restored     prometheus.Counter
	unreplicated prometheus.Counter
	lastSend     *prometheus.GaugeVec // not there until there was one

	reserved, used, lost *prometheus.CounterVec // slots, by limiter
	granted, rate        *prometheus.GaugeVec
}

// accountMetrics are those of one account.
type accountMetrics struct {
	*metrics
	name                        string
	polls                       *prometheus.CounterVec
	pollsRefused, granted, rate prometheus.Gauge
}

func (m *metrics) of(account string) accountMetrics {
	label := prometheus.Labels{accountLabel: account}
	m.sends.WithLabelValues("accepted", "3001", account) // an increase is seen from 0 on
	return accountMetrics{
		metrics: m, name: account, polls: m.polls.MustCurryWith(label),
		pollsRefused: m.pollsRefused.With(label), granted: m.granted.With(label), rate: m.rate.With(label),
	}
}

const accountLabel = "account"

func (m *metrics) slots(limiter, account string) pacing.SlotCounts {
	return pacing.SlotCounts{
		Reserved: m.reserved.WithLabelValues(limiter, account), Used: m.used.WithLabelValues(limiter, account), Lost: m.lost.WithLabelValues(limiter, account),
	}
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_sends_total", Help: "Requests to Telesign by what came of them and Telesign's status code.",
		}, []string{"class", "code", accountLabel}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "handout_send_duration_seconds", Help: "Time from claim to Telesign's answer.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 14),
		}),
		polls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_polls_total", Help: "Status queries to Telesign by what came of them.",
		}, []string{"result", accountLabel}),
		pollsRefused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "handout_polls_refused", Help: "1 while Telesign refuses status queries of this account, and receipts alone decide.",
		}, []string{accountLabel}),
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
	m.granted = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "handout_rate_granted", Help: "Messages per second that Telesign grants, as measured; 0: all that the account's rate allows.",
	}, []string{accountLabel})
	m.rate = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "handout_rate", Help: "Messages per second that are in force for the account; 0 is no limit.",
	}, []string{accountLabel})
	m.lastSend = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "handout_last_send_timestamp_seconds", Help: "When Telesign last took a message of this worker's, Unix time.",
	}, []string{accountLabel})
	r.MustRegister(m.sends, m.duration, m.polls, m.pollsRefused, m.ledgerErrors, m.reserved, m.used, m.lost, m.granted, m.rate, m.lastSend, m.restored, m.unreplicated)
	return m
}

func slotCounter(what, help string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "handout_slots_" + what + "_total", Help: help,
	}, []string{"limiter", accountLabel})
}

func (m *accountMetrics) sent(since time.Time, class string, code int) {
	m.sends.WithLabelValues(class, strconv.Itoa(code), m.name).Inc()
	m.duration.Observe(time.Since(since).Seconds())
	if class == "accepted" {
		m.lastSend.WithLabelValues(m.name).SetToCurrentTime()
	}
}
