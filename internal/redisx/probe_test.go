package redisx_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

// refusedFor fails the test unless a write is refused, in these words and with advice.
func refusedFor(t *testing.T, rdb redis.UniversalClient, words string) {
	t.Helper()
	err := redisx.Probe(t.Context(), rdb, "bulk")
	var refused *redisx.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), words) || refused.Advice == "" {
		t.Errorf("%v, want %q", err, words)
	}
}

func taken(t *testing.T, rdb redis.UniversalClient) {
	t.Helper()
	if err := redisx.Probe(t.Context(), rdb, "bulk"); err != nil {
		t.Error(err)
	}
}

func TestProbe_IsTakenAndLeavesNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	taken(t, server.Client())
	if life := server.Client().PTTL(t.Context(), "handout:probe").Val(); life <= 0 || life > time.Second {
		t.Errorf("what it has written lives for %v", life)
	}
}

func TestProbe_IsRefusedByAReplica(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	master := redistest.Start(t, redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port))
	replica := redistest.Start(t, redistest.Set("replicaof", "127.0.0.1 "+port))
	await(t, "the replica", func() bool {
		return strings.Contains(replica.Client().Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	refusedFor(t, replica.Client(), "READONLY")
	if info := inspect(t, replica.Client()); !info.Replica {
		t.Errorf("%+v", info)
	}
	if info := inspect(t, master.Client()); info.Replica || info.Replicas != 1 {
		t.Errorf("%+v", info)
	}
	taken(t, master.Client())
}

func TestProbe_IsRefusedToAUserWithoutTheRights(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	socket := strings.TrimPrefix(server.URL(), "unix://")
	for name, c := range map[string]struct{ rights, words string }{
		"reads":    {"~* &* +@all -@write", "can't run this command"},
		"noscript": {"~* &* +@all -@scripting", "NOPERM"},
		"otherkey": {"~other:* &* +@all", "NOPERM"},
		"nosets":   {"~* &* +@all -zadd", "may not zadd"},
		"noqueue":  {"~handout:* &* +@all", "may not lpush asynq:"},
	} {
		do := append([]any{"acl", "setuser", name, "on", "nopass"}, fields(c.rights)...)
		if err := server.Client().Do(t.Context(), do...).Err(); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) { refusedFor(t, open(t, "unix://"+name+":any@"+socket), c.words) })
	}
	// The rights that deploy/redis.conf names.
	do := append([]any{"acl", "setuser", "handout", "on", "nopass"}, fields("~* &* +@all -@dangerous +info +config|get")...)
	if err := server.Client().Do(t.Context(), do...).Err(); err != nil {
		t.Fatal(err)
	}
	taken(t, open(t, "unix://handout:any@"+socket))
}

func fields(s string) (all []any) {
	for _, f := range strings.Fields(s) {
		all = append(all, f)
	}
	return all
}

func TestProbe_IsRefusedWhenTheMemoryIsFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Set("maxmemory-policy", "noeviction"))
	taken(t, server.Client())
	if err := server.Client().ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	refusedFor(t, server.Client(), "OOM")
}

func TestProbe_IsRefusedWithoutTheReplicasThatAreAskedFor(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Set("min-replicas-to-write", "1"))
	refusedFor(t, server.Client(), "NOREPLICAS")
}

func TestProbe_IsRefusedWhenTheDiskFails(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Set("save", "3600 1"), redistest.Set("dbfilename", "taken"))
	ctx := t.Context()
	// A directory where the snapshot would stand: the save fails, for root as well.
	if err := os.Mkdir(filepath.Join(filepath.Dir(strings.TrimPrefix(server.URL(), "unix://")), "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	_ = server.Client().Set(ctx, "k", "v", 0).Err()
	_ = server.Client().BgSave(ctx).Err()
	await(t, "the save to fail", func() bool { return inspect(t, server.Client()).SaveFailed })
	refusedFor(t, server.Client(), "MISCONF")
}

func TestProbe_LooksAtEveryMasterOfACluster(t *testing.T) {
	t.Parallel()
	nodes := make([]*redistest.Server, 2)
	var ports [2]string
	for i := range nodes {
		ports[i] = redistest.FreePort(t)
		nodes[i] = redistest.Start(t, redistest.Set("cluster-enabled", "yes"), redistest.Set("bind", "127.0.0.1"), redistest.Set("port", ports[i]))
	}
	for i, slots := range [][2]int{{0, 8191}, {8192, 16383}} {
		if err := nodes[i].Client().ClusterAddSlotsRange(t.Context(), slots[0], slots[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := nodes[0].Client().ClusterMeet(t.Context(), "127.0.0.1", ports[1]).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster", func() bool {
		return strings.Contains(nodes[0].Client().ClusterInfo(t.Context()).Val(), "cluster_state:ok") &&
			strings.Contains(nodes[1].Client().ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	})
	rdb := open(t, "redis+cluster://127.0.0.1:"+ports[0])
	taken(t, rdb)
	if err := nodes[1].Client().ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	refusedFor(t, rdb, "OOM")
	if info := inspect(t, rdb); info.ClusterState != "ok" {
		t.Errorf("%+v", info)
	}
}

func TestReadiness_AsksRedisOnceForMany(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	ready := redisx.NewReadiness(server.Client(), "bulk")
	for range 50 {
		if err := ready.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if n := server.CommandStats()["set"]; n != 1 {
		t.Errorf("%d writes", n)
	}
}

func TestReadiness_EndsInTimeWhenRedisStandsStill(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := open(t, server.URL())
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := server.Client().ClientPause(t.Context(), time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := redisx.NewReadiness(rdb, "bulk").Check(); err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}
