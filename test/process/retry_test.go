package process_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/test/redistest"
)

func TestRetry_SendsAgainOnlyToWhomAPersonSays(t *testing.T) {
	t.Parallel()
	const (
		id        = "again"
		failed    = "+12015550169"
		doubtful  = "+12015550188"
		delivered = "+12015550100"
		refused   = "+12015550192"
	)
	server := redistest.Start(t)
	h := open(t, quick(server.URL()).with("HANDOUT_RECEIPT_DEADLINE", "1s"))
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, []string{failed, doubtful, delivered, refused}))
	untilDone(t, h.env, id)

	for _, c := range []refusal{
		{args: []string{"retry", id}, code: 2, stderr: `retry: --only must be failed, refused, unconfirmed or in_doubt.*`},
		{args: []string{"retry", id, "--only", "delivered", "--yes"}, code: 2, stderr: `retry: --only must be failed, refused, unconfirmed or in_doubt.*`},
		{args: []string{"retry", "nowhere", "--only", "failed", "--yes"}, code: 1, stderr: `there is no campaign nowhere`},
		{args: []string{"resend", id}, code: 2, stderr: `resend: RECIPIENT is missing; .*`},
		{args: []string{"resend", id, "customer-9", "--yes"}, code: 1, stderr: `there is no such recipient in campaign again`},
		{args: []string{"resend", id, delivered}, code: 1, stderr: `recipient 0.2 is delivered and can't be sent to again`},
	} {
		c.check(t, h.env)
	}
	once := map[string]int{failed: 1, doubtful: 1, delivered: 1}
	if diff := cmp.Diff(once, h.accepted(t)); diff != "" {
		t.Errorf("messages before anybody said yes (-want +got):\n%s", diff)
	}

	// There is no terminal to ask on: it says how many they are, and does it.
	again := handout(t, h.env, "retry", id, "--only", "failed", "--by", "ann", "--why", "new number")
	if again.code != 0 || !strings.Contains(again.stdout, "1 recipient to be sent to again") ||
		again.stderr != "In campaign again, 1 recipient is failed. A late delivery isn't excluded: sent again, it may arrive twice.\n" {
		t.Errorf("%+v", again)
	}
	await(t, "the failed one is sent to again", func() bool { return h.accepted(t)[failed] == 2 })
	again = handout(t, h.env, "resend", id, doubtful, "--by", "bob")
	if again.code != 0 || strings.Contains(again.stdout+again.stderr, doubtful) ||
		again.stderr != "Recipient 0.1 is in_doubt: connection reset. Telesign may have taken the message: sent again, it may arrive twice.\n" {
		t.Errorf("%+v", again)
	}
	await(t, "the doubtful one is sent to again", func() bool { return h.accepted(t)[doubtful] == 2 })
	r := untilDone(t, h.env, id)
	want := map[string]int{"failed": 1, "in_doubt": 1, "delivered": 1, "refused": 1}
	for state, n := range r.Balance {
		if n != want[state] {
			t.Errorf("%d people are %s, want %d", n, state, want[state])
		}
	}
	if diff := cmp.Diff(map[string]int{failed: 2, doubtful: 2, delivered: 1}, h.accepted(t)); diff != "" {
		t.Errorf("messages per phone number (-want +got):\n%s", diff)
	}
	done(t, h.env, "verify", id)
	var lines []string
	for _, e := range reportOf(t, h.env, id).History {
		if strings.HasPrefix(e.Verb, "re") {
			lines = append(lines, e.By+" "+e.Verb+" "+e.About+" "+e.Why)
		}
	}
	if diff := cmp.Diff([]string{"ann retry began 1 failed new number", "ann resent 1 failed new number", "bob resent recipient 0.1 "}, lines); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if out := done(t, h.env, "retry", id, "--only", "refused", "--yes"); !strings.Contains(out, "1 recipient to be sent to again") {
		t.Error(out)
	}
	story := done(t, h.env, "show", id, doubtful)
	at := 0
	for _, want := range []string{"place 0.1 of campaign again", "in doubt: may have been sent", "put on the list", "attempt 1 began", "in doubt: the answer", "resent by bob", "attempt 2 began", "attempt 2: external_id again.", "in the list"} {
		next := strings.Index(story[at:], want)
		if next < 0 {
			t.Fatalf("no %q after byte %d of:\n%s", want, at, story)
		}
		at += next
	}
	if out := done(t, h.env, "retry", id, "--only", "unconfirmed", "--yes"); !strings.Contains(out, "nobody is unconfirmed") {
		t.Error(out)
	}
}
