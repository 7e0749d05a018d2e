package process_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// maxStop is how long a worker may take to be gone after SIGTERM. Its orchestrator
// kills it then, as docker-compose.yml has it.
const maxStop = 45 * time.Second

// TestWork_IsGoneInTimeWithoutRedis has a worker with requests under way lose its
// Redis, and stops it.
func TestWork_IsGoneInTimeWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, s *redistest.Server){
		"killed":       func(_ *testing.T, s *redistest.Server) { s.Kill() },
		"stands still": standStill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			stopsInTime(t, server.URL(), server.URL(), func() { lose(t, server) })
		})
	}
}

// TestWork_IsGoneInTimeWithoutSentinel is the same with a Redis behind a Sentinel, when
// both are gone.
func TestWork_IsGoneInTimeWithoutSentinel(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	server := redistest.Start(t, redistest.Set("bind", "127.0.0.1"), redistest.Set("port", port))
	sentinel, kill := startSentinel(t, port)
	stopsInTime(t, "redis+sentinel://127.0.0.1:"+sentinel+"?master_name=main", server.URL(), func() {
		kill()
		server.Kill()
	})
}

// stopsInTime starts a worker on redisURL, and stops it after Redis, which is the one
// at directly too, has been lost.
func stopsInTime(t *testing.T, redisURL, directly string, lose func()) {
	t.Helper()
	var requests atomic.Int32
	gone := make(chan struct{})
	vendor := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		<-gone // no answer: the worker waits until its time-out
	}))
	t.Cleanup(vendor.Close)
	t.Cleanup(func() { close(gone) })
	e := account(directly).with("TELESIGN_URL", vendor.URL)
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(200, plainly)))
	work := serve(t, e.with("REDIS_URL", redisURL), "work")
	await(t, "requests are under way", func() bool { return requests.Load() >= 5 })
	lose()
	start := time.Now()
	work.signal(syscall.SIGTERM)
	took := time.Since(start)
	t.Logf("gone after %v: %s", took, work.cmd.ProcessState)
	if took > maxStop {
		t.Errorf("gone after %v", took)
	}
	if out := work.out.String(); strings.Contains(out, "panic:") || strings.Contains(out, "goroutine ") {
		t.Errorf("it has panicked:\n%s", out)
	}
}

// standStill stops a Redis without ending it.
func standStill(t *testing.T, s *redistest.Server) {
	t.Helper()
	info, err := s.Client().Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^process_id:(\d+)`).FindStringSubmatch(info)
	if m == nil {
		t.Fatal("Redis doesn't say its process's ID")
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
}

// startSentinel runs a Sentinel that watches the master "main", until kill is called or
// the test ends.
func startSentinel(t *testing.T, master string) (port string, kill func()) {
	t.Helper()
	port = redistest.FreePort(t)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	conf := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor main 127.0.0.1 %s 1\n", port, master)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill() // an error means that it has ended
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	await(t, "the Sentinel listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return port, kill
}
