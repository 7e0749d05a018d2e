package worker

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

// Before a request leaves, a worker asks again whether its claim stands if there was a
// new connection: those to the nodes of a cluster have to be seen, too.
func TestRollbackDetector_SeesNewConnectionsToAClustersNodes(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	node := redistest.Start(t, redistest.Set("cluster-enabled", "yes"), redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port))
	if err := node.Client().ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	rdb, err := redisx.Open("redis+cluster://127.0.0.1:"+port, redisx.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer rdb.Close()
	for deadline := time.Now().Add(30 * time.Second); rdb.Set(t.Context(), "k", "v", 0).Err() != nil; { // it knows its nodes from here on
		if time.Now().After(deadline) {
			t.Fatal("the cluster doesn't come")
		}
	}
	var d rollbackDetector
	if err := d.watch(t.Context(), rdb); err != nil {
		t.Fatal(err)
	}
	before := d.mark()
	if err := node.Client().ClientKillByFilter(t.Context(), "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Get(t.Context(), "k").Err(); err != nil {
		t.Fatal(err)
	}
	if after := d.mark(); after.dials == before.dials {
		t.Error("a new connection isn't seen")
	}
}
