package callbacks_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/handout-dev/handout/callbacks"
	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

// What was confirmed doesn't come again: a failover that forgets it would leave people
// in doubt, or send to someone who has said STOP.
func TestReplicas_WhatIsConfirmedIsOnTheReplica(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	r := setupWith(t, func(o *callbacks.Options) { o.Replicas = 1 },
		redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port), redistest.Set("repl-diskless-sync-delay", "0"))
	info := r.stand("c", 3)
	for i := range 3 {
		r.apply(info, i, claimed())
	}
	bodies := []string{receipt("c.0.0.1", 1, 3000), receipt("c.0.1.1", 2, 3003, "sms 3046"), sms("stop", time.Now())}
	for _, body := range bodies {
		if status := r.call(http.MethodPost, body, signed(t, body)); status != http.StatusServiceUnavailable {
			t.Errorf("without a replica answered with %d: %s", status, body)
		}
	}
	replica := redistest.Start(t, redistest.Set("replicaof", "127.0.0.1 "+port))
	for deadline := time.Now().Add(patience); r.rdb.Wait(t.Context(), 1, time.Second).Val() != 1; {
		if time.Now().After(deadline) {
			t.Fatal("the replica doesn't follow")
		}
	}
	bodies = append(bodies, receipt("c.0.2.1", 3, 3000))
	for _, body := range bodies {
		r.hear(body)
	}
	there := ledger.New(replica.Client())
	for i, want := range []campaign.State{campaign.Delivered, campaign.Failed, campaign.Delivered} {
		if seen, err := there.ReadRecord(t.Context(), info, campaign.PlaceOf(i)); err != nil || seen.Record.State != want {
			t.Errorf("recipient %d on the replica: %s, %v", i, seen.Record.State, err)
		}
	}
	if _, on, err := suppression.New(replica.Client()).Find(t.Context(), "+"+person); err != nil || !on {
		t.Errorf("the STOP on the replica: %v, %v", on, err)
	}
}
