package ledger

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// Live is what is so of a campaign at this moment, beside its Info and Balance.
type Live struct {
	Now     time.Time // by Redis's clock
	Samples []Sample  // of the last time, the earliest first
	Canary  string    // what came of the canary: passed, failed, or nothing yet
	// AccountCut is what is left of the account's rate, over 0 to 1, after
	// Telesign has said "too fast".
	AccountCut float64
	Files      string // what the check of files has come to: [FilesPassed], or else
	// BlockedUntil is when Telesign may be asked again; zero: now.
	BlockedUntil time.Time
}

// liveTime is how far back the samples of a Live go: over [SampleIdleTime], so
// that there are some whatever happens, if a worker is there.
const liveTime = 3 * time.Minute

// Live reads what is so of a campaign now.
func (l *Ledger) Live(ctx context.Context, c campaign.ID) (*Live, error) {
	var now *redis.TimeCmd
	var canary, pace *redis.SliceCmd
	var samples *redis.StringSliceCmd
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		now = p.Time(ctx)
		canary = p.HMGet(ctx, keyMeta(c), fieldCanary, fieldCheck)
		pace = p.HMGet(ctx, KeyPace, "blocked", "cut", "cut_at")
		samples = p.ZRevRange(ctx, keySamples(c), 0, int64(liveTime/SampleTime))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read campaign %s as it is now: %w", c, err)
	}
	v := &Live{Now: now.Val().UTC(), AccountCut: 1}
	v.Canary, _ = canary.Val()[0].(string)
	v.Files, _ = canary.Val()[1].(string)
	if err := v.limiter(pace.Val()); err != nil {
		return nil, err
	}
	for i := len(samples.Val()) - 1; i >= 0; i-- {
		s, err := parseSample(samples.Val()[i])
		if err != nil {
			return nil, fmt.Errorf("read samples of campaign %s: %w", c, err)
		}
		v.Samples = append(v.Samples, s)
	}
	return v, nil
}

// limiter takes the fields blocked, cut and cut_at of the account's limiter, a
// number each; what isn't there was never so.
func (v *Live) limiter(fields []any) error {
	var n [3]float64
	for i, f := range fields {
		text, ok := f.(string)
		if !ok {
			continue
		}
		var err error
		if n[i], err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("read %s: %q isn't a number", KeyPace, text)
		}
	}
	now := float64(v.Now.UnixMicro())
	if n[0] > now {
		v.BlockedUntil = time.UnixMicro(int64(n[0])).UTC()
	}
	v.AccountCut = math.Pow(PaceCutFactor, float64(PaceCut(int(n[1]), n[2], now)))
	return nil
}
