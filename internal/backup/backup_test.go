package backup_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/backup"
	"github.com/handout-dev/handout/internal/installation"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

const keys = 3000

// enter opens a Redis as an installation with keys of its own.
func enter(t *testing.T, url string) redis.UniversalClient {
	t.Helper()
	rdb, err := redisx.Open(url, "handout")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	if _, err := installation.Enter(t.Context(), rdb, map[string]string{"default": "d1"}); err != nil {
		t.Fatal(err)
	}
	_, err = rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range keys {
			p.Set(t.Context(), fmt.Sprintf("handout:test:{%d}", i), strings.Repeat(fmt.Sprint(i), 100), 0)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rdb
}

func stored(t *testing.T, rdb redis.UniversalClient) (n int) {
	t.Helper()
	for i := range keys {
		if rdb.Get(t.Context(), fmt.Sprintf("handout:test:{%d}", i)).Val() == strings.Repeat(fmt.Sprint(i), 100) {
			n++
		}
	}
	return n
}

// from starts a Redis on a snapshot.
func from(t *testing.T, dir, name string, o ...redistest.Option) *redistest.Server {
	t.Helper()
	return redistest.Start(t, append(o, redistest.Set("dir", dir), redistest.Set("dbfilename", name))...)
}

func TestMake_RedisStartsOnItAndSaysThatItWasPutBack(t *testing.T) {
	t.Parallel()
	for name, o := range map[string][]redistest.Option{
		"in memory":             nil,
		"with append-only file": {redistest.AppendOnly("always")},
		"with a password":       {redistest.Password("hush")},
		"by a diskless master":  {redistest.Set("repl-diskless-sync", "yes")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, o...)
			rdb := enter(t, server.URL())
			dir := filepath.Join(t.TempDir(), "b")
			told := int64(0)
			m, err := backup.Make(t.Context(), rdb, dir, []backup.Campaign{{ID: "spring", Phase: "running", Total: 3, Counts: map[string]int{"planned": 3}}},
				func(done, all int64) { told = done })
			if err != nil {
				t.Fatal(err)
			}
			if restore, err := installation.ReadRestore(t.Context(), rdb); restore != nil || err != nil {
				t.Errorf("the Redis that was copied: %+v, %v", restore, err)
			}
			if server.Client().Exists(t.Context(), "handout:backup").Val() != 0 {
				t.Error("the mark is left")
			}
			if told != m.Files[0].Size {
				t.Errorf("progress ended at %d of %d bytes", told, m.Files[0].Size)
			}
			verified, err := backup.Verify(t.Context(), dir)
			if err != nil || verified.Campaigns[0].ID != "spring" || verified.Accounts["default"] != "d1" || verified.Installation == "" {
				t.Errorf("%+v, %v", verified, err)
			}
			back, err := redisx.Open(from(t, dir, "redis.rdb").URL(), "handout")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = back.Close() })
			if n := stored(t, back); n != keys {
				t.Errorf("%d of %d keys are back", n, keys)
			}
			for range 2 { // each process finds it, the second, too
				restore, err := installation.ReadRestore(t.Context(), back)
				if err != nil || restore == nil || !restore.From.Equal(m.At) || restore.Held {
					t.Fatalf("the Redis that was put back: %+v, %v", restore, err)
				}
			}
			if err := installation.CloseRestore(t.Context(), back); err != nil {
				t.Fatal(err)
			}
			if restore, err := installation.ReadRestore(t.Context(), back); restore != nil || err != nil {
				t.Errorf("once it is closed: %+v, %v", restore, err)
			}
		})
	}
}

// cluster is three masters, each with a folder of its own.
type cluster struct {
	url   string
	nodes map[string]*redistest.Server // by their addresses
	dirs  map[string]string
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{nodes: make(map[string]*redistest.Server), dirs: make(map[string]string)}
	args := []string{"--cluster", "create"}
	for range 3 {
		port, dir := redistest.FreePort(t), t.TempDir()
		addr := "127.0.0.1:" + port
		c.nodes[addr] = redistest.Start(t, redistest.Set("port", port), redistest.Set("bind", "127.0.0.1"), redistest.Set("cluster-enabled", "yes"), redistest.Set("dir", dir))
		c.dirs[addr], c.url = dir, "redis+cluster://"+addr
		args = append(args, addr)
	}
	if out, err := exec.CommandContext(t.Context(), "redis-cli", append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("make a cluster: %v\n%s", err, out)
	}
	c.await(t)
	return c
}

func (c *cluster) await(t *testing.T) {
	t.Helper()
	for _, n := range c.nodes {
		for !strings.Contains(n.Client().ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
			if t.Context().Err() != nil {
				t.Fatal("the cluster isn't whole")
			}
		}
	}
}

