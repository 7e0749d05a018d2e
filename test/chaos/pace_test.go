package chaos_test

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/redistest"
)

// The tests of the pace measure time: they aren't parallel to others. The vendor's
// log is the judge.

const (
	paceRate = 100
	// paceWorkers share the rate.
	paceWorkers = 2
)

// paceRig is a campaign that is sent to for as long as the test takes.
func paceRig(t *testing.T, long time.Duration) *rig {
	t.Helper()
	return newRig(t, setup{
		recipients: int(1.5 * paceRate * long.Seconds()), endings: []int{0}, rate: paceRate, deaf: true, noPolling: true,
		vars: map[string]string{"HANDOUT_CONCURRENCY": "64", "HANDOUT_RECEIPT_DEADLINE": "1h", "HANDOUT_SEND_TIMEOUT": "15s"},
	})
}

// pace is what the vendor saw of a rate.
type pace struct {
	from  time.Time
	away  time.Duration // for how long Redis was
	noise chan time.Duration
	stop  chan struct{}
}

// begin starts the workers, and the time once they send.
func (r *rig) begin() *pace {
	r.t.Helper()
	r.submit()
	for range paceWorkers {
		r.work()
	}
	r.awaitTaken(2 * paceRate)
	p := &pace{from: time.Now(), noise: make(chan time.Duration, 1), stop: make(chan struct{})}
	go func() { // how late this machine lets a sleeper run, at worst
		var noise time.Duration
		for {
			select {
			case <-p.stop:
				p.noise <- noise
				return
			default:
				due := time.Now().Add(2 * time.Millisecond)
				time.Sleep(time.Until(due))
				noise = max(noise, time.Since(due))
			}
		}
	}()
	return p
}

// judgePace holds what the vendor saw against the rate and the time that was left.
func (r *rig) judgePace(p *pace, least float64) {
	r.t.Helper()
	until := time.Now()
	close(p.stop)
	noise := min(<-p.noise, time.Second/2) // beyond that nothing can be said
	var sent []time.Time
	for _, a := range r.vendor.Accepted() {
		sent = append(sent, a.At)
	}
	slices.SortFunc(sent, time.Time.Compare)
	second := func(window time.Duration) (most int) {
		first := 0
		for i, at := range sent {
			for at.Sub(sent[first]) >= window {
				first++
			}
			most = max(most, i-first+1)
		}
		return most
	}
	// The worker that sends and the vendor that counts may each be late.
	most, loose := second(time.Second), second(time.Second-2*noise)
	n := 0
	for _, at := range sent {
		if at.After(p.from) && at.Before(until) {
			n++
		}
	}
	left := until.Sub(p.from) - p.away
	used := float64(n) / (paceRate * left.Seconds())
	r.t.Logf("%.1f %% of the %v that were left, %d in a second at most; Redis was away for %v, the machine is late by up to %v",
		100*used, left.Round(100*time.Millisecond), most, p.away.Round(100*time.Millisecond), noise)
	if loose > paceRate {
		r.t.Errorf("%d requests in a window of one second", loose)
	}
	if used < least && noise < 10*time.Millisecond {
		r.t.Errorf("only %.1f %% of the rate were used", 100*used)
	}
}

// freeze has a Redis stand still for a time.
func freeze(t *testing.T, server *redistest.Server, d time.Duration) {
	t.Helper()
	wake := stopProcess(t, server)
	time.Sleep(d)
	wake()
}

// stopProcess has a Redis stand still until wake is called.
func stopProcess(t *testing.T, server *redistest.Server) (wake func()) {
	t.Helper()
	info, err := server.Client().Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(info, "process_id:")
	text, _, _ := strings.Cut(after, "\r\n")
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	send := func(s syscall.Signal) {
		if err := syscall.Kill(pid, s); err != nil {
			t.Error(err)
		}
	}
	send(syscall.SIGSTOP)
	return func() { send(syscall.SIGCONT) }
}

func TestPace_RedisStandsStill(t *testing.T) {
	const stall, between = 3 * time.Second, 5 * time.Second
	r := paceRig(t, 30*time.Second)
	p := r.begin()
	for range size(1, 3) {
		time.Sleep(between)
		freeze(t, r.redis, stall)
		p.away += stall
	}
	time.Sleep(between)
	r.judgePace(p, 0.95)
}

