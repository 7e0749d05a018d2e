package chaos_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// finishTime bounds the end of a campaign after the last blow.
const finishTime = 3 * time.Minute

// pause waits for a random moment.
func pause(least, most time.Duration) {
	<-time.After(least + rand.N(most-least))
}

func TestWorker_KilledAgainAndAgainSendsEverythingOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{recipients: size(400, 5000), rate: size(150, 250)})
	r.listen()
	r.submit()
	kills := size(4, 20)
	w := r.work()
	for i := range kills {
		r.awaitTaken((i + 1) * r.recipients * 3 / 4 / (kills + 1))
		pause(0, 100*time.Millisecond)
		r.kill(w)
		w = r.work()
	}
	r.awaitDone(finishTime)
	r.judge(10, "worker killed at random moments").require(r, inFlight*kills)
	if err := w.stop(); err != nil {
		t.Errorf("the last worker: %v", err)
	}
}

func TestWorker_KilledAtTheWorstMomentsSendsEverythingOnce(t *testing.T) {
	t.Parallel()
	for i, m := range []struct {
		name   string
		vendor verdict // on a request; pass: not there
		record verdict // on the record of an acceptance
		ack    verdict // on asynq's acknowledgment
	}{
		{name: "killed between claim and request", vendor: drop},
		{name: "killed between acceptance and answer", vendor: swallow},
		{name: "killed between answer and record", record: drop},
		{name: "killed between record and its reply", record: swallow},
		{name: "killed between record and ack", ack: drop},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			kills := size(1, 10)
			r := newRig(t, setup{recipients: size(240, 5000), rate: size(120, 250)})
			// The fuse burns down by one at each moment of the kind.
			var fuse atomic.Int64
			burn := func(v verdict) verdict {
				if v != pass && fuse.Add(-1) == 0 {
					return v
				}
				return pass
			}
			var victim atomic.Pointer[process]
			dead := make(chan struct{}, 1)
			strike := func() {
				r.kill(victim.Load())
				dead <- struct{}{}
			}
			toVendor := newVendorProxy(t, r.vendorURL, func() verdict { return burn(m.vendor) }, strike)
			toRedis := newRedisProxy(t, r.redis, func(c command) verdict {
				switch {
				case c.accepts():
					return burn(m.record)
				case c.acknowledges():
					return burn(m.ack)
				}
				return pass
			}, strike)
			r.listen()
			r.submit()
			for range kills {
				// Records travel together: there are fewer such moments than recipients.
				least := r.recipients / (24 * kills)
				fuse.Store(int64(least + rand.IntN(least)))
				victim.Store(r.work("TELESIGN_URL="+toVendor.url, "REDIS_URL="+toRedis.url))
				select {
				case <-dead:
				case <-time.After(finishTime):
					t.Fatalf("the moment doesn't come; %s", r.balance())
				}
			}
			fuse.Store(-1)
			r.work("TELESIGN_URL="+toVendor.url, "REDIS_URL="+toRedis.url)
			r.awaitDone(finishTime)
			r.judge(20+i, m.name).require(r, inFlight*kills)
		})
	}
}
