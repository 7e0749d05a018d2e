//go:build compose

package compose_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	project    = "handout-test" // its containers, networks and volumes begin with it
	campaign   = "order-history-2026-11"
	recipients = 2000 // at the example's 10 a second: 200 s of sending, in which all below happens
)

// rig is a copy of the project in a folder, as one who installs it has it.
type rig struct {
	t       *testing.T
	ctx     context.Context // ends by Ctrl-C
	dir     string
	env     []string
	local   bool // Go's image can't be pulled
	untried []string
	blocks  []block
}

func (r *rig) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = r.dir, r.env
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = time.Minute
	return c
}

func (r *rig) try(name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	c := r.command(r.ctx, name, args...)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, &errs, &out)
	}
	return out.String(), err
}

// run returns what a command that must succeed wrote on standard output.
func (r *rig) run(name string, args ...string) string {
	r.t.Helper()
	out, err := r.try(name, args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) compose(args ...string) string {
	r.t.Helper()
	return r.run("docker", append([]string{"compose"}, args...)...)
}

// await waits until what holds.
func (r *rig) await(what string, within time.Duration, holds func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(within)
	for !holds() {
		if time.Now().After(deadline) || r.ctx.Err() != nil {
			r.t.Fatalf("not within %v: %s", within, what)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// block is a fenced block of the runbook's section, under its heading.
type block struct{ heading, text string }

// blocks of commands that stand in the section "With Docker Compose", and are run here.
func readBlocks(t *testing.T) []block {
	t.Helper()
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## With Docker Compose\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var all []block
	for _, part := range strings.Split(section, "\n### ")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		for _, m := range regexp.MustCompile("(?s)```sh compose\n(.*?)```").FindAllStringSubmatch(body, -1) {
			all = append(all, block{heading, m[1]})
		}
	}
	return all
}

// follow runs the next block of the page, which stands under the heading.
func (r *rig) follow(heading string, env ...string) string {
	r.t.Helper()
	if len(r.blocks) == 0 || r.blocks[0].heading != heading {
		r.t.Fatalf("the page has no block %q where the test comes to it: left are %v", heading, r.blocks)
	}
	text := r.blocks[0].text
	r.blocks = r.blocks[1:]
	if r.local {
		text = strings.ReplaceAll(text, "make image ", "make image-local ")
	}
	r.t.Logf("%s:\n%s", heading, strings.TrimSpace(text))
	started := time.Now()
	c := r.command(r.ctx, "sh", "-euc", text)
	c.Env = append(slices.Clone(r.env), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v\n%s", err, last(string(out), 30))
	}
	r.t.Logf("done in %.0f s", time.Since(started).Seconds())
	return string(out)
}

// install copies the project's files into a folder, and puts before docker in the PATH
// one that knows docker compose where only Compose 1.29 is there.
func install(t *testing.T, ctx context.Context) *rig {
	t.Helper()
	r := &rig{t: t, ctx: ctx, dir: "../..", env: engine(t), blocks: readBlocks(t)}
	dir, bin := t.TempDir(), t.TempDir()
	r.run("sh", "-c", `git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$1"`, "sh", dir)
	r.dir = dir
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	shim := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = compose ]; then shift; PATH=${PATH#*:} exec sh deploy/compose.sh \"$@\"; fi\nexec %s \"$@\"\n", docker)
	r.write(filepath.Join(bin, "docker"), shim)
	if err := os.Chmod(filepath.Join(bin, "docker"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	r.env = append(r.env, "PATH="+os.Getenv("PATH"), "COMPOSE_PROJECT_NAME="+project)
	if err := os.Chmod(dir, 0o755); err != nil { // the containers' user reads the lists in it
		t.Fatal(err)
	}
	return r
}

func (r *rig) write(path, text string) {
	r.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(path string) string {
	r.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// list writes the example's list: numbers of fiction, whose endings let the simulator
// deliver through WhatsApp, or refuse there at once and deliver an SMS. Whoever is sent
// to has a receipt, so only a kill leaves someone in doubt.
func (r *rig) list() {
	r.t.Helper()
	list := "recipient,phone,url\n"
	for i := range recipients {
		ending := i % 56 // 00-49 and 58-63
		if ending >= 50 {
			ending += 8
		}
		list += fmt.Sprintf("customer-%d,+1%s55501%02d,https://files.example.com/%d.xlsx\n", i, areas[i/56], ending, i)
	}
	r.write(filepath.Join(r.dir, "docs/example/list.csv"), list)
}

// settings has the lists encrypted, and the image called by a name of the test's own.
func (r *rig) settings() {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	path := filepath.Join(r.dir, "deploy/simulate.env")
	r.write(path, r.read(path)+"IMAGE="+project+"\nHANDOUT_MASTER_KEY="+base64.StdEncoding.EncodeToString(key)+"\n")
}

var areas = strings.Fields("201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252 253 254 256 260 262 267 269 270")

// containers are the running ones of a service.
func (r *rig) containers(service string) []string {
	r.t.Helper()
	return strings.Fields(r.compose("ps", "--quiet", service))
}

// taken is how often the vendor's double took a message for each phone number.
func (r *rig) taken() map[string]int {
	r.t.Helper()
	resp, err := http.Get("http://127.0.0.1:8060/simulator/log")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	times := make(map[string]int)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var message struct {
			PhoneNumber string `json:"phone_number"`
		}
		if err := json.Unmarshal(lines.Bytes(), &message); err != nil || message.PhoneNumber == "" {
			r.t.Fatalf("%s: %v", lines.Text(), err)
		}
		times[message.PhoneNumber]++
	}
	if err := lines.Err(); err != nil {
		r.t.Fatal(err)
	}
	return times
}

func (r *rig) sent(n int) {
	r.t.Helper()
	r.await(fmt.Sprintf("%d are sent to", n), 2*time.Minute, func() bool { return len(r.taken()) >= n })
}

// report is what the command line in a container says of the campaign.
type report struct {
	Total   int
	Balance map[string]int
}

func (r *rig) report() (rep report) {
	r.t.Helper()
	out := r.compose("run", "--rm", "cli", "report", campaign, "--json")
	if err := json.Unmarshal([]byte(out), &rep); err != nil {
		r.t.Fatalf("%v: %s", err, out)
	}
	return rep
}

// versions are those of the programs in a service's containers.
func (r *rig) versions(service, want string) {
	r.t.Helper()
	for _, id := range r.containers(service) {
		if out := r.run("docker", "exec", id, "/handout", "--version"); out != "handout "+want+"\n" {
			r.t.Errorf("%s runs %s, want %s", service, out, want)
		}
	}
}

func TestCompose_KillsScalesAndUpgradesLoseNoOneAndSendToNoOneTwice(t *testing.T) {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	r := install(t, ctx)
	defer func() {
		for _, what := range r.untried {
			t.Log("wasn't tried:", what)
		}
	}()
	r.run("sh", "-c", `cp deploy/simulate.env .env`) // for what takes down; the page does so, too
	down := func() { r.cleanup("docker", "compose", "down", "--volumes", "--remove-orphans") }
	down() // what a run that was killed has left
	t.Cleanup(down)
	t.Cleanup(func() {
		if t.Failed() {
			r.cleanup("docker", "compose", "ps")
			r.cleanup("docker", "compose", "logs", "--tail", "10")
		}
	})
	if err := os.Remove(filepath.Join(r.dir, ".env")); err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(r.compose("version"), "\n")
	t.Log(version)
	r.base()
	r.list()
	r.settings()
	t.Cleanup(func() { r.cleanup("docker", "image", "rm", "--force", project, "handout:next") })

	r.follow("Install", "VERSION=v0.0.1-test", "REVISION=abc")
	r.versions("work", "v0.0.1-test")
	labels := r.run("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", project)
	for _, label := range []string{`title":"handout"`, `source":"https://github.com/handout-dev/handout"`, `version":"v0.0.1-test"`, `revision":"abc"`, `licenses":"MIT"`} {
		if !strings.Contains(labels, `"org.opencontainers.image.`+label) {
			t.Errorf("the image has no label %s: %s", label, labels)
		}
	}
	if out, err := r.try("docker", "compose", "exec", "-T", "redis", "redis-cli", "get", "handout:installation"); !strings.Contains(out, "NOAUTH") {
		t.Errorf("Redis answers who has no password: %s, %v", out, err)
	}
	r.secrets()
	if out, err := r.try("docker", "compose", "run", "--rm", "cli", "doctor"); err != nil {
		t.Errorf("doctor: %s, %v", out, err)
	}

	witness := r.containers("simulate")

	r.follow("The first campaign")
	if _, err := r.try("docker", "compose", "run", "--rm", "-e", "HANDOUT_MASTER_KEY=", "cli", "list"); err == nil || !strings.Contains(err.Error(), "is encrypted by the master key") {
		t.Errorf("without the master key: %v", err)
	}
	r.sent(recipients / 10)
	r.run("docker", append([]string{"kill"}, r.containers("work")...)...)
	inFlight := r.report().Balance["claimed"]
	t.Logf("a worker was killed, with %d sends in flight", inFlight)
	r.compose("up", "--detach", "--no-build", "work")
	r.sent(len(r.taken()) + 100)

	r.run("docker", append([]string{"kill"}, r.containers("redis")...)...)
	before := len(r.taken())
	r.compose("up", "--detach", "--no-build", "redis")
	r.sent(before + 100)
	t.Logf("Redis was killed; %d were sent to by then", before)

	r.follow("Scale")
	if n := len(r.containers("work")); n != 3 {
		t.Fatalf("%d workers, want 3", n)
	}
	r.sent(len(r.taken()) + 100)

	r.compose("run", "--rm", "cli", "pause", campaign) // a build may take longer than all sends
	r.follow("Upgrade", "VERSION=v0.0.2-test")
	r.compose("run", "--rm", "cli", "resume", campaign)
	r.follow("Upgrade")
	if n := len(r.taken()); n == recipients {
		t.Error("everyone was sent to before the upgrade had ended: it shows nothing")
	}
	for _, service := range []string{"listen", "work", "console"} {
		r.versions(service, "v0.0.2-test")
	}
	if n := len(r.containers("work")); n != 3 {
		t.Errorf("%d workers after the upgrade, want 3", n)
	}

	if now := r.containers("simulate"); !slices.Equal(now, witness) {
		t.Errorf("the witness was replaced, and its log with it: %v, before %v", now, witness)
	}

	var rep report
	r.await("everyone has an outcome, or is in doubt", 10*time.Minute, func() bool {
		rep = r.report()
		return rep.Balance["delivered"]+rep.Balance["in_doubt"] == recipients
	})
	r.judge(rep, inFlight)
	if out := r.compose("run", "--rm", "cli", "verify", campaign); !strings.Contains(out, "the balance closes") {
		t.Error(out)
	}

	r.follow("Where the data lies")
	if again := r.report(); !maps.Equal(again.Balance, rep.Balance) {
		t.Errorf("after down and up: %v, before: %v", again, rep)
	}
	r.follow("Take down")
	for _, what := range []string{"container ls --all", "volume ls", "network ls"} {
		if out := r.run("docker", append(strings.Fields(what), "--quiet", "--filter", "label=com.docker.compose.project="+project)...); out != "" {
			t.Errorf("docker %s still has %s", what, out)
		}
	}
	if len(r.blocks) > 0 {
		t.Errorf("blocks of the page weren't run: %v", r.blocks)
	}
}

// secrets holds that only those have Telesign's key who send, verify or ask with it, and
// that each has one user of Redis.
func (r *rig) secrets() {
	r.t.Helper()
	for service, has := range map[string]bool{"work": true, "listen": true, "console": true, "redis": false} {
		for _, id := range r.containers(service) {
			env := r.run("docker", "inspect", "--format", "{{json .Config.Env}}", id)
			if strings.Contains(env, "TELESIGN_API_KEY") != has {
				r.t.Errorf("%s has Telesign's key: %v, want %v", service, !has, has)
			}
			if service != "redis" && (strings.Contains(env, "REDIS_PASSWORD") || strings.Count(env, "redis://"+service+":") != 1) {
				r.t.Errorf("%s doesn't have its own user of Redis alone: %s", service, env)
			}
		}
	}
}

// judge holds the report against the vendor's log.
func (r *rig) judge(rep report, inFlight int) {
	r.t.Helper()
	taken := r.taken()
	for phone, times := range taken {
		if times > 1 {
			r.t.Errorf("%s was sent to %d times", phone, times)
		}
	}
	sum := 0
	for _, n := range rep.Balance {
		sum += n
	}
	doubt := rep.Balance["in_doubt"]
	r.t.Logf("of %d: %v; the vendor took %d", rep.Total, rep.Balance, len(taken))
	if rep.Total != recipients || sum != recipients || rep.Balance["delivered"]+doubt != recipients || rep.Balance["delivered"] != len(taken) {
		r.t.Error("someone is lost, or is said to have been sent to and wasn't")
	}
	// Redis's kill ends no worker: what was in flight then is recorded when Redis is back.
	if doubt > inFlight {
		r.t.Errorf("%d in doubt, and %d sends were in flight when the worker was killed", doubt, inFlight)
	}
}
