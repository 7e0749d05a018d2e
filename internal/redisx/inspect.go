package redisx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Info is what a Redis says of itself, as far as the promises depend on it. In
// a cluster it is the worst of all masters: a promise holds where it holds on
// every one of them.
type Info struct {
	// Version is Redis's own; a relative of Redis (Valkey, KeyDB) gives the one
	// that it is compatible with. Empty when it doesn't say.
	Version string

	// AtLeast62 is false, too, when the version isn't known.
	AtLeast62 bool

	// Mode is how the client is connected: standalone, sentinel or cluster.
	Mode string

	// Replica: it follows another server. Replicas is how many follow it, of a
	// cluster's masters the fewest.
	Replica  bool
	Replicas int

	// WriteFailed: its latest write to the append-only file failed; SaveFailed: its
	// latest snapshot, or rewrite of that file, did.
	WriteFailed, SaveFailed bool

	// ClusterState is ok, or what CLUSTER INFO says instead; empty: no cluster.
	ClusterState string

	// AppendOnly and AppendFsync (always, everysec, no) are how much a crash of
	// Redis forgets. AppendFsync is empty when ConfigHidden.
	AppendOnly  bool
	AppendFsync string

	// MaxMemoryPolicy should be noeviction. Empty when it isn't known.
	MaxMemoryPolicy string

	// MaxMemory is 0 without a limit. In a cluster these two are those of the
	// fullest node.
	MaxMemory  int64
	UsedMemory int64

	systemMemory int64 // of the machine

	// ClockOffset is Redis's clock minus this machine's.
	ClockOffset time.Duration

	// ConfigHidden: CONFIG GET is refused, as managed services often do, or
	// not known. ClockHidden: so is TIME.
	ConfigHidden bool
	ClockHidden  bool
}

// Inspect asks the Redis for its version, settings, memory and clock. What it
// refuses to tell is left empty; it is an error only when it can't be reached or
// doesn't let us in.
func Inspect(ctx context.Context, client redis.UniversalClient) (Info, error) {
	if err := Ping(ctx, client); err != nil && !answersAll(err) {
		return Info{}, err
	}
	nodes, err := masters(ctx, client, inspectNode)
	if err != nil {
		return Info{}, err
	}
	info := worst(nodes)
	if c, ok := client.(*redis.Client); ok && c.Options().Addr == "FailoverClient" { // go-redis's mark of a client behind Sentinel
		info.Mode = "sentinel"
	} else if _, ok := client.(*redis.ClusterClient); ok {
		info.Mode = "cluster"
		if info.ClusterState, err = clusterState(ctx, client); err != nil && !refused(err) {
			return Info{}, fmt.Errorf("inspect redis: cluster info: %w", err)
		}
	}
	return info, nil
}

// answersAll reports whether a server refuses even a ping in a state that others may
// look into.
func answersAll(err error) bool {
	for _, word := range []string{"MISCONF ", "LOADING ", "BUSY "} {
		if redis.HasErrorPrefix(err, word) {
			return true
		}
	}
	return false
}

func clusterState(ctx context.Context, client redis.UniversalClient) (string, error) {
	text, err := client.ClusterInfo(ctx).Result()
	for line := range strings.Lines(text) {
		if state, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster_state:"); ok {
			return state, nil
		}
	}
	return "", err
}

// masters asks each master of a cluster, or the one server. There is at least one
// answer.
func masters(ctx context.Context, client redis.UniversalClient, ask func(context.Context, redis.Cmdable) (Info, error)) ([]Info, error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		info, err := ask(ctx, client)
		return []Info{info}, err
	}
	var mu sync.Mutex
	var nodes []Info
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		info, err := ask(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, info)
		return err
	})
	if err == nil && len(nodes) == 0 {
		err = errors.New("inspect redis: the cluster names no master")
	}
	return nodes, err
}

// Memory returns how much memory a Redis uses, and how much it has, in bytes: its
// maxmemory, or without one all of its machine's. Of a cluster it is that of the
// fullest master.
func Memory(ctx context.Context, client redis.UniversalClient) (used, has int64, err error) {
	nodes, err := masters(ctx, client, func(ctx context.Context, node redis.Cmdable) (info Info, err error) {
		text, err := node.Info(ctx, "memory").Result()
		if err != nil {
			return info, fmt.Errorf("info memory: %w", err)
		}
		info.read(text)
		info.MaxMemory = cmp.Or(info.MaxMemory, info.systemMemory)
		return info, nil
	})
	if err != nil {
		return 0, 0, err
	}
	fullest := worst(nodes)
	return fullest.UsedMemory, fullest.MaxMemory, nil
}

