package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

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
	if err := sampleScript.Run(ctx, l.rdb, []string{keySamples(c), keyCounts(c)}, args...).Err(); err != nil {
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
	members, err := l.rdb.ZRangeByScore(ctx, keySamples(c), &redis.ZRangeBy{Min: from, Max: "+inf"}).Result()
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
