package process_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// scheduled writes a file of schedules with all that it needs into a folder.
func scheduled(t testing.TB, text string, phones []string) (folder string) {
	t.Helper()
	list, err := os.ReadFile(listFile(t, phones))
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for name, content := range map[string]string{
		"schedules.yaml": text, "campaign.yaml": campaignText(`"[[id]]"`), "list.csv": string(list),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// shownTick is a tick as schedule list --json and schedule run --json show it.
type shownTick struct {
	Period, State, Reason, Note, Campaign string
	Total, Attempt                        int
	Outcome                               map[string]int
}

func ticksOf(t testing.TB, e env, name string) []shownTick {
	t.Helper()
	var shown []struct{ Ticks []shownTick }
	if err := json.Unmarshal([]byte(done(t, e, "schedule", "list", name, "--json")), &shown); err != nil {
		t.Fatal(err)
	}
	return shown[0].Ticks
}

func TestSchedule_KilledInTheMiddleIsTakenOverAndNobodyIsSentTwice(t *testing.T) {
	t.Parallel()
	h := open(t, quick(redistest.Start(t).URL()))
	phones := numbers(60, plainly)
	folder := scheduled(t, `schedules:
  - name: nightly
    cron: "*/3 * * * * *"
    campaign: campaign.yaml
    overlap: wait
    command: [sh, -c, "exec 2>/dev/null; head -n 30 $LISTS/list.csv; if mkdir $LISTS/begun; then exec sleep 60; fi; tail -n +31 $LISTS/list.csv"]
    env: [LISTS]
`, phones)
	e := h.env.with("HANDOUT_SCHEDULES", filepath.Join(folder, "schedules.yaml"), "LISTS", folder)
	schedulers := []*process{serve(t, e, "schedule"), serve(t, e, "schedule")}
	begun := func() bool { _, err := os.Stat(filepath.Join(folder, "begun")); return err == nil }
	await(t, "a list is being read", begun)
	first := ticksOf(t, e, "nightly")[0]
	if first.State != "running" || first.Campaign != "" {
		t.Fatalf("%+v", first)
	}
	// Whichever has it: it says so.
	at := 0
	await(t, "one says that it runs the tick", func() bool {
		for i, p := range schedulers {
			if strings.Contains(p.out.String(), `msg="tick runs" schedule=nightly period=`+first.Period) {
				at = i
				return true
			}
		}
		return false
	})
	schedulers[at].signal(syscall.SIGKILL) // its program goes on for a while, as an orphan
	await(t, "the other one has done it", func() bool {
		ticks := ticksOf(t, e, "nightly")
		return len(ticks) > 1 && ticks[0].State == "done" && ticks[1].State == "done"
	})
	schedulers[1-at].stop()
	sent := 0
	for _, tick := range ticksOf(t, e, "nightly") {
		if tick.Campaign == "" {
			continue
		}
		want := "nightly-" + strings.ToLower(strings.NewReplacer("-", "", ":", "").Replace(tick.Period))
		if r := untilDone(t, e, tick.Campaign); tick.Campaign != want || r.Total != len(phones) || r.Balance["delivered"] != len(phones) {
			t.Errorf("%+v: %+v", tick, r)
		}
		if sent++; tick.Period == first.Period && (tick.Attempt != 2 || tick.Outcome["delivered"] != len(phones)) {
			t.Errorf("%+v", tick)
		}
	}
	for phone, n := range h.accepted(t) {
		if n != sent {
			t.Errorf("%s: %d messages of %d campaigns", phone, n, sent)
		}
	}
	newLeaks(phones).look(t, "the log", schedulers[0].out.String()+schedulers[1].out.String())
}

func TestSchedule_ByHand(t *testing.T) {
	t.Parallel()
	phones := numbers(20, plainly)
	folder := scheduled(t, `schedules:
  - {name: daily, cron: "0 2 * * *", zone: Europe/Paris, campaign: campaign.yaml, list: list.csv, overlap: beside}
  - {name: broken, cron: "0 2 * * *", campaign: campaign.yaml, command: [sh, -c, "cat $LISTS/list.csv; exit 4"], env: [LISTS]}
`, phones)
	e := account(redistest.Start(t).URL()).with("HANDOUT_SCHEDULES", filepath.Join(folder, "schedules.yaml"), "LISTS", folder)

	if out := done(t, e, "schedule", "run", "daily", "--period", "2026-03-29T01:00Z", "--dry-run"); !strings.HasPrefix(out, "daily:2026-03-29T01:00Z would open campaign daily-20260329t0100z, with 20 recipients\n{") {
		t.Error(out)
	}
	out := done(t, e, "schedule", "run", "daily", "--period", "2026-03-29T01:00Z", "--by", "ann")
	if !strings.HasPrefix(out, "daily:2026-03-29T01:00Z is running; campaign daily-20260329t0100z, 20 recipients; by ann\n") {
		t.Error(out)
	}
	if r := reportOf(t, e, "daily-20260329t0100z"); r.Total != 20 || r.History[0].By != "ann" {
		t.Errorf("%+v", r)
	}
	refusal{args: []string{"schedule", "run", "broken", "--period", "2026-03-29T02:00Z"}, code: 1,
		stderr: `broken:2026-03-29T02:00Z is refused, nothing was sent: read sh: the program failed: exit status 4`,
		before: `(?s).*level=INFO msg="tick runs".*level=ERROR msg="tick refused, nothing was sent".*`}.check(t, e)
	if out := done(t, e, "schedule", "list"); !strings.Contains(out, "daily: 0 2 * * * Europe/Paris, next ") ||
		!strings.Contains(out, "2026-03-29T02:00Z  refused  read sh: the program failed: exit status 4; by ") {
		t.Error(out)
	}
	for _, r := range []refusal{
		{args: []string{"schedule", "run", "weekly"}, code: 2, stderr: `there is no schedule "weekly", only daily, broken`},
		{args: []string{"schedule", "run", "daily", "--period", "yesterday"}, code: 2, stderr: `--period: a period is a time, as in .*`},
		{args: []string{"schedule", "run", "daily", "--period", "2026-03-29T02:00Z"}, code: 2, stderr: `--period: 2026-03-29T02:00Z is no tick of daily; the nearest is 2026-03-29T01:00Z`},
		{args: []string{"schedule", "run", "daily", "--period", time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04Z")}, code: 2, stderr: `--period: .* is yet to come`},
		{args: []string{"schedule", "run"}, code: 2, stderr: `schedule run: NAME is missing; usage: handout schedule run NAME \[flags\]`},
		{args: []string{"schedule", "list", "daily", "x"}, code: 2, stderr: `schedule list: "x" is one argument too many; .*`},
		{args: []string{"schedule", "next", "--count", "0"}, code: 2, stderr: `schedule next: --count must be 1 to 1000`},
	} {
		r.check(t, e)
	}
	out = done(t, bare().with("HANDOUT_SCHEDULES", filepath.Join(folder, "schedules.yaml")), "schedule", "next", "daily", "--count", "2")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 3 || !strings.Contains(lines[1], " 02:00:00 +0") || !strings.Contains(lines[1], "daily-20") {
		t.Error(out)
	}
	missing := refusal{args: []string{"schedule"}, code: 2, stderr: `schedules: open .*nobody.yaml: no such file or directory`}
	missing.check(t, e.with("HANDOUT_SCHEDULES", filepath.Join(folder, "nobody.yaml")))
}
