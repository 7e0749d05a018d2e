package worker_test

import (
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/worker"
)

// Without the replica that is asked for nothing is sent; once it follows, everyone is.
func TestSend_AClaimThatNoReplicaHasIsNotSent(t *testing.T) {
	t.Parallel()
	const n = 5
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	r.start(func(o *worker.Options) { o.Replicas = 1 })
	r.until("claims go back", func() bool {
		b, err := r.ledger.Balance(t.Context(), c.ID)
		return err == nil && b.Of(campaign.Retrying) > 0
	})
	if len(v.all()) != 0 {
		t.Errorf("%d POSTs", len(v.all()))
	}
	port := redistest.FreePort(t)
	if err := r.rdb.ConfigSet(t.Context(), "port", port).Err(); err != nil {
		t.Fatal(err)
	}
	redistest.Start(t, redistest.Set("replicaof", "127.0.0.1 "+port))
	for i := range n {
		r.untilState(c, i, campaign.Accepted)
	}
	v.once(t, n)
	r.closes(c)
}
