package chaos_test

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

// The master that has the campaign is killed, and later stopped and woken again, when
// another has taken over: it must take no claim then. Each claim waits for the replica.
func TestFailover_OfAClusterForgetsNoClaimThatWaitsForItsReplica(t *testing.T) {
	r := newRig(t, setup{
		recipients: size(400, 5000), rate: size(100, 250),
		vars: map[string]string{"HANDOUT_REDIS_REPLICAS": "1"},
	})
	nodes := startCluster(t)
	rdb := nodes.open(t)
	r.vars["REDIS_URL"] = nodes.url
	r.ledger = ledger.New(rdb)
	r.listen()
	r.submit()
	r.work()
	r.work()
	blows := size(2, 4)
	for i := range blows {
		r.awaitTaken((i + 1) * r.recipients / (blows + 2))
		master := nodes.campaigns(nil)
		back := master.Restart
		if i%2 == 0 {
			master.Kill()
		} else {
			back = stopProcess(t, master)
		}
		r.kills.Add(1)
		r.await("another master", time.Minute, func() bool { return nodes.campaigns(master) != nil })
		back()
		nodes.awaitReplicas(rdb)
	}
	r.awaitDone(2 * finishTime)
	// Each worker has a batch under way at each blow.
	r.judge(72, "a cluster's master killed, or stopped and woken; claims wait for 1 replica").require(r, 2*inFlight*blows)
}

// campaigns is the master that has the campaign, other than the one that is gone; nil:
// none.
func (c *cluster) campaigns(gone *redistest.Server) *redistest.Server {
	for _, node := range c.nodes {
		if node == gone {
			continue
		}
		if there, err := node.Client().HExists(c.t.Context(), "handout:{"+string(campaignID)+"}:meta", "spec").Result(); err == nil && there {
			return node // the others say where it is
		}
	}
	return nil
}
