package pacing

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Pace is what a limiter has left in Redis: what is known without asking any
// worker.
type Pace struct {
	// Rate is as it was set when the last slot was given out, in messages per
	// second; 0: none ever was.
	Rate float64
	// Granted is what Telesign grants, as measured, where that is less than Rate;
	// 0: it has denied nothing, or none of late. GrantedSince is since when.
	Granted      float64
	GrantedSince time.Time
	// BlockedUntil is when the next slot may begin; zero when one may now.
	BlockedUntil time.Time
}

// Of returns what is in force of a rate that is set, 0 for no limit.
func (p Pace) Of(rate float64) float64 {
	if p.Granted > 0 && rate > 0 {
		return min(rate, p.Granted)
	}
	return rate
}

// ReadPace reads the limiter under a key as it stands at now, by Redis's clock.
func ReadPace(ctx context.Context, rdb redis.Cmdable, key string, now time.Time) (Pace, error) {
	// As lua/pace.lua writes them.
	values, err := rdb.HMGet(ctx, key, "rate", "seen", "blocked", "since", "peak", "grown").Result()
	if err != nil {
		return Pace{}, fmt.Errorf("read %s: %w", key, err)
	}
	var v [6]float64
	for i, s := range values {
		if text, ok := s.(string); ok {
			if v[i], err = strconv.ParseFloat(text, 64); err != nil {
				return Pace{}, fmt.Errorf("read %s: %q isn't a number", key, text)
			}
		}
	}
	p := Pace{Rate: v[0]}
	s := paceState{seen: v[1], blocked: v[2], granted: granted{since: v[3], peak: v[4], grown: v[5]}}
	at := float64(now.UnixMicro())
	if at < s.seen { // the clock was set back
		s = s.shift(at - s.seen)
	}
	if rate := s.granted.rate(); headroom*rate < p.Rate {
		p.Granted, p.GrantedSince = rate, moment(s.granted.since)
	}
	if s.blocked > at {
		p.BlockedUntil = moment(s.blocked)
	}
	return p, nil
}

func moment(micros float64) time.Time { return time.UnixMicro(int64(micros)).UTC() }
