package chaos_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// Redis is killed between two commands, not between a write and its answer: the
// file has what Redis has handed to the system by then.
func TestRedis_KilledWithFsyncAlwaysLosesNothing(t *testing.T) {
	t.Parallel()
	r, kills := redisCrashes(t, "always", 0)
	r.awaitDone(finishTime)
	r.judge(30, "redis killed, appendfsync always").require(r, inFlight*kills)
}

func TestRedis_KilledWithFsyncEverySecondIsMeasured(t *testing.T) {
	t.Parallel()
	r, _ := redisCrashes(t, "everysec", 0)
	r.awaitDone(finishTime)
	r.judge(measured+1, "redis killed, appendfsync everysec").report(r)
}

// What a crash of the whole machine takes with it under everysec: up to the
// last second of the file. Claims in that second are forgotten and made again.
func TestRedis_LastSecondLostIsMeasured(t *testing.T) {
	t.Parallel()
	r, _ := redisCrashes(t, "everysec", time.Second)
	r.awaitDone(finishTime)
	r.judge(measured+2, "the last second of everysec lost").report(r)
}

// redisCrashes sends a campaign and kills its Redis meanwhile; what was written
// in the time forget before each kill is cut off the append-only file.
func redisCrashes(t *testing.T, fsync string, forget time.Duration) (*rig, int) {
	t.Helper()
	r := newRig(t, setup{
		recipients: size(400, 5000), rate: size(120, 250), deaf: true, redis: []redistest.Option{redistest.AppendOnly(fsync)},
	})
	r.listen()
	r.submit()
	written := r.watchFile()
	r.work()
	kills := size(3, 10)
	for i := range kills {
		r.awaitTaken((i + 1) * r.recipients * 3 / 4 / (kills + 1))
		pause(0, 100*time.Millisecond)
		r.killRedis(written, forget)
	}
	return r, kills
}

// killRedis kills Redis and starts it again a moment later on what it left.
func (r *rig) killRedis(written *fileSizes, forget time.Duration) {
	r.t.Helper()
	r.redis.Kill()
	r.kills.Add(1)
	if forget > 0 {
		file, size := written.before(time.Now().Add(-forget))
		if err := os.Truncate(file, size); err != nil {
			r.t.Fatal(err)
		}
	}
	pause(100*time.Millisecond, 700*time.Millisecond)
	r.redis.Restart()
}

// fileSizes remembers how the append-only file grew.
type fileSizes struct {
	mu   sync.Mutex
	file string
	at   []time.Time
	size []int64
}

// watchFile watches the append-only file until the test ends.
func (r *rig) watchFile() *fileSizes {
	r.t.Helper()
	dir := filepath.Dir(strings.TrimPrefix(r.redis.URL(), "unix://"))
	var found []string
	for _, pattern := range []string{"appendonlydir/*.incr.aof", "appendonly.aof"} { // from Redis 7 on; before
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			r.t.Fatal(err)
		}
		found = append(found, names...)
	}
	if len(found) != 1 {
		r.t.Fatalf("the append-only file is one of %q", found)
	}
	f := &fileSizes{file: found[0]}
	f.look()
	ctx, cancel := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	watcher.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				f.look()
			}
		}
	})
	r.t.Cleanup(func() { cancel(); watcher.Wait() })
	return f
}

func (f *fileSizes) look() {
	stat, err := os.Stat(f.file)
	if err != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.size); n == 0 || f.size[n-1] != stat.Size() {
		f.at, f.size = append(f.at, time.Now()), append(f.size, stat.Size())
	}
}

// before is the size that the file had at a time, at least the first one seen.
func (f *fileSizes) before(t time.Time) (string, int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := f.size[0]
	for i, at := range f.at {
		if at.Before(t) {
			size = f.size[i]
		}
	}
	return f.file, size
}
