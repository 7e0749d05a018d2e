package operating_test

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/program"
	"github.com/handout-dev/handout/test/redistest"
)

// patience is how long a test waits for what should happen within seconds.
const patience = 3 * time.Minute

var bin string // the folder of the programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "handout-")
	if err == nil {
		bin, err = program.Find("handout", dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = filepath.Dir(bin)
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// rig is an installation of real processes, and the shell in which an operator works.
type rig struct {
	t      *testing.T
	vars   map[string]string
	vendor string // the simulator's URL
	shell  *shell
	// listener is the one of the beginning.
	listener *process
}

// newRig starts Redis by a file of settings of its own, the simulator and a listener.
func newRig(t *testing.T, rate string) *rig {
	t.Helper()
	dir, port, listen := t.TempDir(), redistest.FreePort(t), redistest.FreePort(t)
	conf, err := filepath.Abs("../../deploy/redis.conf")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, vars: map[string]string{
		"PATH": bin + ":" + os.Getenv("PATH"), "TMPDIR": os.TempDir(), "HOME": dir,
		"REDIS_URL": "redis://127.0.0.1:" + port + "/0", "TELESIGN_CUSTOMER_ID": "FFFFFFFF-EEEE-DDDD-1234-AB1234567890", "TELESIGN_API_KEY": "bm9ib2R5J3Mga2V5LCBmb3IgdGVzdHMgb25seSEhIQ==",
		"TELESIGN_URL": "http://127.0.0.1:9", "HANDOUT_RATE": rate, "HANDOUT_SEND_TIMEOUT": "2s", "HANDOUT_RECEIPT_DEADLINE": "10s", "HANDOUT_ALLOW_UNSAFE": "TELESIGN_URL",
		"HANDOUT_SIMULATE_ADDR": "127.0.0.1:0", "HANDOUT_SIMULATE_SPEED": "100", "HANDOUT_SIMULATE_CALLBACK_URL": "http://127.0.0.1:" + listen + "/callbacks/telesign",
		"HANDOUT_LISTEN_ADDR": "127.0.0.1:" + listen, "HANDOUT_LISTEN_METRICS_ADDR": "127.0.0.1:0", "HANDOUT_WORK_ADDR": "127.0.0.1:0",
		"REDIS_CONF": filepath.Join(dir, "redis.conf"), "REDIS_DATA": filepath.Join(dir, "data"), "BACKUPS": filepath.Join(dir, "backups"), "SECRETS": dir, "REPORT": filepath.Join(dir, "report.csv"),
		"OLD_PORT": port, "NEW_PORT": redistest.FreePort(t), "NEW_DATA": filepath.Join(dir, "new"),
	}}
	r.write(r.vars["REDIS_CONF"], "include "+conf+"\nbind 127.0.0.1\nport "+port+"\ndir "+r.vars["REDIS_DATA"]+"\nlogfile "+filepath.Join(dir, "redis.log")+"\n")
	if err := os.Mkdir(r.vars["REDIS_DATA"], 0o700); err != nil {
		t.Fatal(err)
	}
	r.shell = r.openShell()
	r.shell.run("start Redis", `redis-server "$REDIS_CONF" --daemonize yes
until redis-cli -u "$REDIS_URL" ping | grep -q PONG; do sleep 0.1; done
`)
	t.Cleanup(func() {
		for _, port := range []string{r.vars["OLD_PORT"], r.vars["NEW_PORT"]} {
			_ = exec.Command("redis-cli", "-p", port, "shutdown", "nosave", "now").Run() // one that doesn't run refuses
		}
	})
	r.vendor = r.start("simulate").url(t)
	r.vars["TELESIGN_URL"] = r.vendor
	r.shell.run("name the vendor", "export TELESIGN_URL="+r.vendor+"\n")
	r.listener = r.start("listen")
	r.listener.url(t)
	return r
}

func (r *rig) write(path, text string) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) environment() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(r.vars)) {
		all = append(all, name+"="+r.vars[name])
	}
	return all
}

// process is a server of handout's.
type process struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	text   bytes.Buffer
	ready  chan string
	exited chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.Write(b)
	if _, rest, ok := strings.Cut(p.text.String(), "listening on "); ok {
		if url, _, ok := strings.Cut(rest, "\n"); ok && p.ready != nil {
			p.ready <- url
			p.ready = nil
		}
	}
	return len(b), nil
}

// start starts a server, which ends with the test at the latest.
func (r *rig) start(args ...string) *process {
	r.t.Helper()
	p := &process{cmd: exec.Command(filepath.Join(bin, "handout"), args...), ready: make(chan string, 1), exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = r.environment(), p, p
	if err := p.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	guard, err := redistest.NewGuard(p.cmd.Process.Pid)
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // it was killed
		close(p.exited)
	}()
	r.t.Cleanup(func() {
		guard.Dismiss()
		p.kill()
		if r.t.Failed() {
			r.t.Logf("handout %s:\n%s", strings.Join(args, " "), p.tail())
		}
	})
	return p
}

// url waits until the server is ready.
func (p *process) url(t *testing.T) string {
	t.Helper()
	p.mu.Lock()
	ready := p.ready
	p.mu.Unlock()
	select {
	case url := <-ready:
		return url
	case <-p.exited:
	case <-time.After(patience):
	}
	t.Fatalf("it isn't ready:\n%s", p.tail())
	return ""
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.exited
}

// stop ends a server as an orchestrator does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("it doesn't end:\n%s", p.tail())
	}
}

func (p *process) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.text.String()
	return text[max(0, len(text)-3000):]
}

