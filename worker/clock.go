package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/ledger"
)

// clock is Redis's clock, which is the same for all workers.
type clock struct{ ahead atomic.Int64 } // of this machine's

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// sync learns how far Redis's clock is ahead.
func (c *clock) sync(ctx context.Context, rdb redis.UniversalClient) error {
	before := time.Now()
	there, err := rdb.Time(ctx).Result()
	if err != nil {
		return fmt.Errorf("read Redis's clock: %w", err)
	}
	c.ahead.Store(int64(there.Sub(before.Add(time.Since(before) / 2))))
	return nil
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}