// The limiter's key is lost while workers have slots.
func TestPace_TheKeyIsLost(t *testing.T) {
	r := paceRig(t, 20*time.Second)
	p := r.begin()
	for range size(2, 5) {
		time.Sleep(2 * time.Second)
		if err := r.rdb.Del(t.Context(), pacing.KeyAccount(r.rdb, "default")).Err(); err != nil {
			t.Fatal(err)
		}
		p.away += time.Second // behind the slots that may have been given out
	}
	time.Sleep(2 * time.Second)
	r.judgePace(p, 0.95)
}

// The master of a cluster that has the limiter is killed, and its replica takes over.
func TestPace_TheMasterOfAClusterIsKilled(t *testing.T) {
	const between = 6 * time.Second
	r := paceRig(t, 40*time.Second)
	nodes := startCluster(t)
	rdb := nodes.open(t)
	r.vars["REDIS_URL"] = nodes.url
	r.ledger = ledger.New(rdb)
	p := r.begin()
	for range size(1, 2) {
		time.Sleep(between)
		master := nodes.master(pacing.KeyAccount(r.rdb, "default"), nil)
		master.Kill()
		gone := time.Now()
		r.await("another master", time.Minute, func() bool { return nodes.master(pacing.KeyAccount(r.rdb, "default"), master) != nil })
		p.away += time.Since(gone)
		time.Sleep(between)
		master.Restart()
		nodes.awaitReplicas(rdb)
	}
	r.judgePace(p, 0.90)
}

// cluster is one of three masters with a replica each.
type cluster struct {
	t     *testing.T
	url   string
	nodes map[string]*redistest.Server // by port
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, nodes: map[string]*redistest.Server{}}
	args := []string{"--cluster", "create"}
	for range 6 {
		port := redistest.FreePort(t)
		c.nodes[port] = redistest.Start(t,
			redistest.AppendOnly("everysec"), redistest.Set("port", port), redistest.Set("bind", "127.0.0.1"),
			redistest.Set("cluster-enabled", "yes"), redistest.Set("cluster-node-timeout", "1500"),
			// A master whose slots have moved stays one, and a replica takes over however
			// long it hasn't heard of its master.
			redistest.Set("cluster-allow-replica-migration", "no"), redistest.Set("cluster-replica-validity-factor", "0"))
		args = append(args, "127.0.0.1:"+port)
		c.url = "redis+cluster://127.0.0.1:" + port
	}
	args = append(args, "--cluster-replicas", "1", "--cluster-yes")
	if out, err := exec.CommandContext(t.Context(), "redis-cli", args...).CombinedOutput(); err != nil {
		t.Fatalf("make a cluster: %v\n%s", err, out)
	}
	return c
}

func (c *cluster) open(t *testing.T) redis.UniversalClient {
	t.Helper()
	rdb, err := redisx.Open(c.url, redisx.DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	c.awaitReplicas(rdb)
	return rdb
}

// awaitReplicas waits until each of three masters has its replica.
func (c *cluster) awaitReplicas(rdb redis.UniversalClient) {
	c.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		shards, err := rdb.(*redis.ClusterClient).ClusterShards(c.t.Context()).Result()
		full := 0
		for _, s := range shards {
			if len(s.Nodes) == 2 {
				full++
			}
		}
		if err == nil && full == len(shards) && full >= 3 && c.take() {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("the cluster isn't whole: %+v, error %v", shards, err)
		}
	}
}

// master is the node that has a key, other than the one that is gone; nil: none.
func (c *cluster) master(key string, gone *redistest.Server) *redistest.Server {
	for _, node := range c.nodes {
		if node != gone && node.Client().HGet(c.t.Context(), key, "seen").Err() == nil {
			return node // the others say where it is
		}
	}
	return nil
}

// take reports whether all nodes take commands.
func (c *cluster) take() bool {
	for _, node := range c.nodes {
		info, err := node.Client().ClusterInfo(c.t.Context()).Result()
		if err != nil || !strings.Contains(info, "cluster_state:ok") {
			return false
		}
	}
	return true
}