// shell is a bash in which commands of the page run one after the other.
type shell struct {
	t     *testing.T
	in    io.Writer
	lines chan string // of its output, closed at its end
}

const ended = "-- the block has ended --"

func (r *rig) openShell() *shell {
	r.t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail")
	cmd.Env, cmd.Dir = r.environment(), "../.."
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	s := &shell{t: r.t, in: in, lines: make(chan string, 1000)}
	go func() {
		defer close(s.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			s.lines <- scan.Text()
		}
	}()
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error means that it has ended
		_ = cmd.Wait()
	})
	return s
}

// run runs commands to their end, and fails the test if one fails.
func (s *shell) run(name, text string) string {
	s.t.Helper()
	// From a file: what a command reads from its standard input isn't the next command.
	script := filepath.Join(s.t.TempDir(), "block.sh")
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(s.in, ". %q </dev/null\necho %q\n", script, ended); err != nil {
		s.t.Fatalf("%s: the shell has ended: %v", name, err)
	}
	var out strings.Builder
	for deadline := time.After(patience); ; {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("%s: a command failed:\n%s\n%s", name, text, out.String())
			}
			if line == ended {
				return out.String()
			}
			out.WriteString(line + "\n")
		case <-deadline:
			s.t.Fatalf("%s: it doesn't end:\n%s\n%s", name, text, out.String())
		}
	}
}

func (s *shell) block(b block) {
	s.t.Helper()
	name := fmt.Sprintf("docs/operating.md:%d (%s)", b.line, b.section)
	s.t.Logf("%s\n%s%s", name, b.text, s.run(name, b.text))
}

// taken are the messages that the vendor has taken, the first of them first.
func (r *rig) taken() (all []simulator.Accepted) {
	r.t.Helper()
	resp, err := http.Get(r.vendor + "/simulator/log")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	for in := json.NewDecoder(resp.Body); ; {
		var a simulator.Accepted
		if err := in.Decode(&a); err == io.EOF {
			return all
		} else if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, a)
	}
}

// await waits until something is so.
func (r *rig) await(what string, so func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !so(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(50 * time.Millisecond) // another process's state has no signal
	}
}

func (r *rig) awaitTaken(n int) {
	r.t.Helper()
	r.await(fmt.Sprintf("%d are sent to", n), func() bool { return len(r.taken()) >= n })
}

// writeReport writes what the vendor has taken as its report. Without external IDs
// recipients are found by their phone numbers, which it writes without a plus.
func (r *rig) writeReport(externalIDs bool) {
	r.t.Helper()
	file, err := os.OpenFile(r.vars["REPORT"], os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	out := csv.NewWriter(file)
	_ = out.Write([]string{"Reference", "External ID", "To", "Sent", "Status"}) // Error says it
	for _, a := range r.taken() {
		id := ""
		if externalIDs {
			id = a.ExternalID
		}
		_ = out.Write([]string{a.Reference, id, strings.TrimPrefix(a.PhoneNumber, "+"), a.At.UTC().Format("2006-01-02 15:04:05"), "Delivered"})
	}
	out.Flush()
	if err := out.Error(); err != nil {
		r.t.Fatal(err)
	}
}

// submit opens the campaign of so many, with stories of every kind, and returns its ID.
func (r *rig) submit(recipients int, rate string) {
	r.t.Helper()
	dir := r.t.TempDir()
	r.write(filepath.Join(dir, "campaign.yaml"), `id: spring
message_type: MKT
channels:
  - {channel: whatsapp, fallback_time: 30s, template: file, parameters: {url: "https://example.com/a.pdf"}}
  - {channel: sms, template: text, parameters: {text: "Hello"}}
rate: `+rate+"\nmax_failure_rate: 1\n")
	list := "recipient,phone\n"
	for i := range recipients {
		list += fmt.Sprintf("r%d,%s\n", i, phone(i))
	}
	r.write(filepath.Join(dir, "list.csv"), list)
	r.shell.run("submit", fmt.Sprintf("handout submit %q %q\n", filepath.Join(dir, "campaign.yaml"), filepath.Join(dir, "list.csv")))
}

// phone is a number whose last digits choose a story: each of those that end by
// themselves, and those whose answers get lost (85 to 88).
func phone(i int) string { return fmt.Sprintf("+4179%05d%02d", i/89, i%89) }

// report is the campaign's.
func (r *rig) report() (state string, balance map[string]int) {
	r.t.Helper()
	var o struct {
		State   string          `json:"state"`
		Total   int             `json:"total"`
		Balance json.RawMessage `json:"balance"`
	}
	text := r.shell.run("report", "handout report spring --json\n")
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		r.t.Fatalf("%v: %s", err, text)
	}
	_ = json.Unmarshal(o.Balance, &balance) // delivered_by is an object
	return o.State, balance
}

// once holds that no number was sent to twice, and that the first so many of the campaign were sent to.
func (r *rig) once(recipients int) {
	r.t.Helper()
	times, twice, lost := make(map[string]int), 0, 0
	for _, a := range r.taken() {
		if times["+"+strings.TrimPrefix(a.PhoneNumber, "+")]++; times["+"+strings.TrimPrefix(a.PhoneNumber, "+")] == 2 {
			twice++
		}
	}
	for i := range recipients {
		if times[phone(i)] == 0 {
			lost++
		}
	}
	if twice > 0 || lost > 0 {
		r.t.Errorf("%d were sent to twice, and %d of %d not at all", twice, lost, recipients)
	}
	r.t.Logf("%d recipients, %d messages, %d sent twice, %d lost", recipients, len(r.taken()), twice, lost)
}
