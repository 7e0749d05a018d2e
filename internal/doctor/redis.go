package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/probe"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
)

// maxClockOffset is how far a worker's clock may be from Redis's: asynq's leases last
// 30 s by the worker's clock.
const maxClockOffset = 5 * time.Second

func examineRedis(ctx context.Context, c *Setup) []probe.Finding {
	const start = "set REDIS_URL, as in redis://127.0.0.1:6379/0, and start Redis with deploy/redis.conf"
	if c.RedisURL == "" {
		return []probe.Finding{{Fatal: true, Check: "Redis", Found: "REDIS_URL is not set", Advice: start}}
	}
	where := redisx.Describe(c.RedisURL)
	rdb, err := redisx.Open(c.RedisURL, c.Prefix, redisx.WithTLS(c.RedisTLS))
	if err != nil {
		return []probe.Finding{{Fatal: true, Check: "Redis", Found: oneLine(err), Advice: start}}
	}
	defer rdb.Close()
	info, err := redisx.Inspect(ctx, rdb)
	if err != nil {
		return []probe.Finding{{Fatal: true, Check: "Redis", Found: fmt.Sprintf("%s can't be reached: %s", where, oneLine(err)), Advice: "is it running, and is REDIS_URL right?"}}
	}
	var findings []probe.Finding
	add := func(ok, fatal bool, check, found, advice string) {
		findings = append(findings, probe.Finding{OK: ok, Fatal: fatal, Check: check, Found: found, Advice: advice})
	}
	add(true, true, "Redis", fmt.Sprintf("%s answers (%s)", where, info.Mode), start)
	err = redisx.Probe(ctx, rdb, "bulk")
	var no *redisx.RefusedError
	switch {
	case errors.As(err, &no):
		add(false, true, "Redis writes", oneLine(no), no.Advice)
	case err != nil:
		add(false, true, "Redis writes", oneLine(err), "is it overloaded, or just failing over?")
	default:
		add(true, true, "Redis writes", "taken, by scripts too", "")
	}
	add(!info.Replica, true, "Redis role", map[bool]string{true: "replica", false: "master"}[info.Replica],
		"name its master in REDIS_URL, or the Sentinels: what is written to a replica is lost")
	if want := c.RedisReplicas; want > 0 || info.Replicas > 0 {
		add(info.Replicas >= want, true, "Redis replicas", fmt.Sprintf("%d follow, a claim waits for %d", info.Replicas, want),
			"start the replicas, or lower HANDOUT_REDIS_REPLICAS: nothing is sent without them")
	}
	if info.ClusterState != "" {
		add(info.ClusterState == "ok", true, "Redis Cluster", "cluster_state:"+info.ClusterState, "see CLUSTER INFO: a master or slots are missing, and campaigns there stand still")
	}
	stamp, there, err := installation.Read(ctx, rdb)
	strange := stamp.Check(c.Prefix, c.Accounts)
	switch {
	case err != nil:
		add(false, true, "installation", oneLine(err), "run programs of one version, or set HANDOUT_PREFIX so that the keys are handout's own")
	case strange != nil:
		add(false, true, "installation", oneLine(strange), "docs/accounts.md, \"Another account under a name\"")
	case there:
		add(true, true, "installation", fmt.Sprintf("%s, under the prefix %s, since %s", stamp.ID, c.Prefix, stamp.Since.Format(time.DateOnly)), "")
	default:
		add(true, true, "installation", fmt.Sprintf("none yet under the prefix %s", c.Prefix), "")
	}
	if err == nil {
		findings = append(findings, examineMasterKey(ctx, c, rdb, stamp))
	}
	add(info.AtLeast62, true, "Redis version", info.Version, "handout and its queue need Redis 6.2 or newer")
	findings = append(findings, examineKeyStore(ctx, c)...)
	if info.ConfigHidden {
		add(false, false, "Redis settings", "this Redis doesn't show them",
			"check yourself that it has appendonly yes, appendfsync always and maxmemory-policy noeviction")
	} else {
		add(info.AppendOnly, true, "append-only file", map[bool]string{true: "on", false: "off"}[info.AppendOnly],
			"set appendonly yes: without it a restart of Redis forgets who has been sent to")
		add(info.AppendFsync == "always", false, "appendfsync", info.AppendFsync,
			"set appendfsync always: otherwise a crash of Redis forgets its last second, and claims of that second are sent twice")
		add(info.MaxMemoryPolicy == "noeviction", true, "maxmemory-policy", info.MaxMemoryPolicy,
			"set maxmemory-policy noeviction: any other policy deletes records when memory runs out")
	}
	add(!info.WriteFailed, true, "Redis's disk", map[bool]string{true: "the latest write to the append-only file failed", false: "written to"}[info.WriteFailed],
		"look at Redis's log and the disk's space: what isn't written, a crash forgets")
	if info.SaveFailed {
		add(false, false, "Redis's saves", "the latest snapshot, or rewrite of the append-only file, failed", "look at Redis's log, the disk's space and vm.overcommit_memory")
	}
	if info.MaxMemory > 0 {
		used := float64(info.UsedMemory) / float64(info.MaxMemory)
		add(used < 0.7, used >= 1, "Redis memory", fmt.Sprintf("%.0f %% of %d MB used", 100*used, info.MaxMemory>>20),
			"raise maxmemory, or purge campaigns: at 100 % nothing can be written and sending stops")
	}
	if id, reason, err := report.NewReader(rdb, c.Rate).Restored(ctx); err == nil && id != "" { // other checks report errors of Redis
		add(false, true, "Redis's memory", fmt.Sprintf("campaign %s is held: %s", id, reason),
			"before you resume it, settle who was sent to since: handout recover, and docs/operating.md, \"Restore\"")
	} else if restore, err := installation.ReadRestore(ctx, rdb); err == nil && restore != nil {
		add(false, false, "Redis's memory", fmt.Sprintf("put back to its state of %s; what is submitted is held", restore.From.Format(time.RFC3339)), "end it with handout recover close")
	}
	if !info.ClockHidden {
		add(info.ClockOffset.Abs() < maxClockOffset, true, "clock", fmt.Sprintf("Redis's clock is %s from this machine's", info.ClockOffset.Round(time.Millisecond)),
			"synchronise both machines with NTP: leases in the queue go by the workers' clocks")
	}
	return findings
}

