package ledger_test

import (
	"testing"
	"time"
)

func TestLive_KnowsWhenAWorkerLastLooked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := b.stand(t, "c", 1)
	looked := func() time.Duration {
		t.Helper()
		live, err := b.ledger.Live(t.Context(), info.ID, "default")
		if err != nil {
			t.Fatal(err)
		}
		if live.Looked.IsZero() {
			return -1
		}
		return live.Now.Sub(live.Looked)
	}
	if ago := looked(); ago != -1 {
		t.Errorf("before any worker: %v ago", ago)
	}
	for _, lease := range []time.Duration{time.Minute, 0} { // it looks, and stops
		if _, err := b.ledger.LeaseLooks(t.Context(), "a", lease); err != nil {
			t.Fatal(err)
		}
		if ago := looked(); ago < 0 || ago > 10*time.Second {
			t.Errorf("%v ago", ago)
		}
	}
}
