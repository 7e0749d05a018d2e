// Package redistest gives a test a Redis of its own: a real redis-server on a
// unix socket in a directory of its own. Nothing is shared, so tests run in
// parallel, need no flushing, and may kill it to see what is lost.
//
// A missing redis-server fails the test and never skips it: a green run means
// that the Redis tests ran. Only tests import this package.
package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const (
	// startTimeout is generous because a whole test suite may be competing for
	// two cores; a start takes about 50 ms on an idle machine.
	startTimeout = 30 * time.Second

	// maxSocketPath is below the smallest limit that a kernel sets to the path
	// of a unix socket (104 bytes on macOS and BSD, 108 on Linux).
	maxSocketPath = 100

	missing = "redistest: redis-server is not in the PATH: run `make redis`, or install it with `apt-get install redis-server` or `brew install redis`"
)

// Option changes how the server is started.
type Option func(*config)

type config struct {
	file       []string
	directives []string
	password   string
}

// AppendOnly keeps an append-only file, so that Restart brings the data back.
// fsync is "always" or "everysec", Redis's own words.
func AppendOnly(fsync string) Option {
	return func(c *config) {
		c.directives = append(c.directives, "--appendonly", "yes", "--appendfsync", fsync)
	}
}

// Password makes the server ask for one; URL and Client give it.
func Password(password string) Option {
	return func(c *config) {
		c.password = password
		c.directives = append(c.directives, "--requirepass", password)
	}
}

// ConfigFile starts the server on a redis.conf. What Start and the other options
// set prevails: no port, a directory of its own, and AppendOnly where it is given.
func ConfigFile(path string) Option {
	return func(c *config) { c.file = []string{path} }
}

// Set gives one more redis.conf directive, such as Set("maxmemory", "10mb").
func Set(directive, value string) Option {
	return func(c *config) {
		c.directives = append(c.directives, "--"+directive, value)
	}
}

// Server is a running redis-server. Its methods fail the test that started it
// and belong in that test's goroutine; what Client returns may be used in any.
type Server struct {
	t        testing.TB
	bin      string
	dir      string
	args     []string
	password string

	run *process // nil while killed

	clientOnce sync.Once
	client     *redis.Client
}

// process is one life of the server.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process has been waited for
	guard  *Guard
}

