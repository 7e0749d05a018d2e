package worker

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

func shown(t *testing.T, g *pollGate) float64 {
	t.Helper()
	var m dto.Metric
	if err := g.closed.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetGauge().GetValue()
}

func TestPollGate_OpensAgainByItself(t *testing.T) {
	t.Parallel()
	g := &pollGate{closed: prometheus.NewGauge(prometheus.GaugeOpts{Name: "g"})}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if !g.open(now) {
		t.Fatal("closed from the beginning")
	}
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		pause := want * time.Minute
		if until := g.refused(now); !until.Equal(now.Add(pause)) || !g.refused(now.Add(time.Second)).Equal(until) {
			t.Errorf("refusal %d: closed for %v, not %v", i, until.Sub(now), pause)
		}
		if g.open(now.Add(pause-time.Millisecond)) || !g.open(now.Add(pause)) || shown(t, g) != 1 {
			t.Errorf("refusal %d: open too soon, or not at all, or not shown", i)
		}
		now = now.Add(pause)
	}
	if !g.answered() || g.answered() || !g.open(now) || shown(t, g) != 0 {
		t.Error("an answer doesn't open it, or is news twice, or isn't shown")
	}
	if until := g.refused(now); !until.Equal(now.Add(time.Minute)) {
		t.Errorf("after an answer it is closed for %v", until.Sub(now))
	}
}

func TestPollGate_LetsOneThroughAtATimeUntilOneIsAnswered(t *testing.T) {
	t.Parallel()
	g := &pollGate{closed: prometheus.NewGauge(prometheus.GaugeOpts{Name: "g"})}
	leave := g.enter()
	second := make(chan struct{})
	go func() {
		defer g.enter()()
		close(second)
	}()
	select {
	case <-second:
		t.Error("two at once")
	case <-time.After(20 * time.Millisecond):
	}
	g.answered()
	g.enter()()
	leave()
	<-second
}
