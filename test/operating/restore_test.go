package operating_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/ledger"
)

// pid is that of the Redis that runs.
func (r *rig) pid() int {
	r.t.Helper()
	text := r.shell.run("ask Redis for its process", `redis-cli -u "$REDIS_URL" info server | tr -d '\r' | sed -n 's/^process_id://p'`+"\n")
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		r.t.Fatalf("%q: %v", text, err)
	}
	return n
}

// lose kills Redis, and deletes what it has on disk.
func (r *rig) lose() {
	r.t.Helper()
	pid := r.pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	r.await("Redis is gone", func() bool { return syscall.Kill(pid, 0) != nil })
	left, err := os.ReadDir(r.vars["REDIS_DATA"])
	for _, f := range left {
		if err == nil {
			err = os.RemoveAll(filepath.Join(r.vars["REDIS_DATA"], f.Name()))
		}
	}
	if err != nil || len(left) == 0 {
		r.t.Fatalf("delete Redis's data: %d files, %v", len(left), err)
	}
}

func TestRestore_OfARunningCampaignSendsToEveryoneOnce(t *testing.T) {
	for name, c := range map[string]struct {
		workersLive, externalIDs bool
	}{
		"workers run through it, a report with external IDs": {true, true},
		"workers are started after it, a report of numbers":  {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const recipients = 2000
			r := newRig(t, "100")
			workers := []*process{r.start("work"), r.start("work")}
			r.submit(recipients, "100")
			for _, b := range ours(t, "") {
				r.shell.block(b)
			}
			r.awaitTaken(recipients / 4)
			for _, b := range ours(t, "Back up") {
				r.shell.block(b)
			}
			copied := len(r.taken())
			r.awaitTaken(copied + recipients/4)
			if !c.workersLive {
				for _, w := range workers {
					w.kill()
				}
			}
			r.lose()
			for i, b := range ours(t, "Restore") {
				if i == 1 && !c.workersLive {
					r.start("work").url(t)
					r.start("work").url(t)
				}
				if i == 2 {
					r.await("it is held", func() bool { state, _ := r.report(); return state == "held" })
					r.writeReport(c.externalIDs)
					r.killSettle()
				}
				r.shell.block(b)
			}
			r.await("it is done", func() bool { state, _ := r.report(); return state == "done" })
			r.shell.run("verify", "handout verify spring\nhandout audit verify\n")
			r.once(recipients)
			if _, b := r.report(); b["planned"]+b["claimed"]+b["retrying"]+b["accepted"] > 0 {
				t.Errorf("left: %v", b)
			}
		})
	}
}

// killSettle has the report settled, and kills that in the middle.
func (r *rig) killSettle() {
	r.t.Helper()
	l := r.ledger()
	settled := func() int {
		b, err := l.Balance(r.t.Context(), "spring")
		if err != nil {
			r.t.Fatal(err)
		}
		return b.Of(campaign.Delivered)
	}
	before := settled()
	p := r.start("recover", "settle", r.vars["REPORT"], "--external-id", "External ID", "--reference", "Reference", "--phone", "To", "--date", "Sent", "--status", "Status", "--yes")
	for settled() == before {
		select {
		case <-p.exited:
			r.t.Fatalf("it settles nothing:\n%s", p.tail())
		default:
		}
	}
	p.kill()
	if p.cmd.ProcessState.Exited() {
		r.t.Errorf("it had ended before it was killed:\n%s", p.tail())
	}
	r.t.Logf("killed when %d were settled", settled()-before)
}

// ledger reads the installation's campaigns.
func (r *rig) ledger() *ledger.Ledger {
	r.t.Helper()
	rdb, err := redisx.Open(r.vars["REDIS_URL"], "handout")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = rdb.Close() })
	return ledger.New(rdb)
}

func TestPage_RunsInItsOrder(t *testing.T) {
	t.Parallel()
	const recipients = 500
	r := newRig(t, "20")
	worker, listener := r.start("work"), r.listener
	worker.url(t)
	r.submit(recipients, "20")
	r.awaitTaken(20)
	moves := 0
	for _, b := range ours(t) {
		switch b.section {
		case "Restore":
			if b.number == 1 { // what is lost
				r.awaitTaken(len(r.taken()) + 50)
			}
			r.writeReport(true)
		case "Move to another Redis":
			if moves++; moves == 2 {
				worker.stop(t)
				listener.stop(t)
			}
			if moves == 3 {
				r.vars["REDIS_URL"] = "redis://127.0.0.1:" + r.vars["NEW_PORT"] + "/0"
				r.start("work").url(t)
				r.start("listen").url(t)
			}
		}
		r.shell.block(b)
	}
	r.once(0)
}
