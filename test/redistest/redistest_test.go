package redistest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/test/redistest"
)

func TestStart_TwoServersShareNothing(t *testing.T) {
	t.Parallel()
	a, b := redistest.Start(t), redistest.Start(t)
	if a.URL() == b.URL() {
		t.Fatalf("both servers are at %s", a.URL())
	}
	if err := a.Client().Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	n, err := b.Client().Exists(t.Context(), "k").Result()
	if err != nil {
		t.Fatal(err)
	}
	if n != 0 {
		t.Error("a key written to one server is in the other")
	}
}

func TestStart_EndsTheServerWithTheTest(t *testing.T) {
	t.Parallel()
	var socket string
	var pid int
	t.Run("inner", func(t *testing.T) {
		s := redistest.Start(t)
		socket = strings.TrimPrefix(s.URL(), "unix://")
		pid = serverPID(t, s)
	})
	if _, err := os.Stat(filepath.Dir(socket)); !os.IsNotExist(err) {
		t.Errorf("the server's directory is still there: %v", err)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d still runs", pid)
	}
}

func TestStart_HasARoomForTheSocketInALongTempDir(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	s := redistest.Start(t)
	if err := s.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestKill_LosesWhatWasNotKept(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	set(t, s, "k", "v")
	s.Kill()
	if err := s.Client().Ping(t.Context()).Err(); err == nil {
		t.Error("the killed server answers")
	}
	s.Restart()
	if got := s.Client().Exists(t.Context(), "k").Val(); got != 0 {
		t.Error("a key outlived a server that keeps nothing")
	}
}

func TestRestart_BringsBackTheAppendOnlyFile(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.AppendOnly("always"))
	for i := range 100 {
		set(t, s, fmt.Sprint("k", i), "v")
	}
	s.Kill()
	s.Restart()
	if got := s.Client().DBSize(t.Context()).Val(); got != 100 {
		t.Errorf("%d keys of 100 are back", got)
	}
}

func TestAppendOnly_SetsTheFsyncThatWasAskedFor(t *testing.T) {
	t.Parallel()
	for _, fsync := range []string{"always", "everysec"} {
		s := redistest.Start(t, redistest.AppendOnly(fsync))
		got := s.Client().ConfigGet(t.Context(), "append*").Val()
		if got["appendonly"] != "yes" || got["appendfsync"] != fsync {
			t.Errorf("AppendOnly(%q): appendonly %q, appendfsync %q", fsync, got["appendonly"], got["appendfsync"])
		}
	}
}

func TestPassword_StandsInTheURL(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Password("p@ss/word"))
	opts, err := redis.ParseURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if opts.Password != "p@ss/word" {
		t.Errorf("password %q", opts.Password)
	}
	opts.Password = ""
	stranger := redis.NewClient(opts)
	defer stranger.Close()
	if err := stranger.Ping(t.Context()).Err(); err == nil {
		t.Error("the server answers without its password")
	}
}

func TestCommandStats_CountsCalls(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for range 3 {
		set(t, s, "k", "v")
	}
	if got := s.CommandStats()["set"]; got != 3 {
		t.Errorf("set was called %d times, want 3", got)
	}
	s.ResetCommandStats()
	if got := s.CommandStats()["set"]; got != 0 {
		t.Errorf("after a reset set was called %d times", got)
	}
}

func TestUsedMemory_Grows(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	before := s.UsedMemory()
	set(t, s, "k", strings.Repeat("x", 1<<20))
	if grown := s.UsedMemory() - before; grown < 1<<20 {
		t.Errorf("used memory grew by %d bytes after a value of 1 MiB", grown)
	}
}

func TestStart_FailsWhereThereIsNoRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	message := failure(t, func(tb testing.TB) { redistest.Start(tb) })
	for _, want := range []string{"make redis", "apt-get install redis-server", "brew install redis"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q doesn't name %q", message, want)
		}
	}
	if strings.Contains(message, "\n") {
		t.Errorf("more than one line: %q", message)
	}
}

func TestStart_ShowsTheLogOfAServerThatDoesNotStart(t *testing.T) {
	message := failure(t, func(tb testing.TB) { redistest.Start(tb, redistest.Set("no-such-directive", "1")) })
	if !strings.Contains(message, "no-such-directive") {
		t.Errorf("the cause is missing: %q", message)
	}
}

// TestStart_LeavesNothingWhenTheTestBinaryIsKilled runs this test binary once
// more, kills it with its server up, and expects the server to end by itself.
func TestStart_LeavesNothingWhenTheTestBinaryIsKilled(t *testing.T) {
	const pidFile = "REDISTEST_PID_FILE"
	if file := os.Getenv(pidFile); file != "" {
		s := redistest.Start(t)
		dir := filepath.Dir(strings.TrimPrefix(s.URL(), "unix://"))
		content := fmt.Sprintf("%d %s", serverPID(t, s), dir)
		if err := os.WriteFile(file+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		select {} // until killed
	}

	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), pidFile+"="+file)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	await(t, "the child's server", func() bool {
		content, err := os.ReadFile(file)
		if err != nil {
			if !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return false
		}
		if _, err := fmt.Sscan(string(content), &pid, &dir); err != nil {
			t.Fatal(err)
		}
		return true
	})
	t.Cleanup(func() { _ = os.RemoveAll(dir) })

	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	await(t, "the end of the orphan", func() bool { return ended(pid) })
}

// ended also takes a zombie for ended: whether an orphan is reaped at once is
// the business of the machine's init.
func ended(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false // no /proc here, or gone this moment: the next look tells
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 30 seconds", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func set(t *testing.T, s *redistest.Server, key, value string) {
	t.Helper()
	if err := s.Client().Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func serverPID(t *testing.T, s *redistest.Server) int {
	t.Helper()
	text, err := s.Client().Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(text, "process_id:")
	var pid int
	if _, err := fmt.Sscan(after, &pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

// failure runs f with a test that records how it fails.
func failure(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	if r.message == "" {
		t.Fatal("the test didn't fail")
	}
	return r.message
}

type recorder struct {
	testing.TB
	message string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatal(args ...any) {
	r.message = fmt.Sprint(args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

func TestSnapshot_BringsTheStateOfThenBack(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]redistest.Option{nil, {redistest.AppendOnly("always")}} {
		s := redistest.Start(t, opts...)
		ctx, rdb := t.Context(), s.Client()
		if err := rdb.Set(ctx, "then", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		restore := s.Snapshot()
		if err := rdb.Set(ctx, "since", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		restore()
		if then, since := rdb.Exists(ctx, "then").Val(), rdb.Exists(ctx, "since").Val(); then != 1 || since != 0 {
			t.Errorf("then %d, since %d", then, since)
		}
	}
}
