package process_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/test/redistest"
)

func TestAcceptAsSent_ClosesADoubtAndSendsToNobody(t *testing.T) {
	t.Parallel()
	const (
		id        = "doubts"
		first     = "+12015550188"
		second    = "+12015550288"
		third     = "+12015550388"
		delivered = "+12015550100"
	)
	server := redistest.Start(t)
	h := open(t, quick(server.URL()).with("HANDOUT_RECEIPT_DEADLINE", "1s"))
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, []string{first, second, delivered, third}))
	if r := untilDone(t, h.env, id); r.Balance["in_doubt"] != 3 {
		t.Fatalf("%+v", r.Balance)
	}
	for _, c := range []refusal{
		{args: []string{"accept-as-sent"}, code: 2, stderr: `accept-as-sent: ID is missing; .*`},
		{args: []string{"accept-as-sent", id}, code: 2, stderr: `accept-as-sent: RECIPIENT is missing; --all .*`},
		{args: []string{"accept-as-sent", id, first, "--all"}, code: 2, stderr: `accept-as-sent: one argument too many; .*`},
		{args: []string{"accept-as-sent", id, delivered, "--yes"}, code: 1, stderr: `recipient 0.2 is delivered, and not in doubt`},
		{args: []string{"accept-as-sent", id, "customer-9", "--yes"}, code: 1, stderr: `there is no such recipient in campaign doubts`},
	} {
		c.check(t, h.env)
	}
	if out := done(t, h.env, "accept-as-sent", id, first, "--yes", "--by", "ann", "--why", "she has it"); !strings.Contains(out, "recipient 0.0") || strings.Contains(out, first) {
		t.Error(out)
	}
	all := handout(t, h.env, "accept-as-sent", id, "--all", "--by", "bob")
	if all.code != 0 || !strings.Contains(all.stdout, "2 recipients taken as sent to") || !strings.HasPrefix(all.stderr, "In campaign doubts, 2 recipients are in doubt. ") {
		t.Errorf("%+v", all)
	}
	if out := done(t, h.env, "accept-as-sent", id, "--all", "--yes"); !strings.Contains(out, "nobody is in doubt") {
		t.Error(out)
	}
	r := untilDone(t, h.env, id)
	if r.Balance["unconfirmed"] != 3 || r.Balance["in_doubt"] != 0 || r.Balance["delivered"] != 1 {
		t.Errorf("%+v", r.Balance)
	}
	for _, person := range export(t, h.env, id) {
		if person["state"] == "unconfirmed" && !strings.HasPrefix(person["reason"], "taken as sent") {
			t.Errorf("%v", person)
		}
	}
	var lines []string
	for _, e := range r.History {
		if strings.HasPrefix(e.Verb, "accept") {
			lines = append(lines, e.By+" "+e.Verb+" "+e.About+" "+e.Why)
		}
	}
	want := []string{"ann accepted as sent recipient 0.0 she has it", "bob accept as sent began 2 in_doubt ", "bob accepted as sent 2 in_doubt "}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	once := map[string]int{first: 1, second: 1, third: 1, delivered: 1}
	if diff := cmp.Diff(once, h.accepted(t)); diff != "" {
		t.Errorf("messages per phone number (-want +got):\n%s", diff)
	}
	done(t, h.env, "verify", id)
}
