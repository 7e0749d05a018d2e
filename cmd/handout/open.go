package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/accounts"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/usage"
	"github.com/handout-dev/handout/worker"
)

// connect opens Redis without a look at whose it is; admit is as in [redisx.OpenGuarded].
func (a *app) connect(ctx context.Context, admit func(context.Context, *redis.Conn) error) (redis.UniversalClient, error) {
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	if c.RedisURL == "" {
		return nil, usagef("REDIS_URL is not set: where is Redis? For example REDIS_URL=redis://127.0.0.1:6379/0")
	}
	rdb, err := redisx.OpenGuarded(c.RedisURL, c.Prefix, admit, redisx.WithTLS(c.RedisTLS()))
	if err != nil {
		return nil, usage.Wrap(fmt.Errorf("REDIS_URL: %w", err))
	}
	if err := rdb.Ping(ctx).Err(); err != nil {
		_ = rdb.Close()
		return nil, fmt.Errorf("can't use Redis at %s: %w; is it running, and is REDIS_URL right?", redisx.Describe(c.RedisURL), err)
	}
	return rdb, nil
}

// open opens Redis for the accounts that this process speaks for.
func (a *app) open(ctx context.Context) (redis.UniversalClient, error) {
	c, err := a.load()
	if err != nil {
		return nil, err
	}
	all, err := c.accounts()
	if err != nil {
		return nil, err
	}
	return a.openFor(ctx, all)
}

func (a *app) openFor(ctx context.Context, all accounts.Accounts) (redis.UniversalClient, error) {
	guard := installation.NewGuard(a.config.Prefix, a.logger(a.config))
	rdb, err := a.connect(ctx, guard.Admit)
	if err != nil {
		return nil, err
	}
	err = guard.Enter(ctx, rdb, all.Digests())
	if err == nil {
		_, err = installation.EnterMasterKey(ctx, rdb, a.config.MasterKeys().IDs())
	}
	if err == nil {
		err = a.config.OpenKeyStore(ctx, rdb, a.logger(a.config))
	}
	if err != nil {
		_ = rdb.Close()
		return nil, err
	}
	return rdb, nil
}

func (a *app) withRedis(ctx context.Context, f func(rdb redis.UniversalClient) error) (err error) {
	rdb, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer func() { closeRedis(rdb, err) }()
	defer tracing.Start(os.Getenv, a.logger(a.config))()
	return f(rdb)
}

// closeRedis closes Redis's client, unless servers of the queue are still running
// as err says: they would panic, and the process ends anyway.
func closeRedis(rdb redis.UniversalClient, err error) {
	if !errors.Is(err, worker.ErrStillRunning) {
		_ = rdb.Close()
	}
}

func (a *app) operate(ctx context.Context, f func(o *operations.Operations) error) error {
	return a.withRedis(ctx, func(rdb redis.UniversalClient) error {
		log, err := a.config.trail(rdb)
		if err != nil {
			return err
		}
		own, others, err := a.config.vendors()
		if err != nil {
			return err
		}
		return f(operations.New(rdb, operations.Options{
			MasterKeys: a.config.MasterKeys(),
			Region:     a.config.Region, AccountRate: own.Rate, PrivateWebhooks: a.config.WebhookAllowPrivate, Route: a.config.Route(), Telesign: own.Telesign, Accounts: others, Audit: log,
		}))
	})
}

// query runs f on what can be asked of campaigns.
func (a *app) query(ctx context.Context, f func(q *report.Reader) error) error {
	return a.withRedis(ctx, func(rdb redis.UniversalClient) error {
		log, err := a.config.trail(rdb)
		if err != nil {
			return err
		}
		q, err := a.config.reader(rdb)
		if err != nil {
			return err
		}
		return f(q.Traced(log))
	})
}
