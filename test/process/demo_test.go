package process_test

import (
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/test/redistest"
)

func TestDemo_PrintsOneObjectAlone(t *testing.T) {
	t.Parallel()
	out := done(t, bare(), "demo", "--json", "--recipients", "200")
	checkReportKeys(t, out)
	var r report.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	if r.State != "done" || r.Total != 200 || r.Balance["delivered"] != 186 || r.DeliveredBy.Both != 4 {
		t.Errorf("%s", out)
	}
}

func TestDemo_WithoutARedisServerKeepsOneInItsProcess(t *testing.T) {
	t.Parallel()
	p := launch(t, bare().with("PATH", t.TempDir()), "demo", "--recipients", "40")
	await(t, "the demo is done", func() bool { return strings.Contains(p.out.String(), "Ctrl-C ends the demo") })
	text := p.out.String()
	for _, want := range []string{"WARNING: nothing outlives this process", "40 recipients in ", "the balance closes.", "by WhatsApp"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	pages := regexp.MustCompile(`pages +(http://\S+)`).FindStringSubmatch(text)
	if pages == nil {
		t.Fatalf("it doesn't say where its pages are:\n%s", text)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, page := requestBy(t, &http.Client{Jar: jar}, http.MethodGet, pages[1]); status != http.StatusOK || !strings.Contains(page, "state-done") || !strings.Contains(page, "Of 40 people: ") {
		t.Errorf("its page: %d %s", status, page)
	}
	p.signal(syscall.SIGINT)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status %d:\n%s", code, p.out)
	}
}

func TestDemo_TakesNoRedisThatOthersUse(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := account(server.URL())
	work := serve(t, e, "work")
	workers := asynq.NewInspectorFromRedisClient(server.Client())
	await(t, "the worker is known to the queue", func() bool { // it says so beside being ready
		servers, err := workers.Servers()
		return err == nil && len(servers) > 0
	})
	demo := refusal{args: []string{"demo", "--exit"}, code: 1}
	demo.stderr = `demo: a worker runs on the Redis of REDIS_URL, and would send for real; .*`
	demo.check(t, e)
	work.stop()
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)))
	demo.stderr = `demo: campaign spring is under way in the Redis of REDIS_URL, and would end in the simulator; .*`
	demo.check(t, e)
}

func TestDemo_InterruptedLeavesNothing(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal(err)
	}
	p := launch(t, bare().with("TMPDIR", temp), "demo", "--recipients", "5000")
	await(t, "it sends", func() bool { return strings.Contains(p.out.String(), "running sent") })
	p.signal(syscall.SIGINT)
	if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.HasSuffix(p.out.String(), "handout: interrupted\n") {
		t.Errorf("exit status %d:\n%s", code, p.out)
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("it left %s", left[0].Name())
	}
}
