package process_test

import (
	"encoding/json"
	"fmt"
	"os/user"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/telesign/simulator"
	"github.com/handout-dev/handout/test/redistest"
)

// slow is a house whose campaigns can be steered while they run.
func slow(redisURL string) env { return quick(redisURL).with("HANDOUT_RATE", "100") }

// untilSent waits until the simulator has taken so many messages.
func untilSent(t *testing.T, h *house, n int) {
	t.Helper()
	await(t, "messages are taken", func() bool { return h.stats(t).Accepted >= n })
}

func sum(r report.Report) int {
	n := 0
	for _, people := range r.Balance {
		n += people
	}
	return n
}

func TestSteer_PauseResumeAndCancelARunningCampaign(t *testing.T) {
	t.Parallel()
	const id, total = "steered", 800
	server := redistest.Start(t)
	h := open(t, slow(server.URL()))
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, numbers(total, plainly)))

	untilSent(t, h, 100)
	if out := done(t, h.env, "pause", id, "--by", "ann", "--why", "lunch"); out != "campaign steered is paused (paused by ann: lunch)\n" {
		t.Errorf("pause: %s", out)
	}
	await(t, "nothing is under way", func() bool {
		r := reportOf(t, h.env, id)
		return r.Balance["claimed"]+r.Balance["accepted"] == 0
	})
	paused := h.stats(t).Accepted
	time.Sleep(time.Second) // nothing tells that nothing happens
	if now := h.stats(t).Accepted; now != paused {
		t.Errorf("%d messages went out while the campaign was paused", now-paused)
	}
	r := reportOf(t, h.env, id)
	if r.State != "paused" || r.Reason != "paused by ann: lunch" || sum(r) != total || r.Balance["planned"] == 0 {
		t.Errorf("paused: %+v", r)
	}
	done(t, h.env, "verify", id)

	if out := done(t, h.env, "resume", id); out != "campaign steered is running\n" {
		t.Errorf("resume: %s", out)
	}
	untilSent(t, h, paused+100)
	if out := done(t, h.env, "cancel", id, "--by", "ann"); out != "campaign steered is canceled (canceled by ann)\n" {
		t.Errorf("cancel: %s", out)
	}
	r = untilDone(t, h.env, id)
	sent := h.accepted(t)
	if r.Balance["canceled"] != total-len(sent) || r.Balance["delivered"] != len(sent) || len(sent) == total {
		t.Errorf("%d of %d were sent to, and the report says %+v", len(sent), total, r)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	who := map[string]string{} // the resume doesn't say by whom
	for _, e := range r.History {
		who[e.Verb] = e.By
	}
	if diff := cmp.Diff(map[string]string{"submitted": me.Username, "paused": "ann", "resumed": me.Username, "canceled": "ann", "done": "handout"}, who); diff != "" {
		t.Errorf("who did it (-want +got):\n%s", diff)
	}
	if out := done(t, h.env, "verify", id); !strings.Contains(out, "the balance closes") {
		t.Error(out)
	}
	for _, person := range export(t, h.env, id) {
		want := 0
		if person["state"] == "delivered" {
			want = 1
		}
		if got := sent[person["phone"]]; got != want {
			t.Errorf("%s, who is %s, was sent %d messages", person["recipient"], person["state"], got)
		}
	}
	if r := handout(t, h.env, "resume", id); r.code != 1 || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("resume of a canceled campaign: exit status %d: %s", r.code, r.stderr)
	}
	h.work.stop()
}

func TestSteer_AnotherWorkerFinishesWhatAStoppedOneBegan(t *testing.T) {
	t.Parallel()
	const id, total = "handed-over", 600
	server := redistest.Start(t, redistest.AppendOnly("always"))
	h := open(t, slow(server.URL()))
	phones := numbers(total, plainly)
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, phones))
	untilSent(t, h, 150)
	h.work.stop()
	if r := reportOf(t, h.env, id); r.Balance["claimed"] != 0 || r.Balance["in_doubt"] != 0 || r.Balance["planned"] == 0 {
		t.Errorf("a worker that was asked to stop left %+v", r)
	}
	h.work = serve(t, h.env, "work")
	r := untilDone(t, h.env, id)
	if r.Balance["delivered"] != total {
		t.Errorf("%+v", r)
	}
	once := make(map[string]int)
	for _, phone := range phones {
		once[phone] = 1
	}
	if diff := cmp.Diff(once, h.accepted(t)); diff != "" {
		t.Errorf("messages per phone number (-want +got):\n%s", diff)
	}
	done(t, h.env, "verify", id)
}

