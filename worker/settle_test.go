package worker_test

import (
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/worker"
)

// longAgo is before every time-out of a send.
func longAgo() time.Time { return time.Now().Add(-10 * time.Minute) }

func claimed(at time.Time) campaign.Event {
	return campaign.Event{Kind: campaign.EventClaim, At: at, Claim: 7}
}

func resend(s *campaign.Spec) { s.OnDoubt = campaign.DoubtResend }

func soon(o *worker.Options) { o.ReceiptDeadline, o.Poll = 2*time.Second, false }

// A worker has died between the claim and the answer. Whether it has sent
// nobody knows.
func TestSettle_AStaleClaimIsInDoubt(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(2), false)
	r.apply(c, 0, claimed(longAgo()))
	r.apply(c, 1, claimed(time.Now())) // this one may live
	r.fed(c)
	r.start(soon)
	rec := r.untilState(c, 0, campaign.InDoubt)
	if rec.Reason != campaign.ReasonWorkerLost || rec.Attempt != 1 {
		t.Errorf("%+v", rec)
	}
	// On hold the deadline makes it a person's, and nothing is ever sent.
	r.until("its deadline has passed", func() bool { return r.record(c, 0).DueAt.IsZero() })
	if rec := r.record(c, 0); rec.State != campaign.InDoubt {
		t.Errorf("after the deadline: %s", rec.State)
	}
	if rec := r.record(c, 1); rec.State != campaign.Claimed {
		t.Errorf("the fresh claim is %s", rec.State)
	}
	if n := len(v.all()); n != 0 {
		t.Errorf("%d POSTs", n)
	}
	r.closes(c)
}

func TestSettle_DoneLeavesInDoubtToAPerson(t *testing.T) {
	t.Parallel()
	r := setup(t, &vendor{})
	c := r.stand("c", phones(1), false)
	r.apply(c, 0, claimed(longAgo()))
	r.fed(c)
	r.start(soon)
	r.untilPhase(c, campaign.Done)
	if rec := r.record(c, 0); rec.State != campaign.InDoubt {
		t.Errorf("%s", rec.State)
	}
	r.until("it isn't active any more", func() bool { // it is done a moment before
		active, err := r.ledger.Active(t.Context())
		return err == nil && len(active) == 0
	})
}

func TestSettle_AReceiptByExternalIDSettlesADoubt(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(2), false)
	r.apply(c, 0, claimed(longAgo()))
	r.apply(c, 1, claimed(longAgo()))
	r.fed(c)
	r.start(func(o *worker.Options) { o.Poll = false }) // the deadline is far
	for i, body := range []string{
		`{"reference_id":"` + reference(1) + `","external_id":"` + c.ExternalID(campaign.PlaceOf(0), 1) + `","status":{"code":3000,"last_channel":"sms"}}`,
		`{"reference_id":"` + reference(2) + `","external_id":"` + c.ExternalID(campaign.PlaceOf(1), 1) + `","status":{"code":3003},"channel_status":[{"sms":{"code":3031}}]}`,
	} {
		r.untilState(c, i, campaign.InDoubt)
		receipt, err := telesign.ParseReceipt([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		a, err := campaign.ParseExternalID(receipt.ExternalID)
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.ledger.Apply(t.Context(), c, a.Place, ledger.Seen{}, translate.Receipt(receipt, a.Number, time.Now(), time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
	}
	r.untilPhase(c, campaign.Done)
	if a, b := r.record(c, 0), r.record(c, 1); a.State != campaign.Delivered || b.State != campaign.Failed {
		t.Errorf("%s and %s", a.State, b.State)
	}
	if n := len(v.all()); n != 0 {
		t.Errorf("%d POSTs", n)
	}
	r.closes(c)
}

func TestSettle_OnDoubtResendSendsAgainAfterTheDeadline(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	var first atomic.Bool
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if first.CompareAndSwap(false, true) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, "oops")
			return
		}
		accept(w, v.next())
	}
	r := setup(t, v)
	c := r.stand("c", phones(1), false, resend)
	r.start(soon)
	r.untilState(c, 0, campaign.InDoubt)
	rec := r.untilState(c, 0, campaign.Accepted)
	if rec.Attempt != 2 {
		t.Errorf("attempt %d", rec.Attempt)
	}
	all := v.all()
	if len(all) != 2 || all[0].ExternalID != "c.0.0.1" || all[1].ExternalID != "c.0.0.2" {
		t.Fatalf("POSTs: %v", all)
	}
	if gap := all[1].At.Sub(all[0].At); gap < time.Second {
		t.Errorf("sent again after %v, before the deadline of the receipt", gap)
	}
	r.untilPhase(c, campaign.Done)
	r.closes(c)
}

