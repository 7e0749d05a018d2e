package installation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// A backup carries a mark: when it was begun, and in which run of Redis. It stands in Redis
// only until the copy is taken. A Redis that has the mark of another run was put back from
// that copy, which so says it to every process that opens it, also to the first one.

const (
	// timeDigits and runDigits make a mark of 20 characters: Redis writes shorter strings
	// as they are, and compresses longer ones, in which the mark couldn't be found.
	timeDigits = 8
	runDigits  = 12
	// maxMarked is how long a backup's mark may stand; an older one was left by a backup
	// that was killed.
	maxMarked = time.Hour
)

// Restore says that Redis was put back to an older state, until a person closes it.
type Restore struct {
	From    time.Time // the state's, in whole seconds
	Before  bool      // the state is from some time before From
	Noticed time.Time // by Redis's clock, in whole seconds
	Held    bool      // every campaign that might send has been held for it
}

const (
	fieldFrom    = "from" // Unix seconds, as fieldNoticed
	fieldBefore  = "before"
	fieldNoticed = "noticed"
	fieldHeld    = "held"
)

// BeginBackup marks Redis for the copy that is taken next, and returns the mark, which is
// of 20 ASCII characters and stands in the copy as it is, and its time. It takes the place
// of another backup's mark: one that was killed, or is being made, which finds its copy
// without its mark then and takes another. If the process dies before [EndBackup],
// [ReadRestore] takes the mark away after an hour.
func BeginBackup(ctx context.Context, rdb redis.UniversalClient) (mark string, at time.Time, err error) {
	if _, err := ReadRestore(ctx, rdb); err != nil { // which must not miss the mark of another run
		return "", at, err
	}
	at, run, err := nowAndRun(ctx, rdb)
	if err != nil {
		return "", at, err
	}
	mark = markOf(at, run)
	if err := rdb.Set(ctx, markKey(redisx.Prefix(rdb)), mark, 0).Err(); err != nil {
		return "", at, fmt.Errorf("mark the backup: %w", err)
	}
	return mark, at, nil
}

func markOf(at time.Time, run string) string {
	return fmt.Sprintf("%0*x%s", timeDigits, at.Unix(), run)
}

// MarkedMaster returns the address of the master of a cluster that has the mark.
func MarkedMaster(ctx context.Context, c *redis.ClusterClient) (string, error) {
	node, err := c.MasterForKey(ctx, markKey(redisx.Prefix(c)))
	if err != nil {
		return "", fmt.Errorf("find the master of the backup's mark: %w", err)
	}
	return node.Options().Addr, nil
}

// EndBackup takes the mark away: the copy is taken, or won't be.
func EndBackup(ctx context.Context, rdb redis.UniversalClient) error {
	if err := rdb.Del(ctx, markKey(redisx.Prefix(rdb))).Err(); err != nil {
		return fmt.Errorf("take the backup's mark away: %w", err)
	}
	return nil
}

// ReadRestore returns from which state Redis was put back; nil: it wasn't, or a person has
// closed it. It may be called at any time, and twice.
func ReadRestore(ctx context.Context, rdb redis.UniversalClient) (*Restore, error) {
	prefix := redisx.Prefix(rdb)
	var marked *redis.StringCmd
	var noted *redis.MapStringStringCmd
	_, err := rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		marked, noted = p.Get(ctx, markKey(prefix)), p.HGetAll(ctx, restoreKey(prefix))
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read whether Redis was put back: %w", err)
	}
	if mark := marked.Val(); mark != "" {
		fresh, err := readMark(ctx, rdb, mark)
		if fresh != nil || err != nil {
			return fresh, err
		}
	}
	v := noted.Val()
	if len(v) == 0 {
		return nil, nil
	}
	return &Restore{From: unix(v[fieldFrom]), Before: v[fieldBefore] != "", Noticed: unix(v[fieldNoticed]), Held: v[fieldHeld] != ""}, nil
}

// readMark returns the restore that a mark tells of; nil: it is of a backup that is being
// made, or was killed.
func readMark(ctx context.Context, rdb redis.UniversalClient, mark string) (*Restore, error) {
	now, run, err := nowAndRun(ctx, rdb)
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(mark[:min(timeDigits, len(mark))], 16, 64)
	if err != nil {
		return nil, fmt.Errorf("read the backup's mark: %w", err)
	}
	at := time.Unix(seconds, 0).UTC()
	if mark == markOf(at, run) {
		if now.Sub(at) > maxMarked {
			return nil, EndBackup(ctx, rdb)
		}
		return nil, nil
	}
	r := &Restore{From: at, Noticed: now}
	// The note first: if the process dies in between, the mark is read again, and says
	// the same.
	if err := NoteRestore(ctx, rdb, r); err != nil {
		return nil, err
	}
	return r, EndBackup(ctx, rdb)
}

// NoteRestore keeps that Redis was put back, until [CloseRestore].
func NoteRestore(ctx context.Context, rdb redis.UniversalClient, r *Restore) error {
	before, held := "", ""
	if r.Before {
		before = "1"
	}
	if r.Held {
		held = "1"
	}
	err := rdb.HSet(ctx, restoreKey(redisx.Prefix(rdb)), fieldFrom, r.From.Unix(), fieldBefore, before, fieldNoticed, r.Noticed.Unix(), fieldHeld, held).Err()
	if err != nil {
		return fmt.Errorf("note that Redis was put back: %w", err)
	}
	return nil
}

// CloseRestore ends a restore: a person has settled what it has left open.
func CloseRestore(ctx context.Context, rdb redis.UniversalClient) error {
	if err := rdb.Del(ctx, restoreKey(redisx.Prefix(rdb))).Err(); err != nil {
		return fmt.Errorf("close the restore: %w", err)
	}
	return nil
}

// nowAndRun returns the time, and the beginning of the random name of the run, of the
// Redis that has the mark: in a cluster the master of its slot.
func nowAndRun(ctx context.Context, rdb redis.UniversalClient) (now time.Time, run string, err error) {
	var node redis.Cmdable = rdb
	if c, ok := rdb.(*redis.ClusterClient); ok {
		if node, err = c.MasterForKey(ctx, markKey(redisx.Prefix(rdb))); err != nil {
			return now, "", fmt.Errorf("find the master of the backup's mark: %w", err)
		}
	}
	text, err := node.Info(ctx, "server").Result()
	if err != nil {
		return now, "", fmt.Errorf("info server: %w", err)
	}
	for line := range strings.Lines(text) {
		if id, ok := strings.CutPrefix(strings.TrimSpace(line), "run_id:"); ok && len(id) >= runDigits {
			run = id[:runDigits]
		}
	}
	if run == "" {
		return now, "", errors.New("info server: Redis doesn't name its run (run_id)")
	}
	if now, err = node.Time(ctx).Result(); err != nil {
		return now, "", fmt.Errorf("read Redis's time: %w", err)
	}
	return now.UTC().Truncate(time.Second), run, nil
}

func unix(seconds string) time.Time {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
