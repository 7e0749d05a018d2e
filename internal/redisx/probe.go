package redisx

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/probe.lua
	probeSource string
	probeScript = redis.NewScript(probeSource)
)

// RefusedError means that a Redis answers and doesn't take what handout writes.
type RefusedError struct {
	// Word is Redis's own for the sort of refusal, as in READONLY, and Reason all that
	// it says.
	Word, Reason string
	Advice       string
}

func (e *RefusedError) Error() string { return "Redis refuses writes: " + e.Reason }

func newRefused(word, reason string) *RefusedError {
	return &RefusedError{word, reason, advice[word]}
}

// advice is what to do about a refusal, by the first word of Redis's answer.
var advice = map[string]string{
	"READONLY":    "it is a replica: name its master in REDIS_URL, or the Sentinels or the cluster",
	"NOPERM":      "give the user of REDIS_URL the rights that deploy/redis.conf names",
	"OOM":         "raise maxmemory, or purge campaigns",
	"MISCONF":     "Redis can't save to its disk: look at its log and the disk's space",
	"NOREPLICAS":  "fewer replicas are connected than min-replicas-to-write asks for",
	"CLUSTERDOWN": "the cluster has lost a master, or slots: see CLUSTER INFO",
	"LOADING":     "wait: it reads its data from the disk",
	"MASTERDOWN":  "it is a replica whose master is gone: name the master in REDIS_URL, or the Sentinels",
	"BUSY":        "a script of another client holds it up",
	"ERR":         "handout needs scripts (EVAL), and a Redis that has them",
}

// Probe tries a write and a script on a Redis, of a cluster on each master, and looks
// for the rights of a process that takes tasks from the queue; empty: from none. It returns
// a *RefusedError when Redis answers and refuses, and another error when it doesn't
// answer.
func Probe(ctx context.Context, rdb redis.UniversalClient, queue string) error {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		return probe(ctx, rdb, Prefix(rdb), Prefix(rdb)+":probe", queue)
	}
	keys, err := probeKeys(ctx, cluster)
	if err != nil {
		return refusal(err)
	}
	errs := make([]error, len(keys))
	var group sync.WaitGroup
	for i, key := range keys {
		group.Go(func() { errs[i] = probe(ctx, cluster, Prefix(rdb), key, queue) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// probeKeysTried is how many keys are tried for one of each master: a master with a
// hundredth of the slots has none of so many once in 10^18 times.
const probeKeysTried = 4096

// probeKeys returns a key for each master that has slots.
func probeKeys(ctx context.Context, cluster *redis.ClusterClient) ([]string, error) {
	seen := make(map[string]bool)
	var keys []string
	for i := range probeKeysTried {
		key := Prefix(cluster) + ":probe:{" + strconv.Itoa(i) + "}"
		node, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			return nil, err
		}
		if addr := node.Options().Addr; !seen[addr] {
			seen[addr] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func probe(ctx context.Context, rdb redis.Scripter, prefix, key, queue string) error {
	forbidden, err := probeScript.Run(ctx, rdb, []string{key}, prefix, queue).StringSlice()
	if err != nil {
		return refusal(err)
	}
	if len(forbidden) > 0 {
		return newRefused("NOPERM", "its user may not "+strings.Join(forbidden, ", "))
	}
	return nil
}

// refusal makes an answer of the server's a *RefusedError.
func refusal(err error) error {
	if !refused(err) {
		return fmt.Errorf("try a write: %w", err)
	}
	text, _, _ := strings.Cut(err.Error(), " script: ") // behind it stand the script's name and line
	// Redis wraps what a script's command was refused with.
	word := ""
	for known := range advice {
		if known != "ERR" && strings.Contains(text, known) {
			word = known
		}
	}
	switch {
	case strings.Contains(text, "The user executing the script can't"):
		word = "NOPERM"
	case word == "":
		word = "ERR"
	}
	return newRefused(word, text)
}

// Readiness asks a Redis at most once in readyLife whether it takes writes: probes of
// many may not load it. It is safe for concurrent use.
type Readiness struct {
	rdb   redis.UniversalClient
	queue string

	mu    sync.Mutex
	at    time.Time
	state error
}

const (
	readyLife    = 2 * time.Second
	readyTimeout = 2 * time.Second
)

// NewReadiness returns the readiness of a Redis for a process that takes tasks from the
// queue; empty: from none.
func NewReadiness(rdb redis.UniversalClient, queue string) *Readiness {
	return &Readiness{rdb: rdb, queue: queue}
}

// Check returns why nothing can be written, if that is so. It takes readyTimeout at
// most, for all who wait together.
func (r *Readiness) Check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) >= readyLife {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		r.state = Probe(ctx, r.rdb, r.queue)
		r.at = time.Now()
	}
	return r.state
}
