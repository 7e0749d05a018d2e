package backup_test

import (
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/backup"
	"github.com/handout-dev/handout/test/redistest"
)

// sentinel returns the URL of a Sentinel that watches the master on a port, once it answers.
func sentinel(t *testing.T, master string) string {
	t.Helper()
	port := redistest.StartSentinel(t, master, 1, "")
	client := redis.NewSentinelClient(&redis.Options{Addr: "127.0.0.1:" + port})
	t.Cleanup(func() { _ = client.Close() })
	for client.Ping(t.Context()).Err() != nil {
		if t.Context().Err() != nil {
			t.Fatal("no Sentinel")
		}
	}
	return "redis+sentinel://127.0.0.1:" + port + "?master_name=main"
}

func TestMake_BehindSentinelCopiesTheMaster(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	redistest.Start(t, redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port))
	rdb := enter(t, sentinel(t, port))
	dir := filepath.Join(t.TempDir(), "b")
	if _, err := backup.Make(t.Context(), rdb, dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	if n := stored(t, from(t, dir, "redis.rdb").Client()); n != keys {
		t.Errorf("%d of %d keys are in the copy", n, keys)
	}
}
