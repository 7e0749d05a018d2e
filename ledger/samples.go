package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

const (
	// SampleTime is how far apart samples of a campaign that moves are taken.
	SampleTime = 5 * time.Second
	// SampleIdleTime is how far apart those of one that doesn't.
	SampleIdleTime = time.Minute
)

// Sample is where a campaign stood.
type Sample struct {
	At      time.Time // to 5 seconds
	Balance campaign.Balance
}

// Sample notes where campaigns stand at now, by Redis's clock, unless it has
// been noted already for this moment. It may be called as often as one likes, by
// as many as one likes: it asks Redis once in [SampleTime] for each campaign.
func (l *Ledger) Sample(ctx context.Context, now time.Time, campaigns ...campaign.ID) error {
	if now.Before(time.Unix(l.sampled.Load(), 0).Add(SampleTime)) {
		return nil
	}
	args := make([]any, len(campaign.CounterNames))
	for i, name := range campaign.CounterNames {
		args[i] = name
	}
	// One that can't be sampled doesn't keep the others from it.
	var errs []error
	slot := int64(0)
	for _, c := range campaigns {
		at, err := sampleScript.Run(ctx, l.rdb, []string{keySamples(c), keyCounts(c)}, args...).Int64()
		if err != nil {
			errs = append(errs, fmt.Errorf("sample campaign %s: %w", c, err))
			continue
		}
		if slot == 0 || at < slot {
			slot = at
		}
	}
	if len(errs) == 0 && slot > 0 {
		l.sampled.Store(slot)
	}
	return errors.Join(errs...)
}

// Samples are where a campaign stood since a moment, the earliest first; all
// that there are since the zero time.
func (l *Ledger) Samples(ctx context.Context, c campaign.ID, since time.Time) ([]Sample, error) {
	from := "-inf"
	if !since.IsZero() {
		from = strconv.FormatInt(since.Unix(), 10)
	}
	members, err := l.rdb.ZRangeByScore(ctx, keySamples(c), &redis.ZRangeBy{Min: from, Max: "+inf"}).Result()
	if err != nil {
		return nil, fmt.Errorf("read samples of campaign %s: %w", c, err)
	}
	samples := make([]Sample, len(members))
	for i, m := range members {
		if samples[i], err = parseSample(m); err != nil {
			return nil, fmt.Errorf("read samples of campaign %s: %w", c, err)
		}
	}
	return samples, nil
}

// parseSample reads a member of the sorted set, see lua/sample.lua.
func parseSample(member string) (Sample, error) {
	second, counts, ok := strings.Cut(member, ":")
	at, err := strconv.ParseInt(second, 10, 64)
	texts := strings.Split(counts, ",")
	if !ok || err != nil || len(texts) > campaign.CounterCount {
		return Sample{}, fmt.Errorf("%q isn't a sample", member)
	}
	values := make([]any, len(texts))
	for i, text := range texts {
		if text != "" {
			values[i] = text
		}
	}
	b, err := campaign.ParseBalance(values)
	if err != nil {
		return Sample{}, err
	}
	return Sample{At: time.Unix(at, 0).UTC(), Balance: *b}, nil
}
