package process_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/test/redistest"
)

// held is what Redis still has of a campaign, by the ends of its keys' names.
func held(t testing.TB, rdb *redis.Client, id string) string {
	t.Helper()
	prefix := "handout:{" + id + "}:"
	var ends []string
	for _, end := range []string{"meta", "counts", "history"} {
		if rdb.Exists(t.Context(), prefix+end).Val() == 1 {
			ends = append(ends, end)
		}
	}
	for _, k := range rdb.Keys(t.Context(), prefix+"*").Val() {
		switch end := strings.TrimPrefix(k, prefix); {
		case end == "meta", end == "counts", end == "history", strings.HasPrefix(end, "lease:"):
		default:
			ends = append(ends, end)
		}
	}
	return strings.Join(ends, " ")
}

func TestPurge_WhatIsLeftAndWhatEveryCommandSaysOfIt(t *testing.T) {
	t.Parallel()
	const id = "spring"
	server := redistest.Start(t)
	h := open(t, quick(server.URL()))
	phones := append(numbers(150, plainly), "+12015550169", "+12015550188") // and one fails, one is in doubt
	file, list := campaignFile(t, id), listFile(t, phones)
	done(t, h.env, "submit", file, list, "--by", "ann", "--hold")
	refusal{args: []string{"purge", id, "--yes"}, code: 1, stderr: `campaign spring is paused: it can be purged when it is done; cancel it to end it`}.check(t, h.env)
	done(t, h.env, "resume", id)
	before := untilDone(t, h.env, id)
	today := time.Now().UTC().Format(time.DateOnly)

	refusal{args: []string{"purge", "summer", "--yes"}, code: 1, stderr: `there is no campaign summer`}.check(t, h.env)
	asked := handout(t, h.env, "purge", id, "--by", "ann", "--why", "they asked")
	if asked.code != 0 || asked.stdout != "campaign spring is purged: the data of its 152 recipients is gone\n" ||
		!strings.HasPrefix(asked.stderr, "This deletes for good who is in campaign spring, 152 recipients, and what became of each. 1 of them is in doubt, ") {
		t.Errorf("%+v", asked)
	}
	if got := held(t, server.Client(), id); got != "meta counts history" {
		t.Errorf("what is left: %s", got)
	}
	newLeaks(phones).everywhere(t, server.Client())

	gone := `campaign spring was purged on ` + today + `; its people's data is gone`
	for _, args := range [][]string{
		{"export", id}, {"export", id, "--format", "ndjson"}, {"retry", id, "--only", "failed", "--yes"},
		{"retry", id, "--only", "unconfirmed", "--yes"}, {"resend", id, "customer-1", "--yes"},
	} {
		refusal{args: args, code: 1, stderr: gone}.check(t, h.env)
	}
	if out := done(t, h.env, "verify", id); out != "campaign spring was purged on "+today+": there are no records to hold the counts against; they add up to its 152 recipients\n" {
		t.Error(out)
	}
	if out := done(t, h.env, "purge", id, "--yes"); !strings.Contains(out, "was purged on "+today+"; there is nothing left to delete") {
		t.Error(out)
	}
	after := reportOf(t, h.env, id)
	if after.State != "done" || after.Reason != "purged on "+today+" by ann: they asked" || !after.Closes() || after.Total != 152 {
		t.Errorf("%+v", after)
	}
	for state, n := range before.Balance {
		if after.Balance[state] != n {
			t.Errorf("%d %s, before the purge %d", after.Balance[state], state, n)
		}
	}
	out := done(t, h.env, "report", id)
	if !strings.HasPrefix(out, "campaign spring: done (purged on "+today+" by ann: they asked)\n") ||
		!regexp.MustCompile(`(?m)^  \S+ \S+Z  ann +purged 152 recipients +they asked$`).MatchString(out) {
		t.Error(out)
	}
	if out := done(t, h.env, "submit", file, list); !strings.Contains(out, "stood already with the same content") || !strings.Contains(out, "It was purged on "+today) {
		t.Error(out)
	}
	r := handout(t, h.env, "submit", file, listFile(t, phones[1:]))
	if r.code != 1 || !strings.Contains(r.stderr, "already stands with other content") {
		t.Errorf("another content: exit status %d: %s", r.code, r.stderr)
	}
	if got := held(t, server.Client(), id); got != "meta counts history" {
		t.Errorf("what is left in the end: %s", got)
	}
}

