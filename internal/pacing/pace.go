package pacing

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Pace is what a limiter has left in Redis: what is known without asking any
// worker.
type Pace struct {
	// Rate is in force, in messages per second; 0 when no slot was ever given
	// out. It dates from LastSlot.
	Rate float64
	// Cut is by how many steps of a third Rate is lowered, after Telesign has
	// said "too fast".
	Cut int
	// BlockedUntil is when the next slot may begin; zero when one may now.
	BlockedUntil time.Time
	// LastSlot is when the last slot begins that was given out; zero: none yet.
	LastSlot time.Time
}

// Share is what is left of the rate that was set, over 0 to 1.
func (p Pace) Share() float64 { return Share(p.Cut) }

const (
	// cutFactor is what a step leaves of the rate.
	cutFactor = 2.0 / 3
	// cutTime is how long a step lasts without another.
	cutTime = 10 * time.Second
)

// Share is what so many steps leave of a rate.
func Share(cut int) float64 { return math.Pow(cutFactor, float64(cut)) }

// CutNow is how many of the steps are in force at now which began to recover at
// cutAt; both are Unix microseconds of Redis's clock.
func CutNow(cut int, cutAt, now float64) int {
	return max(0, cut-max(0, int(math.Floor((now-cutAt)/float64(cutTime.Microseconds())))))
}

// ReadPace reads the limiter under a key as it stands at now, by Redis's clock.
func ReadPace(ctx context.Context, rdb redis.Cmdable, key string, now time.Time) (Pace, error) {
	// As lua/pace.lua and lua/throttle.lua write them.
	values, err := rdb.HMGet(ctx, key, "rate", "cut", "cut_at", "blocked", "last").Result()
	if err != nil {
		return Pace{}, fmt.Errorf("read %s: %w", key, err)
	}
	var v [5]float64
	for i, s := range values {
		if text, ok := s.(string); ok {
			if v[i], err = strconv.ParseFloat(text, 64); err != nil {
				return Pace{}, fmt.Errorf("read %s: %q isn't a number", key, text)
			}
		}
	}
	p := Pace{Cut: CutNow(int(v[1]), v[2], float64(now.UnixMicro()))}
	p.Rate = v[0] * p.Share()
	if until := time.UnixMicro(int64(v[3])).UTC(); until.After(now) {
		p.BlockedUntil = until
	}
	if v[4] > 0 {
		p.LastSlot = time.UnixMicro(int64(v[4])).UTC()
	}
	return p, nil
}
