package process_test

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"github.com/handout-dev/handout/test/redistest"
)

// rateOf is what `handout rate --json` prints.
type rateOf struct {
	Campaign string
	Rate     float64
	Set      *struct{ Rate float64 }
	Own      *float64
	Account  float64
}

func rate(t *testing.T, e env, args ...string) (r rateOf) {
	t.Helper()
	if err := json.Unmarshal([]byte(done(t, e, append(append([]string{"rate"}, args...), "--json")...)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRate_IsShownSetAndReset(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := bare().with("REDIS_URL", server.URL(), "HANDOUT_RATE", "30")
	list := listFile(t, numbers(3, plainly))
	done(t, e, "submit", write(t, "slow.yaml", campaignText("slow")+"rate: 8\n"), list, "--hold")
	done(t, e, "submit", campaignFile(t, "plain"), list, "--hold")

	if r := rate(t, e, "--account"); r.Rate != 30 || r.Set != nil || *r.Own != 30 || r.Account != 30 || r.Campaign != "" {
		t.Errorf("the account: %+v", r)
	}
	if r := rate(t, e, "slow"); r.Rate != 8 || r.Set != nil || *r.Own != 8 || r.Account != 30 || r.Campaign != "slow" {
		t.Errorf("with a rate in its file: %+v", r)
	}
	if r := rate(t, e, "plain"); r.Rate != 30 || r.Set != nil || r.Own != nil {
		t.Errorf("without: %+v", r)
	}
	if r := rate(t, e, "slow", "12.5"); r.Rate != 12.5 || r.Set.Rate != 12.5 || *r.Own != 8 {
		t.Errorf("set: %+v", r)
	}
	if r := rate(t, e, "plain", "50"); r.Rate != 30 || r.Set.Rate != 50 {
		t.Errorf("set over the account's: %+v", r)
	}
	out := done(t, e, "rate", "--account", "10", "--by", "anna", "--why", "support says so")
	if !regexp.MustCompile(`^account: 10 messages per second\n  10 set by anna at \S+: support says so\n  30 HANDOUT_RATE here\n$`).MatchString(out) {
		t.Errorf("the account's is set: %s", out)
	}
	out = done(t, e, "rate", "slow")
	if !regexp.MustCompile(`^campaign slow: 10 messages per second\n  12.5 set by \S+ at \S+\n  8 in its file\n  10 for the account\n$`).MatchString(out) {
		t.Errorf("under the account's: %s", out)
	}
	if r := rate(t, e, "slow", "--reset"); r.Rate != 8 || r.Set != nil {
		t.Errorf("reset: %+v", r)
	}
	if r := rate(t, e, "--account", "--reset"); r.Rate != 30 || r.Set != nil {
		t.Errorf("the account's is reset: %+v", r)
	}
}

func TestRate_WrongUse(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	checkAll(t, bare().with("REDIS_URL", server.URL()), []refusal{
		{name: "nothing", args: []string{"rate"}, code: 2, stderr: `rate: ID or --account is missing; .*`},
		{name: "a bad ID", args: []string{"rate", "Spring Sale", "5"}, code: 2, stderr: `"Spring Sale": a campaign ID is .*`},
		{name: "no number", args: []string{"rate", "spring", "fast"}, code: 2, stderr: `rate: "fast" must be a number over 0 .*`},
		{name: "zero", args: []string{"rate", "--account", "0"}, code: 2, stderr: `rate: "0" must be .*`},
		{name: "no number at all", args: []string{"rate", "--account", "NaN"}, code: 2, stderr: `rate: "NaN" must be .*`},
		{name: "both", args: []string{"rate", "spring", "5", "--reset"}, code: 2, stderr: `rate: either a rate or --reset, not both`},
		{name: "one too many", args: []string{"rate", "spring", "5", "6"}, code: 2, stderr: `rate: "6" is one argument too many; .*`},
		{name: "an unknown campaign", args: []string{"rate", "spring"}, code: 1, stderr: `there is no campaign spring`},
		{name: "an unknown campaign's is set", args: []string{"rate", "spring", "5"}, code: 1, stderr: `there is no campaign spring`},
	})
}

// A worker learns of it while it sends.
func TestRate_ARunningCampaignFollows(t *testing.T) {
	t.Parallel()
	const id, total = "followed", 400
	server := redistest.Start(t)
	h := open(t, slow(server.URL()))
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, numbers(total, plainly)))
	untilSent(t, h, 30)
	done(t, h.env, "rate", id, "4")
	time.Sleep(2 * time.Second) // it holds within one; the machine may be busy
	start := time.Now()
	before := h.stats(t).Accepted
	untilSent(t, h, before+4)
	if took := time.Since(start); took < 600*time.Millisecond {
		t.Errorf("4 messages at 4/s took %v", took)
	}
	done(t, h.env, "rate", id, "--reset")
	if r := untilDone(t, h.env, id); r.Balance["delivered"] != total {
		t.Errorf("%+v", r)
	}
	h.work.stop()
}
