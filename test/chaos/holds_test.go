package chaos_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// alone is a worker with one send under way at a time.
const alone = "HANDOUT_CONCURRENCY=1"

// holds says that a campaign is to be held for a fault of the account.
func (c command) holds() bool {
	_, args := c.script()
	for _, a := range args {
		if string(a) == string(campaign.Held) {
			return true
		}
	}
	return false
}

// doubts says that the ledger hears of an answer that didn't come.
func (c command) doubts() bool {
	_, args := c.script()
	for i := range max(0, len(args)-1) {
		before, err1 := campaign.DecodeRecord(args[i])
		after, err2 := campaign.DecodeRecord(args[i+1])
		if err1 == nil && err2 == nil && before.State == campaign.Claimed && after.State == campaign.InDoubt {
			return true
		}
	}
	return false
}

// struck is a worker that is killed at a moment, by what it says to Redis.
func (r *rig) struck(judge func(command) verdict, vars ...string) {
	r.t.Helper()
	var victim atomic.Pointer[process]
	dead, ready := make(chan struct{}, 1), make(chan struct{})
	proxy := newRedisProxy(r.t, r.redis, judge, func() {
		<-ready
		r.kill(victim.Load())
		dead <- struct{}{}
	})
	victim.Store(r.work(append(vars, "REDIS_URL="+proxy.url)...))
	close(ready)
	select {
	case <-dead:
	case <-time.After(finishTime):
		r.t.Fatalf("the moment doesn't come; %s", r.balance())
	}
}

func (r *rig) reason() string {
	r.t.Helper()
	_, reason, _, err := r.ledger.Phase(r.t.Context(), campaignID)
	if err != nil {
		r.t.Fatal(err)
	}
	return reason
}

// Telesign has said that the key is wrong, and the worker dies before it holds
// anything: the next one gets the same answer.
func TestHold_AWorkerKilledBeforeItLeavesThatToTheNext(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{recipients: 60, rate: 100})
	r.listen()
	r.submit()
	const wrong = "TELESIGN_API_KEY=YW5vdGhlciBrZXksIHdoaWNoIGlzIHdyb25nIGhlcmU="
	r.struck(func(c command) verdict {
		if c.holds() {
			return drop
		}
		return pass
	}, wrong, alone)
	if p := r.phase(); p != campaign.Running {
		t.Fatalf("killed before the hold, and the campaign is %s", p)
	}
	second := r.work(wrong, alone)
	r.await("the hold", finishTime, func() bool { return r.phase() == campaign.Held })
	if why := r.reason(); !strings.HasPrefix(why, "Telesign: 34") {
		t.Errorf("held for %q", why)
	}
	if err := second.stop(); err != nil {
		t.Error(err)
	}
	r.work()
	if out, err := r.run("resume", string(campaignID)); err != nil {
		t.Fatalf("resume: %v\n%s", err, out)
	}
	r.awaitDone(finishTime)
	if j := r.judge(0, ""); j.twice > 0 || j.lost > 0 || j.accepted != r.recipients || j.balance != "closes" {
		t.Errorf("%+v", j)
	}
}

// The tenth doubt and the hold are one step: whichever process dies around it, no doubt is
// forgotten, none is counted twice, and no one is sent to after the tenth.
func TestHold_NoKillForgetsADoubtOrTheHold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		blow  verdict
		after int // messages that Telesign has taken when the campaign is held
	}{
		"before the tenth is written": {drop, 11}, // that claim has no answer, and the next one's is the tenth
		"before its reply":            {swallow, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, setup{recipients: 60, rate: 100, endings: []int{88}})
			r.submit()
			var doubts atomic.Int64
			r.struck(func(cmd command) verdict {
				if cmd.doubts() && doubts.Add(1) == 10 {
					return c.blow
				}
				return pass
			}, alone)
			if held := r.phase() == campaign.Held; held != (c.blow == swallow) {
				t.Errorf("after the kill the campaign is %s", r.phase())
			}
			w := r.work(alone)
			r.await("the hold", finishTime, func() bool { return r.phase() == campaign.Held })
			if err := w.stop(); err != nil {
				t.Error(err)
			}
			if why := r.reason(); why != "10 doubts in a row: Telesign doesn't answer" {
				t.Errorf("held for %q", why)
			}
			if n := r.taken(); n != c.after {
				t.Errorf("Telesign has taken %d messages, want %d", n, c.after)
			}
		})
	}
}
