// Package process_test drives the program from outside, a process for each mode as
// in production. The race detector sees nothing of it, so these tests run without.
package process_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/postgrestest"
	"github.com/handout-dev/handout/test/program"
)

// The account of all tests. It isn't a real one: the key says so, in base64.
const (
	customerID = "FFFFFFFF-EEEE-DDDD-1234-AB1234567890"
	apiKey     = "bm9ib2R5J3Mga2V5LCBmb3IgdGVzdHMgb25seSEhIQ=="
)

// patience is how long a test waits for what should happen within seconds.
const patience = 3 * time.Minute

var binary string

// TestMain finds the program once: these tests only see it from outside.
func TestMain(m *testing.M) {
	atOnce()
	dir, err := os.MkdirTemp("", "handout-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if binary, err = program.Find("handout", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	postgrestest.Stop()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// atOnce lets twice as many tests run at once as usual, unless the command line
// says how many: they mostly wait for what their processes do.
func atOnce() {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}

// env is a process's whole environment beside the PATH.
type env map[string]string

// with is a copy with more variables, name and value in turn.
func (e env) with(more ...string) env {
	c := make(env, len(e)+len(more)/2)
	for name, value := range e {
		c[name] = value
	}
	for i := 0; i < len(more); i += 2 {
		c[more[i]] = more[i+1]
	}
	return c
}

// bare has no Redis and no account, and never Telesign's own server: what is
// forgotten ends at a port without a listener.
func bare() env {
	return env{"TELESIGN_URL": "http://127.0.0.1:9"}
}

// account is bare with the account and a Redis, and free ports everywhere.
func account(redisURL string) env {
	return bare().with("REDIS_URL", redisURL, "TELESIGN_CUSTOMER_ID", customerID, "TELESIGN_API_KEY", apiKey,
		"HANDOUT_LISTEN_ADDR", "127.0.0.1:0", "HANDOUT_LISTEN_METRICS_ADDR", "127.0.0.1:0", "HANDOUT_CONSOLE_ADDR", "127.0.0.1:0", "HANDOUT_CONSOLE_METRICS_ADDR", "127.0.0.1:0",
		"HANDOUT_WORK_ADDR", "127.0.0.1:0", "HANDOUT_SIMULATE_ADDR", "127.0.0.1:0", "HANDOUT_SCHEDULE_ADDR", "127.0.0.1:0")
}

func command(ctx context.Context, e env, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	for name, value := range e {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// result is what a command that has ended leaves.
type result struct {
	code           int
	stdout, stderr string
}

// handout runs a command to its end.
func handout(t testing.TB, e env, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := command(ctx, e, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("handout %s: %v (%v)\n%s", strings.Join(args, " "), err, ctx.Err(), stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// done runs a command that has to succeed, and returns its standard output.
func done(t testing.TB, e env, args ...string) string {
	t.Helper()
	r := handout(t, e, args...)
	if r.code != 0 {
		t.Fatalf("handout %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// process is a command that runs until it is stopped.
type process struct {
	t      testing.TB
	name   string
	cmd    *exec.Cmd
	out    *output
	url    string // of a server
	inside string // of a listener's or a console's metrics
	exited chan struct{}
}

// output collects what a process writes and tells when it is ready.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan struct{}
	once  sync.Once
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if _, rest, ok := strings.Cut(o.text.String(), listening); ok && strings.Contains(rest, "\n") {
		o.once.Do(func() { close(o.ready) })
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

const listening = "listening on "

// launch starts a command. The test's end kills it, should it still run.
func launch(t testing.TB, e env, args ...string) *process {
	t.Helper()
	p := &process{
		t: t, name: strings.Join(args, " "), cmd: command(context.Background(), e, args...),
		out: &output{ready: make(chan struct{})}, exited: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // the exit status stands in ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // an error means that it has ended
		<-p.exited
	})
	return p
}

// serve starts a server and waits for the line that says that it is ready.
func serve(t testing.TB, e env, args ...string) *process {
	t.Helper()
	p := launch(t, e, args...)
	select {
	case <-p.out.ready:
	case <-p.exited:
		t.Fatalf("handout %s ended at its start:\n%s", p.name, p.out)
	case <-time.After(patience):
		t.Fatalf("handout %s isn't ready:\n%s", p.name, p.out)
	}
	_, rest, _ := strings.Cut(p.out.String(), listening)
	p.url, _, _ = strings.Cut(rest, "\n")
	_, rest, _ = strings.Cut(p.out.String(), "metrics on ")
	p.inside, _, _ = strings.Cut(rest, "\"\n") // in the log
	return p
}

// signal sends one and waits for the end of the process.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("handout %s: %v\n%s", p.name, err, p.out)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("handout %s doesn't end on %s:\n%s", p.name, s, p.out)
	}
}

// stop ends a server as an orchestrator does, and holds it to a clean end.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("handout %s: exit status %d after SIGTERM:\n%s", p.name, code, p.out)
	}
}

// metrics is a server's page of metrics.
func (p *process) metrics(t testing.TB) string {
	t.Helper()
	at := p.url
	if p.inside != "" {
		at = p.inside
	}
	status, page := get(t, at+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("handout %s: /metrics: %d %s", p.name, status, page)
	}
	return page
}

// get fetches a page: its status and its body.
func get(t testing.TB, url string) (int, string) {
	t.Helper()
	return request(t, http.MethodGet, url)
}

func request(t testing.TB, method, url string) (int, string) {
	t.Helper()
	return requestBy(t, http.DefaultClient, method, url)
}

// opened is a browser that has followed the link that an open console has printed.
func (p *process) opened(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	_, rest, _ := strings.Cut(p.out.String(), "without a key, from this machine: ")
	link, _, _ := strings.Cut(rest, "\n")
	if status, page := requestBy(t, client, http.MethodGet, link); status != http.StatusOK {
		t.Fatalf("the link %q: %d %s", link, status, page)
	}
	return client
}

func requestBy(t testing.TB, client *http.Client, method, url string) (int, string) {
	t.Helper()
	var content io.Reader
	if method == http.MethodPost {
		content = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, content)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// await polls until what is hoped for is so. A look may run a whole command:
// it rests four times as long, so that waiting leaves the cores to what is
// waited for.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		began := time.Now()
		if so() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(max(20*time.Millisecond, 4*time.Since(began)))
	}
}

// write puts a file into the test's own directory and returns its path.
func write(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