// Start runs a redis-server until the test ends. Without options it keeps
// nothing on disk.
func Start(t testing.TB, opts ...Option) *Server {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(missing)
	}

	var c config
	for _, opt := range opts {
		opt(&c)
	}
	s := &Server{t: t, bin: bin, dir: tempDir(t), password: c.password}
	s.args = slices.Concat(c.file, []string{"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir})
	if c.file == nil {
		s.args = append(s.args, "--save", "", "--appendonly", "no")
	}
	s.args = append(s.args, c.directives...)

	t.Cleanup(s.stop)
	s.start()
	return s
}

// URL is the address in the form that redisx.Open takes.
func (s *Server) URL() string {
	u := url.URL{Scheme: "unix", Path: s.socket()}
	if s.password != "" {
		u.User = url.UserPassword("", s.password)
	}
	return u.String()
}

// Client is a client of this server, closed when the test ends. Every call
// returns the same one.
func (s *Server) Client() *redis.Client {
	s.clientOnce.Do(func() {
		s.client = redis.NewClient(s.options())
		s.t.Cleanup(func() { _ = s.client.Close() })
	})
	return s.client
}

// Kill ends the server at once, as a crash of its machine's process would:
// no shutdown, no last write to disk. It returns when the process is gone.
func (s *Server) Kill() {
	s.t.Helper()
	if s.run == nil {
		s.t.Fatal("redistest: kill: the server is not running")
	}
	s.stop()
}

// Restart starts the server again on what it left on disk, killing it first if
// it still runs. It returns when the data is loaded.
func (s *Server) Restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

// CommandStats tells how often each command was called since the server's
// start or the last ResetCommandStats, under Redis's names: "evalsha", "get",
// "config|get". A command that a script calls counts too.
func (s *Server) CommandStats() map[string]int64 {
	s.t.Helper()
	stats := map[string]int64{}
	for name, value := range s.info("commandstats") {
		command, ok := strings.CutPrefix(name, "cmdstat_")
		if !ok {
			continue
		}
		calls, _, _ := strings.Cut(value, ",")
		n, err := strconv.ParseInt(strings.TrimPrefix(calls, "calls="), 10, 64)
		if err != nil {
			s.t.Fatalf("redistest: commandstats of %s: %v", command, err)
		}
		stats[command] = n
	}
	return stats
}

// scriptCalls returns how often scripts were called, by those who may not, too.
func (s *Server) scriptCalls() (n int64) {
	s.t.Helper()
	stats := s.info("commandstats")
	for _, command := range []string{"cmdstat_evalsha", "cmdstat_eval"} {
		for field := range strings.SplitSeq(stats[command], ",") {
			if name, value, _ := strings.Cut(field, "="); name == "calls" || name == "rejected_calls" {
				calls, _ := strconv.ParseInt(value, 10, 64)
				n += calls
			}
		}
	}
	return n
}

// CallsFewScripts fails the test if 20 calls of scripts take less than half a second: a server
// whose calls are denied has to wait between them.
func (s *Server) CallsFewScripts() {
	s.t.Helper()
	const n = 20
	before, began := s.scriptCalls(), time.Now()
	for s.scriptCalls() < before+n {
		if time.Since(began) > time.Minute {
			s.t.Fatalf("redistest: %d calls of scripts in a minute, want %d", s.scriptCalls()-before, n)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if took := time.Since(began); took < time.Second/2 {
		s.t.Errorf("%d calls of scripts in %s", s.scriptCalls()-before, took)
	}
}

// ResetCommandStats sets every count of CommandStats to zero.
func (s *Server) ResetCommandStats() {
	s.t.Helper()
	if err := s.Client().ConfigResetStat(s.t.Context()).Err(); err != nil {
		s.t.Fatalf("redistest: reset statistics: %v", err)
	}
}

// UsedMemory is what Redis has allocated, in bytes: used_memory of INFO.
func (s *Server) UsedMemory() int64 {
	s.t.Helper()
	n, err := strconv.ParseInt(s.info("memory")["used_memory"], 10, 64)
	if err != nil {
		s.t.Fatalf("redistest: used memory: %v", err)
	}
	return n
}

func (s *Server) info(section string) map[string]string {
	s.t.Helper()
	text, err := s.Client().Info(s.t.Context(), section).Result()
	if err != nil {
		s.t.Fatalf("redistest: info %s: %v", section, err)
	}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

func (s *Server) socket() string  { return filepath.Join(s.dir, "s") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

func (s *Server) options() *redis.Options {
	return &redis.Options{
		Network:  "unix",
		Addr:     s.socket(),
		Password: s.password,
		// Both would add commands of their own to CommandStats.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

func (s *Server) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	defer log.Close() // the child holds its own copy

	cmd := exec.Command(s.bin, s.args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("redistest: start redis-server: %v", err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // killed on purpose, so its exit status says nothing
		close(p.exited)
	}()
	s.run = p
	p.guard, err = NewGuard(cmd.Process.Pid)
	if err != nil {
		s.t.Fatalf("redistest: guard the server: %v", err)
	}
	if err := s.awaitPing(p); err != nil {
		s.t.Fatalf("redistest: %v; its log ends:\n%s", err, s.logTail())
	}
}

// stop is Kill for a server in any condition.
func (s *Server) stop() {
	p := s.run
	if p == nil {
		return
	}
	s.run = nil
	// The guard goes first: afterwards the process ID may belong to another.
	p.guard.Dismiss()
	_ = p.cmd.Process.Kill() // an error means that it has already ended
	<-p.exited
}

// awaitPing returns when the server answers PING, which it does not do with
// PONG before its data is loaded.
func (s *Server) awaitPing(p *process) error {
	opts := s.options()
	opts.MaxRetries = -1
	client := redis.NewClient(opts)
	defer client.Close()

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.ping(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("redis-server ended at its start")
		case <-ctx.Done():
			return fmt.Errorf("redis-server doesn't answer after %s: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

func (s *Server) ping(ctx context.Context, client *redis.Client) error {
	// A dial before the socket exists would make the client log and back off.
	if _, err := os.Stat(s.socket()); err != nil {
		return err
	}
	return client.Ping(ctx).Err()
}

func (s *Server) logTail() string {
	const lines = 15
	f, err := os.Open(s.logFile())
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var tail []string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		tail = append(tail, scan.Text())
		tail = tail[max(0, len(tail)-lines):]
	}
	return strings.Join(tail, "\n")
}

// tempDir is t.TempDir with a path short enough for a socket: t.TempDir spells
// out the name of the test.
func tempDir(t testing.TB) string {
	t.Helper()
	parent := os.TempDir()
	if len(parent) > maxSocketPath-len("/redis-1234567890/s") {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "redis-")
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
