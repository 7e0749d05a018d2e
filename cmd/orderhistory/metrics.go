package main

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/internal/orderhistory"
	"github.com/handout-dev/handout/internal/orderhistory/state"
)

// writeMetrics writes a file for Prometheus's textfile collector. The counts of
// refusals are those of all runs, from the state: a counter mustn't begin at 0 with
// each process.
func writeMetrics(ctx context.Context, path string, s *state.State, took time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	counts, err := s.Refusals(ctx)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	refused := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "handout_export_refused_total", Help: "Exports that were refused before anything was sent, by reason.",
	}, []string{"reason"})
	registry.MustRegister(refused)
	for _, reason := range orderhistory.Reasons() {
		refused.WithLabelValues(string(reason)).Add(float64(counts[string(reason)]))
	}
	gauge := func(name, help string, value float64) {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		g.Set(value)
		registry.MustRegister(g)
	}
	gauge("handout_export_last_run_timestamp_seconds", "When the last run ended, whatever came of it.", float64(time.Now().Unix()))
	gauge("handout_export_last_run_duration_seconds", "How long the last run took.", took.Seconds())
	done, err := s.Exports(ctx, 1000)
	if err != nil {
		return err
	}
	var last *state.Export
	for _, e := range done {
		if e.Phase == state.Done && (last == nil || e.DoneAt.After(last.DoneAt)) {
			last = e
		}
	}
	if last != nil {
		gauge("handout_export_last_success_timestamp_seconds", "When an export was last finished.", float64(last.DoneAt.Unix()))
		gauge("handout_export_last_success_files", "How many files it had.", float64(last.Files))
		gauge("handout_export_last_success_bytes", "How large they were together.", float64(last.Bytes))
		gauge("handout_export_last_success_set_aside", "How many customers it set aside.", float64(last.SetAside))
	}
	if err := prometheus.WriteToTextfile(path, registry); err != nil {
		return fmt.Errorf("--metrics-file: %w", err)
	}
	return nil
}
