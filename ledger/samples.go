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
	// SampleTime is the time between two samples of a campaign whose counts change.
	SampleTime = 5 * time.Second
	// SampleIdleTime is the time between two samples of any other campaign.
	SampleIdleTime = time.Minute
)

// Sample is the balance of a campaign at a moment.
type Sample struct {
	At      time.Time // to 5 seconds
	Balance campaign.Balance
}

// Sample records the balances of campaigns at now, by Redis's clock, unless this
// moment has been recorded already. It may be called at any time by any number of
// workers: it asks Redis once in [SampleTime] for each campaign.
func (l *Ledger) Sample(ctx context.Context, now time.Time, campaigns ...campaign.ID) error {
	if now.Before(time.Unix(l.sampled.Load(), 0).Add(SampleTime)) {
		return nil
	}
	args := make([]any, len(campaign.CounterNames))
	for i, name := range campaign.CounterNames {
		args[i] = name
	}
	// A campaign that can't be sampled doesn't hold up the others.
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

// Samples reads the samples of a campaign since a moment, the earliest first; the
// zero time: all of them.
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
