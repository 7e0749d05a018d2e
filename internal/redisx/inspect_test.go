package redisx_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

func TestInspect_SaysWhatAServerSaysOfItself(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t,
		redistest.AppendOnly("always"),
		redistest.Set("maxmemory", "64mb"),
		redistest.Set("maxmemory-policy", "noeviction"))
	info := inspect(t, open(t, server.URL()))

	if info.Version == "" || !info.AtLeast62 {
		t.Errorf("version %q, at least 6.2: %v", info.Version, info.AtLeast62)
	}
	if info.Mode != "standalone" {
		t.Errorf("mode %q", info.Mode)
	}
	if !info.AppendOnly || info.AppendFsync != "always" {
		t.Errorf("append-only %v, fsync %q", info.AppendOnly, info.AppendFsync)
	}
	if info.MaxMemory != 64<<20 || info.MaxMemoryPolicy != "noeviction" {
		t.Errorf("maxmemory %d, policy %q", info.MaxMemory, info.MaxMemoryPolicy)
	}
	if info.UsedMemory == 0 {
		t.Error("used memory is missing")
	}
	if info.ConfigHidden || info.ClockHidden {
		t.Errorf("hidden: config %v, clock %v", info.ConfigHidden, info.ClockHidden)
	}
	// It is this machine's own clock; the room is for a busy one.
	if info.ClockOffset.Abs() > time.Second {
		t.Errorf("clock offset %s", info.ClockOffset)
	}
}

// The settings that we hand to people have to be those that the promises need.
func TestInspect_FindsNothingWrongWithOurOwnSettings(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.ConfigFile(filepath.Join("..", "..", "deploy", "redis.conf")))
	info := inspect(t, open(t, server.URL()))
	if !info.AppendOnly || info.AppendFsync != "always" || info.MaxMemoryPolicy != "noeviction" || info.MaxMemory == 0 {
		t.Errorf("%+v", info)
	}
	settings := server.Client().ConfigGet(t.Context(), "hash-max-listpack-*").Val()
	if settings["hash-max-listpack-entries"] != "128" || settings["hash-max-listpack-value"] != "64" {
		t.Errorf("%v", settings)
	}
}

func TestInspect_SaysThatNothingIsKept(t *testing.T) {
	t.Parallel()
	info := inspect(t, open(t, redistest.Start(t).URL()))
	if info.AppendOnly {
		t.Error("append-only where there is no such file")
	}
	if info.AppendFsync != "everysec" {
		t.Errorf("fsync %q, want Redis's default", info.AppendFsync)
	}
}

func TestInspect_AServerThatHidesItsConfigurationStillTellsTheRest(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("everysec"))
	err := server.Client().Do(t.Context(), "acl", "setuser", "guest", "on", "nopass", "~*", "+@all", "-config", "-time").Err()
	if err != nil {
		t.Fatal(err)
	}
	socket := strings.TrimPrefix(server.URL(), "unix://")
	info := inspect(t, open(t, "unix://guest:any@"+socket))
	if !info.ConfigHidden || !info.ClockHidden {
		t.Errorf("hidden: config %v, clock %v", info.ConfigHidden, info.ClockHidden)
	}
	if info.AppendFsync != "" {
		t.Errorf("fsync %q out of nowhere", info.AppendFsync)
	}
	if !info.AppendOnly || info.MaxMemoryPolicy == "" || !info.AtLeast62 {
		t.Errorf("INFO was lost: %+v", info)
	}
}

func TestInspect_TakesMiniredisAsItIs(t *testing.T) {
	t.Parallel()
	info := inspect(t, open(t, "redis://"+miniredis.RunT(t).Addr()))
	if !info.ConfigHidden || info.Version != "" || info.AtLeast62 || info.AppendOnly {
		t.Errorf("%+v", info)
	}
}

func TestInspect_FailsWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := open(t, server.URL()+"?max_retries=-1")
	server.Kill()
	if info, err := redisx.Inspect(t.Context(), client); err == nil {
		t.Errorf("%+v from a killed server", info)
	}
}

func TestInspect_FailsWhereItMayNotEnter(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Password("right"))
	if _, err := redisx.Inspect(t.Context(), open(t, strings.Replace(server.URL(), ":right@", "", 1))); err == nil {
		t.Error("a server with a password was inspected without one")
	}
}

func TestInspect_KnowsACluster(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	node := redistest.Start(t,
		redistest.Set("cluster-enabled", "yes"),
		redistest.Set("bind", "127.0.0.1"),
		redistest.Set("port", port),
		redistest.AppendOnly("always"))
	if err := node.Client().ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, "the cluster", func() bool {
		return strings.Contains(node.Client().ClusterInfo(t.Context()).Val(), "cluster_state:ok")
	})

	info := inspect(t, open(t, "redis+cluster://127.0.0.1:"+port))
	if info.Mode != "cluster" || info.AppendFsync != "always" || !info.AppendOnly || !info.AtLeast62 {
		t.Errorf("%+v", info)
	}
}

func TestInspect_KnowsAMasterBehindSentinel(t *testing.T) {
	t.Parallel()
	masterPort := redistest.FreePort(t)
	redistest.Start(t,
		redistest.Set("bind", "127.0.0.1"),
		redistest.Set("port", masterPort),
		redistest.Password("hush"))
	sentinelPort := startSentinel(t, masterPort, "hush")

	client := open(t, "redis+sentinel://127.0.0.1:"+sentinelPort+"?master_name=main&password=hush")
	info := inspect(t, client)
	if info.Mode != "sentinel" || !info.AtLeast62 {
		t.Errorf("%+v", info)
	}
}

func inspect(t *testing.T, client redis.UniversalClient) redisx.Info {
	t.Helper()
	info, err := redisx.Inspect(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// startSentinel runs a Sentinel that watches the master "main".
func startSentinel(t *testing.T, masterPort, password string) (port string) {
	t.Helper()
	port = redistest.FreePort(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	conf := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor main 127.0.0.1 %s 1\nsentinel auth-pass main %s\n", port, masterPort, password)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(t, "the Sentinel", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		_ = conn.Close()
		return true
	})
	return port
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not ready within 30 seconds", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
