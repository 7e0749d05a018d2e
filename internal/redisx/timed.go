package redisx

import (
	"context"
	_ "embed" // the scripts
	"strconv"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed lua/putoff.lua
	putOffSource string
	putOffScript = redis.NewScript(putOffSource)
	//go:embed lua/call.lua
	callSource string
	callScript = redis.NewScript(callSource)
)

// Timed is a member of a line, a sorted set by time, as it was read.
type Timed struct {
	Member string
	At     float64
}

// Due lists up to n members of a line whose time has come by a moment, in the line's
// unit, the longest due first; -1 is no limit.
func Due(ctx context.Context, rdb redis.Cmdable, line string, by int64, n int) ([]Timed, error) {
	z, err := rdb.ZRangeByScoreWithScores(ctx, line, &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(by, 10), Count: int64(n),
	}).Result()
	all := make([]Timed, len(z))
	for i := range z {
		all[i].Member, _ = z[i].Member.(string)
		all[i].At = z[i].Score
	}
	return all, err
}

// PutOff sets the time of a member anew, 0: takes it out; false when it was called
// since it was read.
func PutOff(ctx context.Context, rdb redis.Scripter, line string, m Timed, at int64) (bool, error) {
	text := ""
	if at != 0 {
		text = strconv.FormatInt(at, 10)
	}
	n, err := putOffScript.Run(ctx, rdb, []string{line}, m.Member, strconv.FormatFloat(m.At, 'f', -1, 64), text).Int()
	return n == 1, err
}

// Call has members of a line looked at no later than a time. Who has read one before
// can't put it off any more.
func Call(ctx context.Context, rdb redis.Scripter, line string, at int64, members ...any) error {
	return callScript.Run(ctx, rdb, []string{line}, append([]any{at}, members...)...).Err()
}
