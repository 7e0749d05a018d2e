package ledger

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// timed is a member of a sorted set by time, as it was read.
type timed struct {
	member string
	at     float64
}

// due lists up to n members of a set whose time has come by a moment, in the set's
// unit, the longest due first; -1 is no limit.
func (l *Ledger) due(ctx context.Context, key string, by int64, n int) ([]timed, error) {
	z, err := l.rdb.ZRangeByScoreWithScores(ctx, key, &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(by, 10), Count: int64(n),
	}).Result()
	all := make([]timed, len(z))
	for i := range z {
		all[i].member, _ = z[i].Member.(string)
		all[i].at = z[i].Score
	}
	return all, err
}

// put sets the time of a member anew, 0: takes it out; false when it was called since
// it was read.
func (l *Ledger) put(ctx context.Context, key string, m timed, at int64) (bool, error) {
	text := ""
	if at != 0 {
		text = strconv.FormatInt(at, 10)
	}
	n, err := dueScript.Run(ctx, l.rdb, []string{key}, m.member, strconv.FormatFloat(m.at, 'f', -1, 64), text).Int()
	return n == 1, err
}

// millis is a time in Unix milliseconds, 0 for the zero time, which is long before.
func millis(t time.Time) int64 { return max(0, t.UnixMilli()) }