// No one in a canceled campaign is sent to any more, in doubt or not.
func TestSettle_OnDoubtResendEndsWithACancel(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(3), false, resend)
	for i := range 3 {
		now := time.Now()
		r.apply(c, i, claimed(now), campaign.Event{
			Kind: campaign.EventDoubt, At: now, Attempt: 1, Reason: campaign.ReasonTimeout, DueAt: now.Add(3 * time.Second),
		})
	}
	r.fed(c)
	if err := r.ledger.Cancel(t.Context(), "c", campaign.Actor{Name: "ann", Why: "enough"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.start(soon)
	r.untilPhase(c, campaign.Done)
	r.untilQuiet()
	if n := len(v.all()); n != 0 {
		t.Errorf("%d POSTs", n)
	}
	if n := r.balance(c).Of(campaign.InDoubt); n != 3 {
		t.Errorf("%d are in doubt", n)
	}
	r.closes(c)
}

func TestSettle_ARetryingRecordWithoutANoteGetsOne(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(2), false)
	past := longAgo()
	r.apply(c, 0, claimed(past), campaign.Event{Kind: campaign.EventDefer, At: past, Attempt: 1, Reason: campaign.ReasonUnavailable, DueAt: past.Add(time.Second)})
	due := time.Now().Add(3 * time.Second)
	r.apply(c, 1, claimed(past), campaign.Event{Kind: campaign.EventDefer, At: past, Attempt: 1, Reason: campaign.ReasonUnavailable, DueAt: due})
	r.fed(c)
	r.start()
	if rec := r.untilState(c, 0, campaign.Accepted); rec.Attempt != 2 {
		t.Errorf("attempt %d", rec.Attempt)
	}
	r.untilState(c, 1, campaign.Accepted)
	for _, p := range v.all() {
		if p.ExternalID == "c.0.1.2" && p.At.Before(due.Truncate(time.Second)) {
			t.Errorf("sent %v before it was due", due.Sub(p.At))
		}
	}
	v.once(t, 2)
	r.closes(c)
}

// flushQueue empties asynq as an operator would who knows no better.
func (r *rig) flushQueue() {
	r.t.Helper()
	keys, err := r.rdb.Keys(r.t.Context(), "asynq:*").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	if len(keys) == 0 {
		return
	}
	if err := r.rdb.Del(r.t.Context(), keys...).Err(); err != nil {
		r.t.Fatal(err)
	}
}

func TestSettle_AFlushedQueueIsWrittenAgain(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	const n = 400
	c := r.stand("c", phones(n), false)
	stop := r.start(func(o *worker.Options) { o.Rate = 200 })
	for range 3 {
		before := len(v.all())
		r.until("it goes on", func() bool { return len(v.all()) > before+20 })
		r.flushQueue()
		// Half a minute later settle would look by itself.
		if err := r.ledger.CallDue(t.Context(), "c", ledger.Watched, time.Now(), 0, 1, 2, 3); err != nil {
			t.Fatal(err)
		}
	}
	r.until("everyone is sent to", func() bool {
		if len(v.all()) < n {
			_ = r.ledger.CallDue(t.Context(), "c", ledger.Watched, time.Now(), 0, 1, 2, 3)
		}
		return r.balance(c).Of(campaign.Accepted) == n
	})
	v.once(t, n)
	stop()
	r.closes(c)
}

// A task that is lost for good is found without anybody's help.
func TestSettle_LooksAtFedPagesByItself(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(150), true)
	r.fed(c) // and no task was written
	if err := r.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 150 })
	v.once(t, 150)
	r.closes(c)
}

