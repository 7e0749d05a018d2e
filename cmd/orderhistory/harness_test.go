package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/postgrestest"
	"github.com/handout-dev/handout/test/program"
	"github.com/handout-dev/handout/test/redistest"
	"github.com/handout-dev/handout/test/s3test"
)

// patience is how long a test waits for what should happen within seconds.
const patience = 2 * time.Minute

var binary string

// TestMain finds the program once: these tests only see it from outside.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "orderhistory-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if binary, err = program.Find("orderhistory", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	postgrestest.Stop()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// place is where a test's program runs: its environment, and what is around it.
type place struct {
	t     testing.TB
	redis *redistest.Server
	env   map[string]string
	files string // the folder
	state string // the URL of the state
}

// settle makes a place with a generated shop, and a server for its files.
func settle(t testing.TB, customers int) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{t: t, redis: redistest.Start(t), files: filepath.Join(dir, "files"), state: "sqlite:" + filepath.Join(dir, "state.db")}
	f, err := store.OpenFolder(p.files, "")
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	p.env = map[string]string{
		"REDIS_URL": p.redis.URL(), "ORDERHISTORY_SHOP": "sqlite:" + filepath.Join(dir, "shop.db"), "ORDERHISTORY_STATE": p.state,
		"ORDERHISTORY_FOLDER": p.files, "ORDERHISTORY_FOLDER_URL": server.URL,
	}
	p.done("generate", "--customers", fmt.Sprint(customers))
	return p
}

// onS3 puts the files into a bucket instead.
func (p *place) onS3() *place {
	s := s3test.Start(p.t)
	p.files = s.Dir
	p.env["ORDERHISTORY_S3_BUCKET"], p.env["ORDERHISTORY_S3_ENDPOINT"] = s3test.Bucket, s.Endpoint
	p.env["ORDERHISTORY_S3_ACCESS_KEY"], p.env["ORDERHISTORY_S3_SECRET_KEY"] = s3test.AccessKey, s3test.SecretKey
	return p
}

// onPostgres moves the state there.
func (p *place) onPostgres() *place {
	p.state = postgrestest.URL(p.t)
	p.env["ORDERHISTORY_STATE"] = p.state
	return p
}

func (p *place) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// result is what a command that has ended leaves.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command to its end.
func (p *place) run(args ...string) result {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	cmd := p.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		p.t.Fatalf("orderhistory %s: %v (%v)\n%s", strings.Join(args, " "), err, ctx.Err(), stderr.String())
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// done runs a command that has to succeed, and returns its standard output.
func (p *place) done(args ...string) string {
	p.t.Helper()
	r := p.run(args...)
	if r.code != 0 {
		p.t.Fatalf("orderhistory %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// process is a command that runs until it ends or is killed.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	out    bytes.Buffer
	exited chan struct{}
}

func (p *place) launch(args ...string) *process {
	p.t.Helper()
	r := &process{t: p.t, cmd: p.command(context.Background(), args...), exited: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	must(p.t, r.cmd.Start())
	go func() {
		_ = r.cmd.Wait() // the exit status stands in ProcessState
		close(r.exited)
	}()
	p.t.Cleanup(r.kill)
	return r
}

// kill ends it at once, if it hasn't ended.
func (r *process) kill() {
	_ = r.cmd.Process.Kill()
	<-r.exited
}

func (r *process) ended() bool {
	select {
	case <-r.exited:
		return true
	default:
		return false
	}
}

// await polls until what is hoped for is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// stored are the finished files.
func (p *place) stored() int {
	n := 0
	_ = filepath.WalkDir(p.files, func(path string, _ os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".xlsx" {
			n++
		}
		return nil // files come and go
	})
	return n
}

// asks puts a question to the state, of one number; -1 while it can't be asked.
func (p *place) asks(query string) int {
	p.t.Helper()
	db, err := database.Create(context.Background(), p.state)
	if err != nil {
		return -1
	}
	defer db.Close()
	var n sql.NullInt64
	if err := db.QueryRowContext(context.Background(), query).Scan(&n); err != nil {
		return -1
	}
	return int(n.Int64)
}

// recipients are those of the only campaign; nil while none stands.
func (p *place) recipients(id campaign.ID) []campaign.Recipient {
	p.t.Helper()
	ctx, ledger := context.Background(), ledger.New(p.redis.Client())
	info, err := ledger.Info(ctx, id)
	if err != nil || info.Phase == campaign.Draft {
		return nil
	}
	var all []campaign.Recipient
	for page := 0; len(all) < info.Total; page++ {
		some, err := ledger.Recipients(ctx, id, page)
		must(p.t, err)
		all = append(all, some...)
	}
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