// everywhere looks into all that Redis holds beside lists of people.
func (l *leaks) everywhere(t *testing.T, rdb *redis.Client) {
	t.Helper()
	var b strings.Builder
	for _, k := range rdb.Keys(t.Context(), "*").Val() {
		b.WriteString(k + " " + rdb.Dump(t.Context(), k).Val() + "\n")
	}
	l.look(t, "Redis", b.String())
}

func TestPurge_KilledInTheMiddleIsFinishedByTheNextOne(t *testing.T) {
	t.Parallel()
	const id, last = "spring", "handout:{spring}:page:299999"
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		server := redistest.Start(t)
		rdb := server.Client()
		h := open(t, quick(server.URL()))
		done(t, h.env, "submit", campaignFile(t, id), listFile(t, numbers(50, plainly)))
		untilDone(t, h.env, id)
		h.work.stop() // which would finish it
		// A list of thirty million, of which only the ends are there.
		for _, err := range []error{rdb.HSet(t.Context(), "handout:{spring}:meta", "pages", 300_000).Err(), rdb.Set(t.Context(), last, "x", 0).Err()} {
			if err != nil {
				t.Fatal(err)
			}
		}
		p := launch(t, h.env, "purge", id, "--yes")
		await(t, "the purge is under way", func() bool { return rdb.HExists(t.Context(), "handout:{spring}:meta", "purge_at").Val() })
		p.signal(signal)
		if rdb.Exists(t.Context(), last).Val() != 1 {
			t.Fatal("it had ended")
		}
		if signal == syscall.SIGINT && !strings.Contains(p.out.String(), "the same again finishes it") {
			t.Error(p.out)
		}
		refusal{args: []string{"export", id}, code: 1, stderr: `campaign spring was purged on .*; its people's data is gone`}.check(t, h.env)
		if signal == syscall.SIGKILL {
			done(t, h.env, "purge", id) // it doesn't ask again
		} else {
			serve(t, h.env, "work")
			await(t, "a worker finishes the purge", func() bool { return rdb.HExists(t.Context(), "handout:{spring}:meta", "emptied").Val() })
		}
		if got := held(t, rdb, id); got != "meta counts history" {
			t.Errorf("what is left: %s", got)
		}
		purges := 0
		for _, e := range reportOf(t, h.env, id).History {
			if e.Verb == "purged" {
				purges++
			}
		}
		if purges != 1 {
			t.Errorf("%d purges in the history", purges)
		}
	}
}

func TestReport_ShowsTheLatestOfTheHistoryAndAllWhenAsked(t *testing.T) {
	t.Parallel()
	e := bare().with("REDIS_URL", redistest.Start(t).URL())
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)), "--by", "ann")
	for i := range 6 {
		done(t, e, "pause", "spring", "--by", "bob", "--why", strings.Repeat("x", i+1)+"\x1b[2J\n")
		done(t, e, "resume", "spring", "--by", "ann")
	}
	out := done(t, e, "report", "spring")
	if strings.Count(out, "Z  ") != 10 || !strings.Contains(out, "(3 earlier lines of the history: --history shows all)") || strings.Contains(out, "submitted") {
		t.Error(out)
	}
	if !regexp.MustCompile(`(?m)^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ  bob  paused +xxxxxx \[2J$`).MatchString(out) {
		t.Errorf("a line of a person's own: %q", out)
	}
	out = done(t, e, "report", "spring", "--history")
	if strings.Count(out, "Z  ") != 13 || !strings.Contains(out, "  ann  submitted 3 recipients\n") {
		t.Error(out)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(done(t, e, "report", "spring", "--json")), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.History) != 13 || r.History[11].By != "bob" || r.History[11].Verb != "paused" || r.History[11].Why != "xxxxxx\x1b[2J\n" || r.History[11].At.IsZero() {
		t.Errorf("%+v", r.History)
	}
}
