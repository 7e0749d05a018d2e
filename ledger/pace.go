package ledger

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// Pace is what a limiter has left in the ledger: what is so without asking any
// worker.
type Pace struct {
	// Rate is in force, in messages per second; 0 when no slot was ever given
	// out. As set by LastSlot: a rate of before, if it is long ago.
	Rate float64
	// Cut is by how many steps of a third Rate is lowered, after Telesign has
	// said "too fast".
	Cut int
	// BlockedUntil is when the next slot may begin; zero when one may now.
	BlockedUntil time.Time
	// LastSlot is when the last slot begins that was given out; zero: none yet.
	LastSlot time.Time
}

const (
	// PaceCutFactor is what a step leaves of the rate.
	PaceCutFactor = 2.0 / 3
	// PaceCutTime is how long a step lasts without another.
	PaceCutTime = 10 * time.Second
)

// PaceCut is how many of the steps are in force at now which began to recover at
// cutAt; both are Unix microseconds of Redis's clock.
func PaceCut(cut int, cutAt, now float64) int {
	return max(0, cut-max(0, int(math.Floor((now-cutAt)/float64(PaceCutTime.Microseconds())))))
}

// Pace reads the account's limiter.
func (l *Ledger) Pace(ctx context.Context) (Pace, error) { return l.pace(ctx, KeyPace) }

// PaceOf reads the campaign's own limiter, which stands still unless it has a
// rate of its own.
func (l *Ledger) PaceOf(ctx context.Context, c campaign.ID) (Pace, error) {
	return l.pace(ctx, KeyCampaignPace(c))
}

func (l *Ledger) pace(ctx context.Context, key string) (Pace, error) {
	now, err := l.rdb.Time(ctx).Result()
	if err != nil {
		return Pace{}, fmt.Errorf("read Redis's clock: %w", err)
	}
	// As worker/lua/pace.lua and throttle.lua write them.
	values, err := l.rdb.HMGet(ctx, key, "rate", "cut", "cut_at", "blocked", "last").Result()
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
	p := Pace{Cut: PaceCut(int(v[1]), v[2], float64(now.UnixMicro()))}
	p.Rate = v[0] * math.Pow(PaceCutFactor, float64(p.Cut))
	if until := time.UnixMicro(int64(v[3])).UTC(); until.After(now) {
		p.BlockedUntil = until
	}
	if v[4] > 0 {
		p.LastSlot = time.UnixMicro(int64(v[4])).UTC()
	}
	return p, nil
}
