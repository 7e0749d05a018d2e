package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/demoredis"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
)

// demoRedis opens the Redis of REDIS_URL, else starts one. The function that it
// returns ends what it has started; the client is the caller's to close before.
func (a *app) demoRedis(ctx context.Context, c *Config, say func(string, ...any)) (redis.UniversalClient, func(), error) {
	if c.RedisURL != "" {
		rdb, err := a.openFor(ctx, nil) // its account stands in no stamp
		if err != nil {
			return nil, nil, err
		}
		if err := unused(ctx, rdb); err != nil {
			return nil, nil, errors.Join(err, rdb.Close())
		}
		say("Redis      %s", redisx.Describe(c.RedisURL))
		return rdb, func() {}, nil
	}
	return demoredis.Start(ctx, say)
}

// unused refuses a Redis that others use: the demo's worker would give their
// recipients to the simulator, and their worker the demo's to Telesign.
func unused(ctx context.Context, rdb redis.UniversalClient) error {
	active, err := report.NewReader(rdb, 0).Active(ctx)
	if err != nil {
		return err
	}
	workers, err := asynq.NewInspectorFromRedisClient(rdb).Servers()
	if err != nil {
		return fmt.Errorf("look for workers: %w", err)
	}
	advice := "without REDIS_URL the demo starts a Redis of its own"
	if len(active) > 0 {
		return fmt.Errorf("demo: campaign %s is under way in the Redis of REDIS_URL, and would end in the simulator; %s", active[0], advice)
	}
	if len(workers) > 0 {
		return fmt.Errorf("demo: a worker runs on the Redis of REDIS_URL, and would send for real; %s", advice)
	}
	return nil
}