// One record that can't be read, one campaign that can't be: the others go on.
func TestSweep_ABrokenCampaignKeepsNobodyElseFromWork(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	var whole []*campaign.Info
	for _, id := range []campaign.ID{"a", "b", "c", "d", "e", "f"} {
		c := r.stand(id, phones(1), false)
		if id == "b" || id == "e" {
			if err := r.rdb.HSet(t.Context(), "handout:{"+string(id)+"}:meta", "spec", "{").Err(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		whole = append(whole, c)
	}
	r.start()
	for _, c := range whole {
		r.untilState(c, 0, campaign.Accepted)
	}
	v.once(t, len(whole))
}

// The vendor's answers to status queries, and what they settle.
func TestPoll_EveryAnswerHasItsOutcome(t *testing.T) {
	t.Parallel()
	status := func(code int, rest string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"status":{"code":`+strconv.Itoa(code)+`,"last_channel":"sms"}`+rest+`}`)
		}
	}
	refuse := func(status int, code telesign.Code) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) { answer(w, status, code) }
	}
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		state  campaign.State
		reason campaign.Reason
		again  time.Duration // accepted: when to ask again
	}{
		"delivered":         {status(3000, `,"channel_status":[{"sms":{"code":3000}}]`), campaign.Delivered, campaign.NoReason, 0},
		"failed":            {status(3003, ``), campaign.Failed, campaign.ReasonUndelivered, 0},
		"expired":           {refuse(404, -10004), campaign.Unconfirmed, campaign.ReasonExpired, 0},
		"probably":          {status(3004, ``), campaign.Unconfirmed, campaign.ReasonNoReceipt, 0},
		"in progress":       {status(3001, ``), campaign.Accepted, campaign.NoReason, 10 * time.Minute},
		"at the gateway":    {status(3002, ``), campaign.Accepted, campaign.NoReason, 10 * time.Minute},
		"an unknown code":   {status(3999, ``), campaign.Accepted, campaign.NoReason, 10 * time.Minute},
		"unavailable":       {refuse(503, 3041), campaign.Accepted, campaign.NoReason, time.Minute},
		"rate limited":      {refuse(429, 3204), campaign.Accepted, campaign.NoReason, time.Minute},
		"unreadable":        {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "{") }, campaign.Accepted, campaign.NoReason, time.Minute},
		"hangs up":          {hangUp, campaign.Accepted, campaign.NoReason, time.Minute},
		"another reference": {status(3000, `,"reference_id":"`+reference(99)+`"`), campaign.Accepted, campaign.NoReason, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{poll: func(w http.ResponseWriter, _ *http.Request, _ string) { c.answer(w) }}
			r := setup(t, v)
			info := r.stand("c", phones(1), false)
			r.acceptedAt(info, 0, time.Now().Add(-time.Minute), time.Now().Add(-time.Second))
			r.fed(info)
			r.start()
			ref := reference(0)
			r.until("it is asked for", func() bool { return v.polled(ref) > 0 })
			if rec := r.untilState(info, 0, c.state); rec.Reason != c.reason {
				t.Errorf("reason %q, want %q", rec.Reason, c.reason)
			}
			if c.state == campaign.Accepted {
				r.until("it is put off", func() bool {
					in := time.Until(r.record(info, 0).DueAt)
					return in > c.again-15*time.Second && in <= c.again
				})
			} else {
				r.untilPhase(info, campaign.Done)
			}
			if n := v.polled(ref); n != 1 {
				t.Errorf("asked %d times", n)
			}
			r.closes(info)
		})
	}
}

// acceptedAt plants someone whom Telesign has taken, with reference(position).
func (r *rig) acceptedAt(c *campaign.Info, position int, at, due time.Time) {
	r.t.Helper()
	r.apply(c, position, claimed(at), campaign.Event{
		Kind: campaign.EventAccept, At: at, Attempt: 1, Code: 3001, Reference: reference(position), DueAt: due,
	})
}

func TestPoll_AnAccountThatMayNotAskAsksOnce(t *testing.T) {
	t.Parallel()
	v := &vendor{poll: func(w http.ResponseWriter, _ *http.Request, _ string) { answer(w, 401, 3206) }}
	r := setup(t, v)
	const n = 30
	c := r.stand("c", phones(n), false)
	for i := range n {
		r.acceptedAt(c, i, time.Now().Add(-time.Minute), time.Now().Add(-time.Second))
	}
	r.fed(c)
	r.start()
	r.untilPhase(c, campaign.Done)
	asked := 0
	for i := range n {
		asked += v.polled(reference(i))
		if rec := r.record(c, i); rec.State != campaign.Unconfirmed || rec.Reason != campaign.ReasonNoReceipt {
			t.Errorf("recipient %d: %s, %q", i, rec.State, rec.Reason)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	r.closes(c)
}

func TestPoll_TurnedOffAsksNobody(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(1), false)
	r.acceptedAt(c, 0, time.Now().Add(-time.Minute), time.Now().Add(-time.Second))
	r.fed(c)
	r.start(func(o *worker.Options) { o.Poll = false })
	r.untilState(c, 0, campaign.Unconfirmed)
	if n := v.polled(reference(0)); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// An attempt that an answer didn't settle isn't asked for again because the page is
// looked at for another recipient.
func TestPoll_APageThatIsLookedAtOftenIsAskedForOnce(t *testing.T) {
	t.Parallel()
	v := &vendor{poll: func(w http.ResponseWriter, _ *http.Request, _ string) {
		_, _ = io.WriteString(w, `{"status":{"code":3002}}`)
	}}
	r := setup(t, v)
	const n = 4
	c := r.stand("c", phones(n), false)
	for i := range n { // due one after the other
		r.acceptedAt(c, i, time.Now().Add(-time.Minute), time.Now().Add(time.Duration(i)*time.Second))
	}
	r.fed(c)
	r.start()
	r.until("the last one is asked for", func() bool { return v.polled(reference(n-1)) > 0 })
	for i := range n {
		if asked := v.polled(reference(i)); asked != 1 {
			t.Errorf("recipient %d: asked %d times", i, asked)
		}
	}
}

// Telesign forgets a reference after twelve hours, and then the doubt stays.
func TestPoll_EndsWithTheReferencesLife(t *testing.T) {
	t.Parallel()
	v := &vendor{poll: func(w http.ResponseWriter, _ *http.Request, ref string) {
		if ref == reference(0) {
			_, _ = io.WriteString(w, `{"status":{"code":3002}}`)
			return
		}
		answer(w, 503, 3041)
	}}
	r := setup(t, v)
	c := r.stand("c", phones(2), false)
	for i := range 2 {
		r.acceptedAt(c, i, time.Now().Add(-11*time.Hour-time.Minute), time.Now().Add(-time.Second))
	}
	r.fed(c)
	r.start()
	for i := range 2 {
		if rec := r.untilState(c, i, campaign.Unconfirmed); rec.Reason != campaign.ReasonNoReceipt {
			t.Errorf("recipient %d: %q", i, rec.Reason)
		}
	}
	r.untilPhase(c, campaign.Done)
}