func TestSteer_AWrongKeyHoldsTheCampaignInsteadOfBurningThroughIt(t *testing.T) {
	t.Parallel()
	const id, total = "held", 300
	server := redistest.Start(t)
	h := open(t, slow(server.URL()))
	h.work.stop()
	wrong := h.env.with("TELESIGN_API_KEY", "YW5vdGhlciBrZXksIHdoaWNoIGlzIHdyb25nIGhlcmU=")
	work := serve(t, wrong, "work")
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, numbers(total, plainly)))
	await(t, "the campaign is held", func() bool { return reportOf(t, h.env, id).State == "held" })
	r := reportOf(t, h.env, id)
	if sum(r) != total || r.Balance["refused"]+r.Balance["failed"]+r.Balance["in_doubt"] != 0 || !strings.Contains(r.Reason, "Telesign") {
		t.Errorf("%+v", r)
	}
	if strings.Contains(done(t, h.env, "report", id)+work.out.String(), "YW5vdGhlciBr") {
		t.Error("the key is shown")
	}
	work.stop()
	serve(t, h.env, "work")
	done(t, h.env, "resume", id)
	if r := untilDone(t, h.env, id); r.Balance["delivered"] != total {
		t.Errorf("after the right key: %+v", r)
	}
}

func TestSteer_AFollowedReportEndsOnSIGINT(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := bare().with("REDIS_URL", server.URL())
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)), "--hold")
	p := launch(t, e, "report", "spring", "--follow")
	await(t, "progress is shown", func() bool { return strings.Contains(p.out.String(), "paused sent 0/3") })
	p.signal(syscall.SIGINT)
	if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.HasSuffix(p.out.String(), "handout: interrupted\n") {
		t.Errorf("exit status %d: %s", code, p.out)
	}
}

func TestReschedule_StartsByItselfWhenItsTimeHasCome(t *testing.T) {
	t.Parallel()
	const id = "later"
	h := open(t, quick(redistest.Start(t).URL()))
	out := done(t, h.env, "submit", campaignFile(t, id), listFile(t, numbers(3, plainly)), "--at", "2h")
	if !strings.Contains(out, "It starts by itself at ") {
		t.Error(out)
	}
	for _, wrong := range [][]string{{"--at", "tomorrow"}, {"--at", "-1h"}, {}} {
		if r := handout(t, h.env, append([]string{"reschedule", id}, wrong...)...); r.code != 2 {
			t.Errorf("reschedule %q: exit status %d: %s", wrong, r.code, r.stderr)
		}
	}
	if out := done(t, h.env, "reschedule", id, "--at", "1s", "--by", "ann"); !strings.Contains(out, "is paused (starts at ") {
		t.Error(out)
	}
	if r := untilDone(t, h.env, id); r.Balance["delivered"] != 3 {
		t.Errorf("%+v", r)
	}
}

// lastPost is when the simulator took the latest message of a campaign, and how
// many it took.
func lastPost(t *testing.T, h *house, id string) (at time.Time, n int) {
	t.Helper()
	_, body := get(t, h.simulate.url+"/simulator/log")
	for line := range strings.Lines(body) {
		var message simulator.Accepted
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(message.ExternalID, id+".") {
			at, n = message.At, n+1
		}
	}
	return at, n
}

func TestSteer_TwentyThousandStopWithinASecond(t *testing.T) {
	t.Parallel()
	const total, middle = 20_000, 5_000
	h := open(t, quick(redistest.Start(t).URL()).with(
		"HANDOUT_RATE", "2000", "HANDOUT_SIMULATE_RATE", "10000", "HANDOUT_LOG_LEVEL", "info", "HANDOUT_RECEIPT_DEADLINE", "1m"))
	serve(t, h.env, "work") // a second worker
	swiss := make([]string, total)
	for i := range swiss {
		swiss[i] = fmt.Sprintf("+4179%05d%02d", i, i%35) // plainly
	}
	list := listFile(t, swiss)

	// stop runs a campaign to its middle, steers it, and says how many were sent to.
	stop := func(id, verb, state string) int {
		before := h.stats(t).Accepted
		done(t, h.env, "submit", campaignFile(t, id), list)
		untilSent(t, h, before+middle)
		asked := time.Now()
		done(t, h.env, verb, id)
		time.Sleep(3 * time.Second) // nothing tells that nothing happens
		at, n := lastPost(t, h, id)
		if late := at.Sub(asked); late > time.Second {
			t.Errorf("%s: a POST %v after", verb, late)
		}
		if n < middle/4 || n > total*3/4 { // another campaign may take its share
			t.Errorf("%s in the middle: %d of %d were sent to", verb, n, total)
		}
		if r := reportOf(t, h.env, id); !strings.Contains(state, r.State) || sum(r) != total {
			t.Errorf("%s: %+v", verb, r)
		}
		return n
	}
	stop("paused", "pause", "paused")
	done(t, h.env, "resume", "paused")
	sent := stop("canceled", "cancel", "canceled settling done")
	for _, id := range []string{"paused", "canceled"} {
		untilDone(t, h.env, id)
		if out := done(t, h.env, "verify", id); !strings.Contains(out, "the balance closes") {
			t.Error(out)
		}
	}
	if r := reportOf(t, h.env, "canceled"); r.Balance["canceled"] != total-sent || r.Balance["delivered"] != sent {
		t.Errorf("%d of %d were sent to: %+v", sent, total, r)
	}
	if r := reportOf(t, h.env, "paused"); r.Balance["delivered"] != total {
		t.Errorf("%+v", r)
	}
	if _, n := lastPost(t, h, "paused"); n != total {
		t.Errorf("%d messages for %d people", n, total)
	}
}