func TestMake_OfAClusterIsPutBackMasterByMaster(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	rdb := enter(t, c.url)
	dir := filepath.Join(t.TempDir(), "b")
	m, err := backup.Make(t.Context(), rdb, dir, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Verify(t.Context(), dir); err != nil || len(m.Files) != 3 {
		t.Fatalf("%d files, %v", len(m.Files), err)
	}
	if err := rdb.Set(t.Context(), "handout:test:{0}", "since", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for _, node := range c.nodes {
		node.Kill()
	}
	for _, f := range m.Files {
		snapshot, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err == nil {
			err = os.WriteFile(filepath.Join(c.dirs[f.Master], "dump.rdb"), snapshot, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		c.nodes[f.Master].Restart()
	}
	c.await(t)
	back, err := redisx.Open(c.url, "handout")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	if n := stored(t, back); n != keys {
		t.Errorf("%d of %d keys are back", n, keys)
	}
	if restore, err := installation.ReadRestore(t.Context(), back); err != nil || restore == nil || !restore.From.Equal(m.At) {
		t.Errorf("%+v, %v", restore, err)
	}
}

func TestMake_LeavesNothingWhenItCannot(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	rdb := enter(t, server.URL())
	in := t.TempDir()
	taken := filepath.Join(in, "taken")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Make(t.Context(), rdb, taken, nil, nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := backup.Make(ctx, rdb, filepath.Join(in, "b"), nil, func(_, _ int64) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if err := server.Client().Do(t.Context(), "ACL", "SETUSER", "app", "on", ">pw", "~handout:*", "+@all", "-@dangerous", "+info").Err(); err != nil {
		t.Fatal(err)
	}
	app, err := redisx.Open(strings.Replace(server.URL(), "unix://", "unix://app:pw@", 1), "handout")
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	var refused *backup.RefusedError
	if _, err := backup.Make(t.Context(), app, filepath.Join(in, "b"), nil, nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), "+sync") {
		t.Errorf("without the right: %v", err)
	}
	left, err := os.ReadDir(in)
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if server.Client().Exists(t.Context(), "handout:backup").Val() != 0 {
		t.Error("the mark is left")
	}
}

func TestMake_TwoAtOnceAreBothWhole(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Set("rdb-key-save-delay", "100")) // microseconds: they overlap
	rdb := enter(t, server.URL())
	in := t.TempDir()
	var group sync.WaitGroup
	for i := range 2 {
		group.Go(func() {
			dir := filepath.Join(in, fmt.Sprint(i))
			_, err := backup.Make(t.Context(), rdb, dir, nil, nil)
			if err == nil {
				_, err = backup.Verify(t.Context(), dir)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if server.Client().Exists(t.Context(), "handout:backup").Val() != 0 {
		t.Error("a mark is left")
	}
}

// rights are those of the user that docs/operating.md names.
const rights = "~handout:* ~asynq:* &* +@all -@dangerous +info +config|get +sync +psync +replconf"

func TestMake_TakesTheRightsThatTheRunbookNames(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil || !strings.Contains(string(page), "on >PASSWORD "+rights) {
		t.Errorf("docs/operating.md has other rights: %v", err)
	}
	server := redistest.Start(t)
	set := []any{"ACL", "SETUSER", "backup", "on", ">pw"}
	for _, r := range strings.Fields(rights) {
		set = append(set, r)
	}
	if err := server.Client().Do(t.Context(), set...).Err(); err != nil {
		t.Fatal(err)
	}
	rdb := enter(t, strings.Replace(server.URL(), "unix://", "unix://backup:pw@", 1))
	if _, err := backup.Make(t.Context(), rdb, filepath.Join(t.TempDir(), "b"), nil, nil); err != nil {
		t.Error(err)
	}
}

func TestMake_FilesAreTheOwnersAlone(t *testing.T) {
	t.Parallel()
	rdb := enter(t, redistest.Start(t).URL())
	dir := filepath.Join(t.TempDir(), "b")
	if _, err := backup.Make(t.Context(), rdb, dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{".": 0o700 | os.ModeDir, "redis.rdb": 0o600, "manifest.json": 0o600} {
		if stat, err := os.Stat(filepath.Join(dir, name)); err != nil || stat.Mode() != mode {
			t.Errorf("%s: %v, %v", name, stat.Mode(), err)
		}
	}
}

func TestVerify_FindsWhatIsCutOffOrChanged(t *testing.T) {
	t.Parallel()
	rdb := enter(t, redistest.Start(t).URL())
	dir := filepath.Join(t.TempDir(), "b")
	if _, err := backup.Make(t.Context(), rdb, dir, nil, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "redis.rdb")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte(nil), whole...)
	changed[len(changed)/2] ^= 1
	for name, content := range map[string][]byte{"cut": whole[:len(whole)-1], "changed": changed, "empty": nil} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := backup.Verify(t.Context(), dir); err == nil {
			t.Errorf("%s: nothing is found", name)
		}
		// A manifest that was written anew doesn't hide it: the snapshot has its own sum.
		reword(t, dir, content)
		if _, err := backup.Verify(t.Context(), dir); err == nil {
			t.Errorf("%s, with the manifest: nothing is found", name)
		}
		reword(t, dir, whole)
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Verify(t.Context(), dir); err != nil {
		t.Error(err)
	}
}

// reword has the manifest say what a file holds.
func reword(t *testing.T, dir string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m backup.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	m.Files[0].Size, m.Files[0].SHA256 = int64(len(content)), sha(content)
	if text, err = json.Marshal(m); err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadRestore_ABackupThatWasKilledIsNoRestore(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.AppendOnly("always"))
	rdb := enter(t, server.URL())
	mark, at, err := installation.BeginBackup(t.Context(), rdb)
	if err != nil {
		t.Fatal(err)
	}
	if restore, err := installation.ReadRestore(t.Context(), rdb); restore != nil || err != nil {
		t.Errorf("while it is made: %+v, %v", restore, err)
	}
	old := fmt.Sprintf("%08x%s", at.Add(-2*time.Hour).Unix(), mark[8:])
	if err := server.Client().Set(t.Context(), "handout:backup", old, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if restore, err := installation.ReadRestore(t.Context(), rdb); restore != nil || err != nil {
		t.Errorf("two hours after it was killed: %+v, %v", restore, err)
	}
	if server.Client().Exists(t.Context(), "handout:backup").Val() != 0 {
		t.Error("its mark is left")
	}
}
