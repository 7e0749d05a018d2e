package installation_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

// at starts a Redis on a port, which is free.
func at(t *testing.T, port string, o ...redistest.Option) *redistest.Server {
	t.Helper()
	return redistest.Start(t, append(o, redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port))...)
}

// guarded is a process's client, with its log.
func guarded(t *testing.T, port string) (redis.UniversalClient, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	guard := installation.NewGuard("handout", slog.New(slog.NewTextHandler(log, nil)))
	guard.CheckEvery(20 * time.Millisecond)
	rdb, err := redisx.OpenGuarded("redis://127.0.0.1:"+port+"?max_retries=-1", "handout", guard.Admit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	if err := guard.Enter(t.Context(), rdb, nil); err != nil {
		t.Fatal(err)
	}
	return rdb, log
}

// awaitAnswer runs commands until one reaches a Redis: a connection to the one of before
// may break first.
func awaitAnswer(ctx context.Context, rdb redis.UniversalClient) error {
	for {
		err := rdb.Set(ctx, "handout:k", "v", 0).Err()
		var replaced *installation.ReplacedError
		if err == nil || errors.As(err, &replaced) || ctx.Err() != nil {
			return err
		}
	}
}

func TestGuard_NoticesAnotherRedisAtTheSameAddress(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]struct {
		entered bool // by other processes, with a stamp of its own
		words   string
	}{
		"of another installation": {true, "was"},
		"that is empty":           {false, "has no stamp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := redistest.FreePort(t)
			first := at(t, port, redistest.AppendOnly("always"))
			rdb, log := guarded(t, port)
			if err := awaitAnswer(t.Context(), rdb); err != nil {
				t.Fatal(err)
			}
			first.Kill()
			second := at(t, port)
			if o.entered {
				if _, err := installation.Enter(t.Context(), open(t, second, "handout"), nil); err != nil {
					t.Fatal(err)
				}
			}
			err := awaitAnswer(t.Context(), rdb)
			var replaced *installation.ReplacedError
			if !errors.As(err, &replaced) || !strings.Contains(err.Error(), o.words) {
				t.Fatalf("%v", err)
			}
			if _, err := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
				p.Set(t.Context(), "handout:k", "v", 0)
				return nil
			}); !errors.As(err, &replaced) {
				t.Errorf("a pipeline: %v", err)
			}
			if err := redisx.Probe(t.Context(), rdb, "bulk"); !errors.As(err, &replaced) {
				t.Errorf("a probe: %v", err)
			}
			if n := second.Client().Exists(t.Context(), "handout:k").Val(); n != 0 {
				t.Error("it was written to")
			}
			if n := strings.Count(log.String(), "nothing is sent"); n != 1 {
				t.Errorf("%d lines:\n%s", n, log)
			}
			second.Kill()
			first.Restart()
			for awaitAnswer(t.Context(), rdb) != nil && t.Context().Err() == nil { // it reads the stamp again and again
			}
			if !strings.Contains(log.String(), "there again") {
				t.Errorf("%s", log)
			}
		})
	}
}

func TestGuard_NoticesAFormatThatItCannotRead(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	server := at(t, port)
	rdb, log := guarded(t, port)
	server.Client().HSet(t.Context(), "handout:installation", "format", installation.Format+1, "oldest_reader", installation.Format+1)
	var format *installation.FormatError
	for { // the connection stays: a later look finds it
		err := rdb.Get(t.Context(), "handout:k").Err()
		if errors.As(err, &format) || t.Context().Err() != nil {
			break
		}
	}
	if !strings.Contains(log.String(), "update it") {
		t.Errorf("%s", log)
	}
}
