// Package demoredis starts a Redis for the demo, which ends with it.
package demoredis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// patience is for a server's start, and for its end.
const patience = 10 * time.Second

// Start starts redis-server from the PATH with an append-only file, else one in this
// process, and says which. The function that it returns ends what it has started; the
// client is the caller's to close before.
func Start(ctx context.Context, say func(string, ...any)) (redis.UniversalClient, func(), error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return inProcess(say)
	}
	return ownServer(ctx, path, say)
}

func inProcess(say func(string, ...any)) (redis.UniversalClient, func(), error) {
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

func ownServer(ctx context.Context, path string, say func(string, ...any)) (redis.UniversalClient, func(), error) {
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
		case <-time.After(patience):
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
	ctx, cancel := context.WithTimeout(ctx, patience)
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
