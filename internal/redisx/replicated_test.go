package redisx_test

import (
	"errors"
	"os/exec"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

// Each slot's own master is asked, and each has one replica of its own.
func TestRunReplicated_WaitsForTheReplicaOfTheSlotsMaster(t *testing.T) {
	t.Parallel()
	nodes := map[string]*redistest.Server{}
	args := []string{"--cluster", "create"}
	var port string
	for range 6 {
		port = redistest.FreePort(t)
		nodes[port] = redistest.Start(t, redistest.Set("cluster-enabled", "yes"), redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port))
		args = append(args, "127.0.0.1:"+port)
	}
	if out, err := exec.CommandContext(t.Context(), "redis-cli", append(args, "--cluster-replicas", "1", "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rdb := open(t, "redis+cluster://127.0.0.1:"+port)
	script := redis.NewScript("redis.call('SET', KEYS[1], ARGV[1]) return {ARGV[1]}")
	run := func(key string, replicas int) bool {
		t.Helper()
		answers, err := redisx.RunReplicated(t.Context(), rdb, script, replicas, []string{key}, "v")
		if err != nil && !errors.Is(err, redisx.ErrNotReplicated) || len(answers) != 1 || answers[0] != "v" {
			t.Fatalf("%v, %v", answers, err)
		}
		return err == nil
	}
	await(t, "every slot", func() bool { // a node may still be of another mind when it is asked
		for i := range 20 {
			if rdb.Set(t.Context(), "k"+strconv.Itoa(i), "v", 0).Err() != nil {
				return false
			}
		}
		return true
	})
	await(t, "the replicas", func() bool {
		for i := range 20 {
			if !run("k"+strconv.Itoa(i), 1) {
				return false
			}
		}
		return true
	})
	for i := range 20 {
		key := "k" + strconv.Itoa(i)
		if !run(key, 1) || run(key, 2) {
			t.Errorf("%s: not one replica", key)
		}
	}
}