func inspectNode(ctx context.Context, client redis.Cmdable) (Info, error) {
	info := Info{Mode: "standalone"}
	for _, section := range []string{"server", "persistence", "memory", "replication"} {
		text, err := client.Info(ctx, section).Result()
		if refused(err) {
			continue
		}
		if err != nil {
			return Info{}, fmt.Errorf("inspect redis: info %s: %w", section, err)
		}
		info.read(text)
	}

	settings, err := client.ConfigGet(ctx, "appendfsync").Result()
	switch {
	case refused(err):
	case err != nil:
		return Info{}, fmt.Errorf("inspect redis: config get: %w", err)
	default:
		info.AppendFsync = settings["appendfsync"]
	}
	info.ConfigHidden = info.AppendFsync == ""

	offset, err := clockOffset(ctx, client)
	switch {
	case refused(err):
		info.ClockHidden = true
	case err != nil:
		return Info{}, fmt.Errorf("inspect redis: time: %w", err)
	default:
		info.ClockOffset = offset
	}
	return info, nil
}

// read takes what it knows from an answer to INFO. All but appendfsync stands
// there, so little is missing where CONFIG is refused.
func (i *Info) read(text string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "redis_version":
			i.Version = value
			i.AtLeast62 = !older(value, "6.2")
		case "redis_mode":
			i.Mode = value
		case "role":
			i.Replica = value == "slave"
		case "connected_slaves":
			i.Replicas, _ = strconv.Atoi(value)
		case "aof_last_write_status":
			i.WriteFailed = value != "ok"
		case "rdb_last_bgsave_status", "aof_last_bgrewrite_status":
			i.SaveFailed = i.SaveFailed || value != "ok"
		case "aof_enabled":
			i.AppendOnly = value == "1"
		case "maxmemory":
			i.MaxMemory, _ = strconv.ParseInt(value, 10, 64)
		case "maxmemory_policy":
			i.MaxMemoryPolicy = value
		case "used_memory":
			i.UsedMemory, _ = strconv.ParseInt(value, 10, 64)
		case "total_system_memory":
			i.systemMemory, _ = strconv.ParseInt(value, 10, 64)
		}
	}
}

// clockOffset takes the quickest of a few calls: the shorter the way, the less
// there is to guess about its halves.
func clockOffset(ctx context.Context, client redis.Cmdable) (time.Duration, error) {
	const calls = 3
	var offset, quickest time.Duration
	for i := range calls {
		sent := time.Now()
		theirs, err := client.Time(ctx).Result()
		if err != nil {
			return 0, err
		}
		trip := time.Since(sent)
		if i == 0 || trip < quickest {
			quickest = trip
			offset = theirs.Sub(sent.Add(trip / 2))
		}
	}
	return offset, nil
}

// refused tells an answer of the server (no such command, no permission) from
// no answer at all.
func refused(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// worst merges the nodes of a cluster.
func worst(nodes []Info) Info {
	all := nodes[0]
	for _, n := range nodes[1:] {
		if older(n.Version, all.Version) {
			all.Version, all.AtLeast62 = n.Version, n.AtLeast62
		}
		all.AppendOnly = all.AppendOnly && n.AppendOnly
		all.Replica, all.Replicas = all.Replica || n.Replica, min(all.Replicas, n.Replicas)
		all.WriteFailed, all.SaveFailed = all.WriteFailed || n.WriteFailed, all.SaveFailed || n.SaveFailed
		if all.AppendFsync == "always" || n.AppendFsync == "no" {
			all.AppendFsync = n.AppendFsync
		}
		if all.MaxMemoryPolicy == "noeviction" {
			all.MaxMemoryPolicy = n.MaxMemoryPolicy
		}
		if n.fullness() > all.fullness() || n.fullness() == all.fullness() && n.UsedMemory > all.UsedMemory {
			all.MaxMemory, all.UsedMemory = n.MaxMemory, n.UsedMemory
		}
		if n.ClockOffset.Abs() > all.ClockOffset.Abs() {
			all.ClockOffset = n.ClockOffset
		}
		all.ConfigHidden = all.ConfigHidden || n.ConfigHidden
		all.ClockHidden = all.ClockHidden || n.ClockHidden
	}
	return all
}

func (i Info) fullness() float64 {
	if i.MaxMemory <= 0 {
		return 0
	}
	return float64(i.UsedMemory) / float64(i.MaxMemory)
}

// older compares major and minor versions; what isn't a version is oldest.
func older(a, b string) bool { return slices.Compare(majorMinor(a), majorMinor(b)) < 0 }

func majorMinor(version string) []int {
	parts := strings.Split(version+".0", ".")
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil {
		return nil
	}
	return []int{major, minor}
}
