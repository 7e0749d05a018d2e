package worker

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

// Before a request leaves, a worker asks again whether its claim stands if there was a
// new connection: those to the nodes of a cluster have to be seen, too.
func TestRollbackDetector_SeesNewConnectionsToAClustersNodes(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	if port > 55_000 {
		port -= 15_000 // the cluster's bus is 10,000 above
	}
	node := redistest.Start(t, redistest.Set("cluster-enabled", "yes"), redistest.Set("bind", "127.0.0.1"), redistest.Set("port", fmt.Sprint(port)))
	if err := node.Client().ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	rdb, err := redisx.Open(fmt.Sprintf("redis+cluster://127.0.0.1:%d", port), redisx.DefaultPrefix)
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
