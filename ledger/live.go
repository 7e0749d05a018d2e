package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
)

// Live is how a campaign does at this moment, beside its Info and Balance.
type Live struct {
	Now     time.Time         // by Redis's clock
	Samples []campaign.Sample // the latest, the earliest first
	Canary  string            // [campaign.CanaryPassed], [campaign.CanaryFailed], or empty: not decided
	Pace    pacing.Pace       // of its account
	Files   string            // [FilesPassed], [FilesFailed], or else
	Looked  time.Time         // when a worker last looked at what is due; zero: not within a day
}

// liveTime is how far back the samples of a Live go.
const liveTime = 3 * time.Minute

// Live reads how a campaign of an account does now.
func (l *Ledger) Live(ctx context.Context, c campaign.ID, account string) (*Live, error) {
	var now *redis.TimeCmd
	var canary *redis.SliceCmd
	var samples *redis.StringSliceCmd
	var looked *redis.DurationCmd
	_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		now = p.Time(ctx)
		canary = p.HMGet(ctx, l.keys.meta(c), fieldCanary, fieldCheck)
		looked = p.PTTL(ctx, l.keys.dueLooked())
		samples = p.ZRevRange(ctx, l.keys.samples(c), 0, int64(liveTime/SampleTime))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read campaign %s as it is now: %w", c, err)
	}
	v := &Live{Now: now.Val().UTC()}
	if left := looked.Val(); left > 0 {
		v.Looked = v.Now.Add(left - lookedTime)
	}
	v.Canary, _ = canary.Val()[0].(string)
	v.Files, _ = canary.Val()[1].(string)
	if v.Pace, err = pacing.ReadPace(ctx, l.rdb, pacing.KeyAccount(l.rdb, account), v.Now); err != nil {
		return nil, err
	}
	for i := len(samples.Val()) - 1; i >= 0; i-- {
		s, err := campaign.ParseSample(samples.Val()[i])
		if err != nil {
			return nil, fmt.Errorf("read samples of campaign %s: %w", c, err)
		}
		v.Samples = append(v.Samples, s)
	}
	return v, nil
}

// Pace reads an account's limiter.
func (l *Ledger) Pace(ctx context.Context, account string) (pacing.Pace, error) {
	return l.pace(ctx, pacing.KeyAccount(l.rdb, account))
}

// PaceOf reads the campaign's own limiter; without a rate of its own a campaign has
// none.
func (l *Ledger) PaceOf(ctx context.Context, c campaign.ID) (pacing.Pace, error) {
	return l.pace(ctx, pacing.KeyCampaign(l.rdb, c))
}

func (l *Ledger) pace(ctx context.Context, key string) (pacing.Pace, error) {
	now, err := l.Now(ctx)
	if err != nil {
		return pacing.Pace{}, err
	}
	return pacing.ReadPace(ctx, l.rdb, key, now)
}

const (
	// SampleTime is the time between two samples of a campaign whose counts change.
	SampleTime = 5 * time.Second
	// SampleIdleTime is the time between two samples of any other campaign.
	SampleIdleTime = time.Minute
)

// Sample records a campaign's balance at this moment, by Redis's clock, unless the
// last sample is too young. Any number of workers may call it at any time.
func (l *Ledger) Sample(ctx context.Context, c campaign.ID) error {
	args := make([]any, len(campaign.CounterNames))
	for i, name := range campaign.CounterNames {
		args[i] = name
	}
	if err := sampleScript.Run(ctx, l.rdb, []string{l.keys.samples(c), l.keys.counts(c)}, args...).Err(); err != nil {
		return fmt.Errorf("sample campaign %s: %w", c, err)
	}
	return nil
}

// Samples reads the samples of a campaign since a moment, the earliest first; the
// zero time: all of them.
func (l *Ledger) Samples(ctx context.Context, c campaign.ID, since time.Time) ([]campaign.Sample, error) {
	from := "-inf"
	if !since.IsZero() {
		from = strconv.FormatInt(since.Unix(), 10)
	}
	members, err := l.rdb.ZRangeByScore(ctx, l.keys.samples(c), &redis.ZRangeBy{Min: from, Max: "+inf"}).Result()
	if err != nil {
		return nil, fmt.Errorf("read samples of campaign %s: %w", c, err)
	}
	samples := make([]campaign.Sample, len(members))
	for i, m := range members {
		if samples[i], err = campaign.ParseSample(m); err != nil {
			return nil, fmt.Errorf("read samples of campaign %s: %w", c, err)
		}
	}
	return samples, nil
}
