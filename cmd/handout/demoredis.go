package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/internal/report"
)

const redisStart = 10 * time.Second

// demoRedis opens the Redis of REDIS_URL, else starts one: redis-server from
// the PATH with an append-only file, else one in this process. The function that it
// returns ends what it has started; the client is the caller's to close before.
func (a *app) demoRedis(ctx context.Context, c *Config, say func(string, ...any)) (redis.UniversalClient, func(), error) {
	if c.RedisURL != "" {
		rdb, err := a.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		if err := unused(ctx, rdb); err != nil {
			return nil, nil, errors.Join(err, rdb.Close())
		}
		say("Redis      %s", redisx.Describe(c.RedisURL))
		return rdb, func() {}, nil
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return miniRedis(say)
	}
	return ownRedis(ctx, path, say)
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

func miniRedis(say func(string, ...any)) (redis.UniversalClient, func(), error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, nil, fmt.Errorf("start an in-process Redis: %w", err)
	}
	m.ClockTTL(true)
	rdb, err := redisx.Open("redis://"+m.Addr(), redisx.DefaultPrefix)
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	say("Redis      in this process, since there is no redis-server on the PATH.\n" +
		"           WARNING: nothing outlives this process; install redis-server to see a crash survived")
	return rdb, m.Close, nil
}

func ownRedis(ctx context.Context, path string, say func(string, ...any)) (redis.UniversalClient, func(), error) {
	dir, err := os.MkdirTemp("", "handout-demo-")
	if err != nil {
		return nil, nil, err
	}
	socket := filepath.Join(dir, "redis.sock")
	// Its own process group, so that Ctrl-C reaches it only through us.
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start redis-server: %w", err), os.RemoveAll(dir))
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	stop := func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(redisStart):
			_ = cmd.Process.Kill()
			<-exited
		}
		_ = os.RemoveAll(dir)
	}
	rdb, err := redisx.Open("unix://"+socket, redisx.DefaultPrefix)
	if err != nil {
		stop()
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, redisStart)
	defer cancel()
	for {
		err := redisx.Ping(ctx, rdb)
		if err == nil {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond): // nothing tells when it listens
		case <-exited:
			stop()
			return nil, nil, errors.New("redis-server ended at once; does `redis-server --version` work?")
		case <-ctx.Done():
			stop()
			return nil, nil, fmt.Errorf("redis-server doesn't answer: %w", err)
		}
	}
	say("Redis      its own redis-server, with an append-only file, until the demo ends")
	return rdb, stop, nil
}
