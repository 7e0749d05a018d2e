package process_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/handout-dev/handout/test/redistest"
)

// longList has n people whose numbers are all different and valid.
func longList(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("recipient,phone,url\n")
	for i := range n {
		fmt.Fprintf(&b, "c%d,+1%s234%04d,https://files.example.com/%d\n", i, areas[i%len(areas)], i/len(areas), i)
	}
	return write(t, "long.csv", b.String())
}

func TestSubmit_InterruptedInTheMiddleFinishesWhenItIsRunAgain(t *testing.T) {
	t.Parallel()
	const rows = 300_000
	server := redistest.Start(t)
	e := bare().with("REDIS_URL", server.URL())
	list := longList(t, rows)
	for _, c := range []struct {
		signal syscall.Signal
		id     string
	}{{syscall.SIGINT, "interrupted"}, {syscall.SIGKILL, "killed"}} {
		file := campaignFile(t, c.id)
		before := server.Client().DBSize(t.Context()).Val()
		p := launch(t, e, "submit", file, list)
		await(t, "a part of the list stands in Redis", func() bool {
			return server.Client().DBSize(t.Context()).Val() > before+50
		})
		p.signal(c.signal)
		switch state := p.cmd.ProcessState; {
		case state.Success():
			t.Fatalf("%s came too late: the submit has finished", c.signal)
		case c.signal == syscall.SIGINT && (state.ExitCode() != 1 || !strings.Contains(p.out.String(), "handout: interrupted; run the same command again")):
			t.Errorf("exit status %d: %s", state.ExitCode(), p.out)
		}
		if r := reportOf(t, e, c.id); r.State != "draft" || r.Total != 0 {
			t.Errorf("after %s: %+v", c.signal, r)
		}
		for _, verb := range []string{"export", "verify"} {
			if r := handout(t, e, verb, c.id); r.code != 1 || !strings.Contains(r.stderr, "is a draft") {
				t.Errorf("%s of a draft: exit status %d: %s%s", verb, r.code, r.stdout, r.stderr)
			}
		}
		if out := done(t, e, "submit", file, list); !strings.Contains(out, "is running, with 300,000 recipients") {
			t.Errorf("again after %s: %s", c.signal, out)
		}
		if r := reportOf(t, e, c.id); r.Total != rows || r.Balance["planned"] != rows || r.State != "running" {
			t.Errorf("after %s and another submit: %+v", c.signal, r)
		}
		done(t, e, "verify", c.id)
	}
}

func TestSubmit_HeldWaitsForResume(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := bare().with("REDIS_URL", server.URL())
	out := done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)), "--hold")
	if !strings.Contains(out, "is paused, with 3 recipients") || !strings.Contains(out, "handout resume spring") {
		t.Error(out)
	}
	if out := done(t, e, "resume", "spring"); out != "campaign spring is running\n" {
		t.Error(out)
	}
	if r := reportOf(t, e, "spring"); r.State != "running" || r.Reason != "" {
		t.Errorf("%+v", r)
	}
}

func TestSubmit_ADryRunNeedsNoRedisAndMasksNumbers(t *testing.T) {
	t.Parallel()
	file := campaignFile(t, "spring")
	phones := append(numbers(59, plainly), "+12015550100")
	list := listFile(t, phones)
	r := handout(t, bare(), "submit", file, list, "--dry-run")
	if r.code != 0 {
		t.Fatalf("exit status %d: %s", r.code, r.stderr)
	}
	for _, want := range []string{
		"nothing was written, nothing was sent", "rows         60", "recipients   59", "duplicates   1", "bad rows     0",
		"SMS parts    1 a message, 59 if everyone gets the SMS", "takes        6 s at 10 messages a second",
		`"phone_number": "*********00"`, `"text": "Your order history is ready for download at https://files.example.com/orders/1.xlsx."`,
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in:\n%s", want, r.stdout)
		}
	}
	for n, args := range [][]string{{"--samples", "0"}, {}, {"--samples", "2"}} {
		out := done(t, bare(), append([]string{"submit", file, list, "--dry-run"}, args...)...)
		if got := strings.Count(out, `"phone_number"`); got != n || n > 0 && strings.Index(out, "takes  ") > strings.Index(out, "sample 1") {
			t.Errorf("%q: %d samples, or before the figures:\n%s", args, got, out)
		}
	}
	if want := "1 row left out, with a phone number that stands further up: line 61\n"; r.stderr != want {
		t.Errorf("standard error: %q", r.stderr)
	}
	asJSON := done(t, bare(), "submit", file, list, "--dry-run", "--json")
	var object struct {
		Rows, Recipients, Duplicates int
		Samples                      []json.RawMessage
		Seconds                      float64
	}
	if err := json.Unmarshal([]byte(asJSON), &object); err != nil {
		t.Fatal(err)
	}
	if object.Rows != 60 || object.Recipients != 59 || object.Duplicates != 1 || len(object.Samples) == 0 || object.Seconds < 5.9 {
		t.Errorf("%+v", object)
	}
	newLeaks(phones).look(t, "the dry run", r.stdout+r.stderr+asJSON)
}

