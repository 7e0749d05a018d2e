package redisx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// replicaTimeout is how long a script waits for its replicas. One that is there answers
// within milliseconds.
const replicaTimeout = time.Second

// ErrNotReplicated means that a script was run, and that a failover may forget what it
// wrote.
var ErrNotReplicated = errors.New("too few of Redis's replicas have what was written")

// RunReplicated runs a script and waits, in the same round trip, until so many
// replicas have what it wrote; [ErrNotReplicated], beside the answers, when fewer had it
// in time. The wait goes down the script's own connection: Redis waits for what that one
// has written. Without replicas to wait for it is Run.
//
// A master that was replaced answers for as long as it doesn't know. Its replicas have
// left it, so that it never has enough of them.
func RunReplicated(ctx context.Context, rdb redis.UniversalClient, script *redis.Script, replicas int, keys []string, args ...any) (answers []any, err error) {
	if replicas == 0 {
		return script.Run(ctx, rdb, keys, args...).Slice()
	}
	node := rdb
	cluster, isCluster := rdb.(*redis.ClusterClient)
	if isCluster { // whose pipelines send a command without a key to any node
		if node, err = cluster.MasterForKey(ctx, keys[0]); err != nil {
			return nil, fmt.Errorf("find the master of a slot: %w", err)
		}
	}
	for tries := 0; ; tries++ {
		var run *redis.Cmd
		var wait *redis.Cmd
		// Each command has its own error.
		_, _ = node.Pipelined(ctx, func(p redis.Pipeliner) error {
			run, wait = p.EvalSha(ctx, script.Hash(), keys, args...), p.Do(ctx, "wait", replicas, replicaTimeout.Milliseconds())
			return nil
		})
		if redis.HasErrorPrefix(run.Err(), "NOSCRIPT") && tries == 0 {
			if err := script.Load(ctx, node).Err(); err != nil {
				return nil, err
			}
			continue
		}
		if err := run.Err(); err != nil {
			if isCluster { // the slot may have moved: whoever asks again finds it
				cluster.ReloadState(ctx)
			}
			return nil, err
		}
		answers, err = run.Slice()
		var have int64
		if err == nil {
			have, err = wait.Int64()
		}
		if err != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		if have < int64(replicas) {
			return answers, ErrNotReplicated
		}
		return answers, nil
	}
}
