package schedule

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	ticks, refused *prometheus.CounterVec
	nextTick       *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer, schedules []*Schedule) *metrics {
	m := &metrics{
		ticks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_schedule_ticks_total", Help: "Ticks of a schedule that are over, by state: done, refused, missed, skipped.",
		}, []string{"schedule", "state"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "handout_schedule_refused_total", Help: "Ticks that were refused and sent nothing, by reason: empty, drift, source, rows, campaign, export.",
		}, []string{"schedule", "reason"}),
		nextTick: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "handout_schedule_next_timestamp_seconds", Help: "When the schedule's next tick is due.",
		}, []string{"schedule"}),
	}
	r.MustRegister(m.ticks, m.refused, m.nextTick)
	for _, s := range schedules { // from 0 on, for increase()
		for _, state := range []State{Done, Refused, Missed, Skipped} {
			m.ticks.WithLabelValues(s.Name, string(state))
		}
		for _, kind := range []string{refusedEmpty, refusedDrift, refusedSource, refusedRows, refusedCampaign, refusedExport} {
			m.refused.WithLabelValues(s.Name, kind)
		}
	}
	return m
}

func (m *metrics) next(s *Schedule, now time.Time) {
	m.nextTick.WithLabelValues(s.Name).Set(float64(s.Clock.Next(now).Unix()))
}
