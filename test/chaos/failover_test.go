package chaos_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/redis/go-redis/v9"
)

// The master that has the campaign is killed, and later stopped and woken again, when
// another has taken over: it must take no claim then. Each claim waits for the replica.
func TestFailover_OfAClusterForgetsNoClaimThatWaitsForItsReplica(t *testing.T) {
	t.Parallel()
	blows := size(2, 4)
	r := clusterRun(t, "1", blows)
	// Each worker has a batch under way at each blow.
	r.judge(72, "a cluster's master killed, or stopped and woken; claims wait for 1 replica").require(r, 2*inFlight*blows)
	if *long { // it promises nothing: a claim that waits for none may be forgotten
		r = clusterRun(t, "0", blows)
		r.judge(measured+3, "a cluster's master killed, or stopped and woken; claims wait for none").report(r)
	}
}

// The slots of the campaign's master move to another one, and back, in the middle.
func TestFailover_SlotsOfAClusterMoveInTheMiddle(t *testing.T) {
	t.Parallel()
	r, nodes, _ := clusterRig(t, "1", unhurried)
	for i := range size(1, 4) {
		r.awaitTaken((i + 1) * r.recipients / size(3, 6))
		nodes.moveSlots(r)
		r.kills.Add(1)
	}
	r.awaitDone(2 * finishTime)
	r.judge(74, "a cluster's slots moved to another master").require(r, 0)
}

// clusterRig is two workers and a listener on a cluster, in the middle of a campaign.
func clusterRig(t *testing.T, replicas string, vars map[string]string) (*rig, *cluster, redis.UniversalClient) {
	t.Helper()
	r := newRig(t, setup{recipients: size(400, 5000), rate: size(100, 250), vars: vars})
	r.vars["HANDOUT_REDIS_REPLICAS"] = replicas
	nodes := startCluster(t)
	rdb := nodes.open(t)
	r.vars["REDIS_URL"] = nodes.url
	r.ledger = ledger.New(rdb)
	r.listen()
	r.submit()
	r.work()
	r.work()
	return r, nodes, rdb
}

// clusterRun sends a campaign whose master is killed, or stopped and woken again, so many
// times.
func clusterRun(t *testing.T, replicas string, blows int) *rig {
	t.Helper()
	r, nodes, rdb := clusterRig(t, replicas, nil)
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
	return r
}

// moveSlots moves all slots of the campaign's master to another one.
func (c *cluster) moveSlots(r *rig) {
	r.t.Helper()
	from, to, slots := "", "", 0
	master := c.campaigns(nil)
	all, err := master.Client().ClusterNodes(r.t.Context()).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	for node := range strings.Lines(all) {
		f := strings.Fields(node) // ID, address, flags, master, ping, pong, epoch, state, slots
		switch {
		case strings.Contains(f[2], "myself"):
			from = f[0]
			for _, part := range f[8:] {
				var first, last int
				if n, _ := fmt.Sscanf(part, "%d-%d", &first, &last); n < 2 {
					last = first
				}
				slots += last - first + 1
			}
		case strings.Contains(f[2], "master"):
			to = f[0]
		}
	}
	at := strings.TrimPrefix(c.url, "redis+cluster://")
	r.await("the nodes agree", time.Minute, func() bool {
		return exec.CommandContext(r.t.Context(), "redis-cli", "--cluster", "check", at).Run() == nil
	})
	out, err := exec.CommandContext(r.t.Context(), "redis-cli", "--cluster", "reshard", at,
		"--cluster-from", from, "--cluster-to", to, "--cluster-slots", fmt.Sprint(slots), "--cluster-yes").CombinedOutput()
	if err != nil {
		r.t.Fatalf("move %d slots: %v\n%s", slots, err, out)
	}
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

// One master, two replicas that claims wait for, three Sentinels.
func TestFailover_OfSentinelForgetsNoClaimThatWaitsForItsReplicas(t *testing.T) {
	t.Parallel()
	blows := size(2, 4)
	r := sentinelRun(t, "1", blows)
	r.judge(73, "Sentinel: the master killed, or stopped and woken; claims wait for 1 of 2 replicas").require(r, 2*inFlight*blows)
	if *long {
		r = sentinelRun(t, "0", blows)
		r.judge(measured+4, "Sentinel: the master killed, or stopped and woken; claims wait for none").report(r)
	}
}

func sentinelRun(t *testing.T, replicas string, blows int) *rig {
	t.Helper()
	r := newRig(t, setup{
		recipients: size(400, 5000), rate: size(100, 250),
		vars: map[string]string{"HANDOUT_REDIS_REPLICAS": replicas},
	})
	group := startSentinels(t)
	r.vars["REDIS_URL"] = group.url
	rdb, err := redisx.Open(group.url, redisx.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	r.ledger = ledger.New(rdb)
	group.await(r, nil)
	r.listen()
	r.submit()
	r.work()
	r.work()
	for i := range blows {
		r.awaitTaken((i + 1) * r.recipients / (blows + 2))
		master := group.await(r, nil)
		back := master.Restart
		if i%2 == 0 {
			master.Kill()
		} else {
			back = stopProcess(t, master)
		}
		r.kills.Add(1)
		group.await(r, master)
		back()
	}
	r.awaitDone(2 * finishTime)
	return r
}

// sentinels are three servers of which one is the master, watched by three Sentinels.
type sentinels struct {
	url     string
	servers []*redistest.Server
}

func startSentinels(t *testing.T) *sentinels {
	t.Helper()
	s := &sentinels{}
	var first string
	for i := range 3 {
		port := redistest.FreePort(t)
		options := []redistest.Option{redistest.AppendOnly("everysec"), redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port)}
		if i == 0 {
			first = port
		} else {
			options = append(options, redistest.Set("replicaof", "127.0.0.1 "+first))
		}
		s.servers = append(s.servers, redistest.Start(t, options...))
	}
	var ports []string
	for range 3 {
		ports = append(ports, redistest.StartSentinel(t, first, 2, "sentinel down-after-milliseconds main 1500\nsentinel failover-timeout main 5000\n"))
	}
	s.url = "redis+sentinel://127.0.0.1:" + ports[0] + "?master_name=main&addr=127.0.0.1:" + ports[1] + "&addr=127.0.0.1:" + ports[2]
	return s
}

// await returns the master, other than the one that is gone, once a replica follows it.
func (s *sentinels) await(r *rig, gone *redistest.Server) (master *redistest.Server) {
	r.t.Helper()
	r.await("a master with a replica", time.Minute, func() bool {
		for _, server := range s.servers {
			if server == gone {
				continue
			}
			info, err := server.Client().Info(r.t.Context(), "replication").Result()
			if err == nil && strings.Contains(info, "role:master") && strings.Contains(info, "state=online") {
				master = server
				return true
			}
		}
		return false
	})
	return master
}