// examineKeyStore looks at the Redis of the campaigns' keys, if there is one.
func examineKeyStore(ctx context.Context, c *Setup) []probe.Finding {
	if c.KeysURL == "" {
		return nil
	}
	f := probe.Finding{Fatal: true, Check: "Redis of the keys", Advice: "set HANDOUT_KEYS_URL to a Redis of its own with appendonly yes and maxmemory-policy noeviction: without its keys no one can read who is in a campaign"}
	rdb, err := redisx.Open(c.KeysURL, c.Prefix, redisx.WithTLS(c.RedisTLS))
	if err != nil {
		f.Found = oneLine(err)
		return []probe.Finding{f}
	}
	defer rdb.Close()
	where := redisx.Describe(c.KeysURL)
	info, err := redisx.Inspect(ctx, rdb)
	switch {
	case err != nil:
		f.Found = fmt.Sprintf("%s can't be reached: %s", where, oneLine(err))
	case info.Replica:
		f.Found = where + " is a replica: what is written there is lost"
	case !info.ConfigHidden && !info.AppendOnly:
		f.Found = where + " forgets the keys when it restarts: its append-only file is off"
	case !info.ConfigHidden && info.MaxMemoryPolicy != "noeviction":
		f.Found = where + " deletes keys when memory runs out: its maxmemory-policy is " + info.MaxMemoryPolicy
	default:
		f.OK, f.Found = true, where+" answers; it belongs in no backup"
	}
	return []probe.Finding{f}
}
