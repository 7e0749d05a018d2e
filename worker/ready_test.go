package worker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Redis answers a PING all the while, and no change is made.
func TestReady_SaysWhichChangeHasWaited(t *testing.T) {
	t.Parallel()
	v, sent, answered := &vendor{}, make(chan bool), make(chan bool)
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		sent <- true
		<-answered
		accept(w, v.next())
	}
	r := setup(t, v)
	c := r.stand("a", phones(1), false)
	w := r.worker(r.options())
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	<-sent
	inHalfAMinute := func() error { return w.Ready(time.Now().Add(30 * time.Second)) }
	r.until("nothing waits", func() bool { return inHalfAMinute() == nil })
	if err := r.rdb.Do(t.Context(), "CLIENT", "PAUSE", "60000", "WRITE").Err(); err != nil {
		t.Fatal(err)
	}
	close(answered)
	r.until("a change waits", func() bool { return inHalfAMinute() != nil })
	if err := w.Ready(time.Now()); err != nil {
		t.Errorf("at once: %v", err)
	}
	if err := inHalfAMinute(); err == nil || !strings.Contains(err.Error(), "a change of recipient 0.0 of campaign a has waited for Redis for 30s") {
		t.Errorf("after half a minute: %v", err)
	}
	if err := r.rdb.Do(t.Context(), "CLIENT", "UNPAUSE").Err(); err != nil {
		t.Fatal(err)
	}
	r.untilState(c, 0, campaign.Accepted)
	r.until("nothing waits", func() bool { return inHalfAMinute() == nil })
}
