package access

import (
	"context"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/redis/go-redis/v9"
)

// OverError means that a key has used up what it may do for now.
type OverError struct {
	Text  string
	Until time.Time // when some of it is free again; zero: it is more than the limit ever allows
}

func (e *OverError) Error() string { return e.Text }

// dailyScript counts recipients, once for each name of what they are sent to by.
//
// KEYS[1] -> handout:keys:daily:{<name>}:<day>
// ARGV[1] -> the name, of a campaign or a one-off send
// ARGV[2] -> how many recipients
// ARGV[3] -> how many all may be
// ARGV[4] -> after how many seconds it may be forgotten
//
// Returns how many are used without these, or -1 when they are counted.
var dailyScript = redis.NewScript(`
local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local all = tonumber(redis.call('HGET', KEYS[1], '*') or '0') - before
local n = math.max(before, tonumber(ARGV[2]))
if all + n > tonumber(ARGV[3]) then
  return all
end
redis.call('HSET', KEYS[1], ARGV[1], n, '*', all + n)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return -1`)

// TakeDay counts n recipients of a campaign, or a one-off send, against the key's limit
// for a day of UTC. What was counted is counted once, however often it is asked for: a
// process that dies after it has used some of the limit, and sent nothing.
// Errors: [*OverError], and those of Redis.
func (k *Keys) TakeDay(ctx context.Context, key *Key, name string, n int, now time.Time) error {
	if key.Daily <= 0 {
		return nil
	}
	if n > key.Daily {
		return &OverError{Text: fmt.Sprintf("the key %s may send to %s a day, and these are %s", key.Name, campaign.Count(key.Daily, "recipient"), campaign.Number(n))}
	}
	day := now.UTC().Truncate(24 * time.Hour)
	used, err := dailyScript.Run(ctx, k.rdb, []string{k.keys.daily(key.Name, day.Format(time.DateOnly))}, name, n, key.Daily, 2*24*60*60).Int()
	if err != nil {
		return fmt.Errorf("count what key %s sends: %w", key.Name, err)
	}
	if used < 0 {
		return nil
	}
	until := day.AddDate(0, 0, 1)
	return &OverError{Until: until, Text: fmt.Sprintf("the key %s may send to %s a day: %s are used, and %s were asked for; it may go on at %s",
		key.Name, campaign.Count(key.Daily, "recipient"), campaign.Number(used), campaign.Number(n), until.Format(time.RFC3339))}
}

// hourlyScript counts a one-off send to a number, once for each name.
//
// KEYS[1] -> handout:keys:hourly:{<name>}:<digest>
// ARGV[1] -> the send's name
// ARGV[2] -> now, Unix milliseconds
// ARGV[3] -> how many there may be in an hour
//
// Returns -1 when it is counted, else the Unix millisecond when the oldest was.
var hourlyScript = redis.NewScript(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', tonumber(ARGV[2]) - 3600000)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return -1
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then
  return tonumber(redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2])
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], 3600)
return -1`)

// TakeHour counts a one-off send to a number against the key's limit for an hour, as
// TakeDay does. Errors: [*OverError], and those of Redis.
func (k *Keys) TakeHour(ctx context.Context, key *Key, name, number string, now time.Time) error {
	if key.Hourly <= 0 {
		return nil
	}
	oldest, err := hourlyScript.Run(ctx, k.rdb, []string{k.keys.hourly(key.Name, hash(number))}, name, now.UnixMilli(), key.Hourly).Int64()
	if err != nil {
		return fmt.Errorf("count what key %s sends: %w", key.Name, err)
	}
	if oldest < 0 {
		return nil
	}
	until := time.UnixMilli(oldest).Add(time.Hour).UTC()
	return &OverError{Until: until, Text: fmt.Sprintf("the key %s may send to one number %s an hour, and has; it may go on at %s",
		key.Name, campaign.Count(key.Hourly, "time"), until.Format(time.RFC3339))}
}