func TestSubmit_BadRowsRejectTheListOrAreSetAside(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := bare().with("REDIS_URL", server.URL())
	file := campaignFile(t, "spring")
	list := write(t, "list.csv", "recipient,phone,url\na,+12015550100,https://x.example/1\nb,2015550101,https://x.example/2\n"+
		"c,+12015550102,https://x.example/3\nd,+12015550100,https://x.example/4\n")

	dry := handout(t, bare(), "submit", file, list, "--dry-run")
	if dry.code != 1 || !strings.Contains(dry.stderr, "\nhandout: a submit would refuse this: the list has 1 bad row: correct it, or set bad rows aside to send to the others, with --set-aside-bad-rows\n") {
		t.Errorf("dry run: exit status %d: %s", dry.code, dry.stderr)
	}
	if r := handout(t, e, "submit", file, list); r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, "\nhandout: nothing was sent: 1 fault; to send to the 3 good rows, add --set-aside-bad-rows\n") {
		t.Errorf("exit status %d: %s", r.code, r.stderr)
	}
	if r := handout(t, e, "report", "spring"); r.code != 1 {
		t.Errorf("a refused list left a campaign: %s", r.stdout)
	}
	r := handout(t, e, "submit", file, list, "--set-aside-bad-rows", "--json")
	if r.code != 0 || !strings.Contains(r.stderr, "list.csv:3:3: phone: ") {
		t.Errorf("exit status %d: %s", r.code, r.stderr)
	}
	checkReportKeys(t, r.stdout)
	if people := export(t, e, "spring"); len(people) != 2 || people[0]["recipient"] != "a" || people[1]["recipient"] != "c" {
		t.Errorf("it sends to %v", people)
	}
}

func TestSubmit_ADryRunRefusesWhatASubmitWould(t *testing.T) {
	t.Parallel()
	checkAll(t, bare(), []refusal{
		{
			name: "nobody", args: []string{"submit", campaignFile(t, "spring"), write(t, "list.csv", "recipient,phone,url\n"), "--dry-run"},
			code: 1, stderr: `a submit would refuse this: the list has no recipients`, stdout: true,
		},
		{
			name: "only bad rows", args: []string{"submit", campaignFile(t, "spring"), write(t, "list.csv", "recipient,phone,url\na,1,https://x.example/1\n"), "--dry-run"},
			code: 1, stderr: `a submit would refuse this: the list has 1 bad row and no good one`, before: `\S+list.csv:2:3: phone: [^\n]+\n`, stdout: true,
		},
	})
}

func TestSubmit_NationalNumbersNeedARegion(t *testing.T) {
	t.Parallel()
	file := campaignFile(t, "spring")
	list := write(t, "list.ndjson", `{"recipient": "a", "phone": "(201) 555-0100", "url": "https://x.example/1"}`+"\n")
	if r := handout(t, bare(), "submit", file, list, "--dry-run"); r.code != 1 {
		t.Errorf("without a region: exit status %d", r.code)
	}
	done(t, bare().with("HANDOUT_REGION", "US"), "submit", file, list, "--dry-run")
}
