package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
	"github.com/handout-dev/handout/worker"
)

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// What the vendor may answer, and what becomes of the one it was about. There
// is one POST in each case, unless the answer promises that nothing was sent.
func TestSend_EveryAnswerHasItsOutcome(t *testing.T) {
	t.Parallel()
	coded := func(status int, code telesign.Code) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { answer(w, status, code) }
	}
	bare := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	cases := []struct {
		name   string
		answer func(w http.ResponseWriter)
		state  campaign.State
		reason campaign.Reason
		code   int
		phase  campaign.Phase
	}{
		{"200 without a reference", coded(200, 3001), campaign.Accepted, campaign.NoReason, 3001, campaign.Settling},
		{"202 in progress", coded(202, 3001), campaign.Accepted, campaign.NoReason, 3001, campaign.Settling},
		{"200 with another code", coded(200, 3000), campaign.InDoubt, campaign.ReasonUnreadable, 3000, campaign.Settling},
		{"200 with a refusal", coded(200, 3102), campaign.InDoubt, campaign.ReasonUnreadable, 3102, campaign.Settling},
		{"200 unreadable", bare(200, `{"status":{"co`), campaign.InDoubt, campaign.ReasonUnreadable, 0, campaign.Settling},
		{"200 empty", bare(200, ``), campaign.InDoubt, campaign.ReasonUnreadable, 0, campaign.Settling},
		{"302", bare(302, ``), campaign.InDoubt, campaign.ReasonUnreadable, 0, campaign.Held},
		{"400 bad request", coded(400, 3102), campaign.Refused, campaign.ReasonRefused, 3102, campaign.Done},
		{"400 bad number", coded(400, 3101), campaign.Refused, campaign.ReasonRefused, 3101, campaign.Done},
		{"400 unknown code", coded(400, 3999), campaign.Refused, campaign.ReasonRefused, 3999, campaign.Done},
		{"400 without a body", bare(400, ``), campaign.Refused, campaign.ReasonRefused, 0, campaign.Done},
		{"413", bare(413, `too large`), campaign.Refused, campaign.ReasonRefused, 0, campaign.Done},
		{"400 that says taken", coded(400, 3001), campaign.InDoubt, campaign.ReasonUnreadable, 3001, campaign.Settling},
		{"401", coded(401, 3400), campaign.Retrying, campaign.ReasonAccount, 3400, campaign.Held},
		{"401 unknown of the family", coded(401, 3407), campaign.Retrying, campaign.ReasonAccount, 3407, campaign.Held},
		{"402", bare(402, ``), campaign.Retrying, campaign.ReasonAccount, 0, campaign.Held},
		{"403", bare(403, `<html>`), campaign.Retrying, campaign.ReasonAccount, 0, campaign.Held},
		{"404", bare(404, ``), campaign.Retrying, campaign.ReasonAccount, 0, campaign.Held},
		{"429 callback URL", coded(429, 3203), campaign.Retrying, campaign.ReasonAccount, 3203, campaign.Held},
		{"429 product", coded(429, 3206), campaign.Retrying, campaign.ReasonAccount, 3206, campaign.Held},
		{"400 no balance", coded(400, 3073), campaign.Retrying, campaign.ReasonAccount, 3073, campaign.Held},
		{"500", bare(500, `oops`), campaign.InDoubt, campaign.ReasonServerError, 0, campaign.Settling},
		{"500 with an unknown code", coded(500, 3999), campaign.InDoubt, campaign.ReasonServerError, 3999, campaign.Settling},
		{"502", bare(502, ``), campaign.InDoubt, campaign.ReasonServerError, 0, campaign.Settling},
		{"503 without a code", bare(503, ``), campaign.InDoubt, campaign.ReasonServerError, 0, campaign.Settling},
		{"504", bare(504, ``), campaign.InDoubt, campaign.ReasonServerError, 0, campaign.Settling},
		{"hangs up", hangUp, campaign.InDoubt, campaign.ReasonReset, 0, campaign.Settling},
		{"no HTTP", func(w http.ResponseWriter) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(conn, "+41791234567 what?\r\n\r\n")
				_ = conn.Close()
			}
		}, campaign.InDoubt, campaign.ReasonReset, 0, campaign.Settling},
	}
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, p post) {
		var n int
		_, _ = fmt.Sscanf(p.ExternalID, "c%d.", &n)
		cases[n].answer(w)
	}
	r := setup(t, v)
	infos := make([]*campaign.Info, len(cases))
	for i := range cases {
		infos[i] = r.stand(campaign.ID(fmt.Sprintf("c%d", i)), []string{phone(i, 0)}, true)
	}
	r.start()
	check := func(i int) {
		c := cases[i]
		rec := r.untilState(infos[i], 0, c.state)
		if rec.Reason != c.reason || rec.Status.Code != c.code || rec.Faults != 0 {
			t.Errorf("%s: %q, code %d, %d faults; want %q, code %d, none", c.name, rec.Reason, rec.Status.Code, rec.Faults, c.reason, c.code)
		}
		want := c.phase
		r.until("campaign "+string(infos[i].ID)+" is "+string(want), func() bool {
			phase, _ := r.phase(infos[i])
			if c.state == campaign.InDoubt && phase == campaign.Settling {
				want = phase // its last one is in doubt: it may settle before it is held
			}
			return phase == want
		})
		if _, why := r.phase(infos[i]); (want == campaign.Held) != strings.HasPrefix(why, "Telesign: ") {
			t.Errorf("%s: the campaign says %q", c.name, why)
		}
		r.closes(infos[i])
	}
	var faults []int // of the account: these hold whatever runs, and go one by one
	for i, c := range cases {
		if c.phase == campaign.Held {
			faults = append(faults, i)
			continue
		}
		r.resume(infos[i])
	}
	for i, c := range cases {
		if c.phase != campaign.Held {
			check(i)
		}
	}
	for _, i := range faults {
		r.resume(infos[i])
		check(i)
		r.untilQuiet() // all are held
	}
	r.untilQuiet()
	v.once(t, len(cases))
	if a := r.archived(); len(a) > 0 {
		t.Errorf("archived: %q", a)
	}
}

func TestSend_ATimeoutIsInDoubt(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	v := &vendor{send: func(_ http.ResponseWriter, r *http.Request, _ post) {
		<-r.Context().Done()
		close(gone)
	}}
	r := setup(t, v)
	c := r.stand("c", phones(1), false)
	r.start(r.hasty(time.Second))
	if rec := r.untilState(c, 0, campaign.InDoubt); rec.Reason != campaign.ReasonTimeout || rec.DueAt.IsZero() {
		t.Errorf("%+v", rec)
	}
	<-gone
	v.once(t, 1)
}

func TestSend_UnavailableIsTriedAgainUnderAnotherName(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if len(v.all()) < 3 {
			answer(w, 503, 3500)
			return
		}
		accept(w, 1)
	}
	r := setup(t, v)
	c := r.stand("c", phones(1), false)
	r.start()
	rec := r.untilState(c, 0, campaign.Accepted)
	if rec.Attempt != 3 || rec.Faults != 2 {
		t.Errorf("attempt %d, %d faults, want 3 and 2", rec.Attempt, rec.Faults)
	}
	var ids []string
	for _, p := range v.all() {
		ids = append(ids, p.ExternalID)
	}
	if got := strings.Join(ids, " "); got != "c.0.0.1 c.0.0.2 c.0.0.3" {
		t.Errorf("POSTs: %s", got)
	}
}

func TestSend_AFailureBeforeTheRequestIsTriedAgain(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(1), false)
	var dials atomic.Int32
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if dials.Add(1) <= 2 {
			return nil, errors.New("no route for " + r.phones[0])
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	r.start(func(o *worker.Options) {
		var err error
		o.Telesign, err = telesign.NewClient(telesign.Options{
			URL: r.url, CustomerID: customerID, APIKey: apiKey, Auth: telesign.AuthDigest, Timeout: 2 * time.Second, Transport: transport,
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	r.until("it was put off", func() bool {
		rec := r.record(c, 0)
		return rec.State == campaign.Retrying && rec.Reason == campaign.ReasonNotWritten
	})
	if rec := r.untilState(c, 0, campaign.Accepted); rec.Attempt != 3 || rec.Faults != 2 {
		t.Errorf("attempt %d, %d faults, want 3 and 2", rec.Attempt, rec.Faults)
	}
	if all := v.all(); len(all) != 1 || all[0].ExternalID != "c.0.0.3" {
		t.Errorf("POSTs: %v", all)
	}
}

// A rate limit is not the recipient's fault: neither an attempt nor a fault is counted,
// and everybody waits.
func TestSend_ThrottlingCountsAsNothing(t *testing.T) {
	t.Parallel()
	for name, rate := range map[string]float64{"with a rate": 1000, "without a rate": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{}
			v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
				switch n := len(v.all()); {
				case n == 1:
					w.Header().Set("Retry-After", "1")
					answer(w, 429, 3204)
				case n == 2:
					w.Header().Set("Retry-After", "2")
					w.WriteHeader(429)
				case n == 3:
					answer(w, 429, 3205)
				default:
					accept(w, n)
				}
			}
			r := setup(t, v)
			c := r.stand("c", phones(1), false)
			r.start(func(o *worker.Options) { o.Rate = rate })
			rec := r.untilState(c, 0, campaign.Accepted)
			if rec.Attempt != 1 || rec.Faults != 0 {
				t.Errorf("attempt %d, %d faults, want 1 and none", rec.Attempt, rec.Faults)
			}
			all := v.all()
			if len(all) != 4 {
				t.Fatalf("%d POSTs, want 4", len(all))
			}
			if gap := all[1].At.Sub(all[0].At); gap < 950*time.Millisecond {
				t.Errorf("Telesign asked for a second and got %v", gap)
			}
			if gap := all[2].At.Sub(all[1].At); gap < 1950*time.Millisecond {
				t.Errorf("Telesign asked for two and got %v", gap)
			}
		})
	}
}

func (r *rig) resume(c *campaign.Info) {
	r.t.Helper()
	if err := r.ledger.Resume(r.t.Context(), c.ID, campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		r.t.Fatal(err)
	}
}

// Time decides when to give up, not how often it was tried.
func TestSend_GivesUpOnceItsTimeIsOverAndNotBefore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first    time.Duration // how long ago it was first put off
		spec     func(*campaign.Spec)
		answer   int
		code     telesign.Code
		gives    bool
		attempts int
	}{
		"unavailable for a day":        {24*time.Hour + 2*time.Second, nil, 503, 3500, true, 3},
		"for a day but a minute":       {24*time.Hour - time.Minute, nil, 503, 3500, false, 3},
		"for an hour of an hour":       {time.Hour + 2*time.Second, func(s *campaign.Spec) { s.GiveUpAfter = 3600 }, 503, 3500, true, 3},
		"for a day of two":             {24 * time.Hour, func(s *campaign.Spec) { s.GiveUpAfter = 2 * 86400 }, 503, 3500, false, 3},
		"a day ago, and throttled now": {24*time.Hour + 2*time.Second, nil, 429, 3204, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{send: func(w http.ResponseWriter, _ *http.Request, _ post) { answer(w, c.answer, c.code) }}
			r := setup(t, v)
			info := r.stand("c", phones(1), false, func(s *campaign.Spec) {
				if c.spec != nil {
					c.spec(s)
				}
			})
			past := time.Now().Add(-c.first)
			for i, at := range []time.Time{past, time.Now().Add(-time.Minute)} {
				r.apply(info, 0,
					campaign.Event{Kind: campaign.EventClaim, At: at, Claim: uint64(i + 1)},
					campaign.Event{Kind: campaign.EventDefer, At: at, Attempt: i + 1, Reason: campaign.ReasonUnavailable, DueAt: at})
			}
			r.fed(info)
			if err := r.rdb.HSet(t.Context(), "handout:{c}:meta", "started", past.UnixMilli()).Err(); err != nil {
				t.Fatal(err)
			}
			r.start()
			if c.gives {
				rec := r.untilState(info, 0, campaign.Refused)
				if rec.Reason != campaign.ReasonGaveUp || rec.Attempt != c.attempts || rec.Status.Code != int(c.code) {
					t.Errorf("%+v", rec)
				}
				r.untilPhase(info, campaign.Done)
				v.once(t, 1)
			} else {
				r.until("it is put off again", func() bool {
					rec := r.record(info, 0)
					return rec.State == campaign.Retrying && rec.Attempt >= c.attempts
				})
				if rec := r.record(info, 0); !rec.PutOffAt.Equal(past.Truncate(time.Second)) {
					t.Errorf("first put off at %s, not at %s", rec.PutOffAt, past)
				}
			}
			r.closes(info)
		})
	}
}

// Who was put off once on Friday isn't given up on for one answer of 429, nor by a
// second fault on Monday: neither the nights nor a pause count.
func TestSend_TheTimeToGiveUpRunsWhileItsHoursAreOpenAndTheCampaignRuns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		held time.Duration // for so long before now
		spec func(*campaign.Spec)
		give bool
	}{
		"running all the while":    {0, nil, true},
		"paused for a day of them": {30 * time.Hour, nil, true},
		"paused but for 21 hours":  {40 * time.Hour, nil, false},
		"open for 4 hours a day":   {0, func(s *campaign.Spec) { s.Hours = &campaign.Hours{From: "09:00", To: "13:00", Zone: "UTC"} }, false},
		"open for 11 hours a day":  {0, office("UTC"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{}
			v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
				if len(v.all()) == 1 {
					answer(w, 429, 3204)
					return
				}
				answer(w, 503, 3500)
			}
			r := setup(t, v)
			clock := r.skew("12:00:00")
			info := r.stand("c", phones(1), false, func(s *campaign.Spec) {
				if c.spec != nil {
					c.spec(s)
				}
			})
			friday := clock.now().Add(-61 * time.Hour)
			r.apply(info, 0, claimed(friday), campaign.Event{
				Kind: campaign.EventDefer, At: friday, Attempt: 1, Reason: campaign.ReasonUnavailable, DueAt: friday})
			if err := r.rdb.HSet(t.Context(), "handout:{c}:meta", "started", friday.UnixMilli()).Err(); err != nil {
				t.Fatal(err)
			}
			if c.held > 0 {
				paused := clock.now().Add(-c.held)
				if err := r.ledger.Pause(t.Context(), "c", campaign.Actor{Name: "ann"}, paused); err != nil {
					t.Fatal(err)
				}
				if err := r.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, clock.now()); err != nil {
					t.Fatal(err)
				}
			}
			r.fed(info)
			if err := r.ledger.CallDue(t.Context(), "c", ledger.Watched, clock.now(), 0); err != nil {
				t.Fatal(err)
			}
			r.start(func(o *worker.Options) { o.Poll = false })
			if c.give {
				if rec := r.untilState(info, 0, campaign.Refused); rec.Reason != campaign.ReasonGaveUp {
					t.Errorf("%+v", rec)
				}
			} else {
				r.until("it is put off again", func() bool { return r.record(info, 0).Faults > 1 })
			}
			if n := len(v.all()); n < 2 {
				t.Errorf("%d POSTs", n)
			}
		})
	}
}

// Throttling gives up on no one, however long it lasts.
func TestSend_EndlessThrottlingGivesUpOnNoOne(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if len(v.all()) < 4 {
			w.Header().Set("Retry-After", "1")
			answer(w, 429, 3204)
			return
		}
		accept(w, v.next())
	}
	r := setup(t, v)
	c := r.stand("c", phones(1), false, func(s *campaign.Spec) { s.GiveUpAfter = 1 })
	r.start()
	if rec := r.untilState(c, 0, campaign.Accepted); rec.Faults != 0 || rec.Attempt != 1 {
		t.Errorf("%+v", rec)
	}
	r.closes(c)
}

// copies are tasks about one recipient under IDs of their own.
func (r *rig) copies(n int, c campaign.ID, p campaign.Place) []*asynq.Task {
	payload := tasks.NewSend(r.attempt(c, p, 1)).Payload()
	all := make([]*asynq.Task, n)
	for i := range all {
		all[i] = asynq.NewTask(tasks.TypeSend, payload, asynq.TaskID(fmt.Sprintf("copy-%d", i)), asynq.Queue("handout:"+tasks.QueueBulk))
	}
	return all
}

func TestSend_AHundredNotesAreOneMessage(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(3), false)
	for i := range 3 {
		if _, err := r.queue.EnqueueAll(t.Context(), tasks.QueueBulk, r.copies(100, "c", campaign.PlaceOf(i))); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.start() // two processes
	for i := range 3 {
		r.untilState(c, i, campaign.Accepted)
	}
	r.untilQuiet()
	v.once(t, 3)
	if a := r.archived(); len(a) > 0 {
		t.Errorf("archived: %q", a)
	}
	r.closes(c)
}

func TestSend_APausedCampaignStaysPlanned(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(20), true)
	r.fed(c)
	for i := range 20 {
		if err := r.queue.Enqueue(t.Context(), tasks.QueueBulk, tasks.NewSend(r.attempt("c", campaign.PlaceOf(i), 1))); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.untilQuiet()
	if n := r.balance(c).Of(campaign.Planned); n != 20 || len(v.all()) != 0 {
		t.Errorf("%d are planned, %d POSTs", n, len(v.all()))
	}
	if err := r.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 20 })
	v.once(t, 20)
	r.closes(c)
}

func TestSend_ACanceledCampaignSendsNothing(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(5), true)
	r.fed(c)
	for i := range 5 {
		if err := r.queue.Enqueue(t.Context(), tasks.QueueBulk, tasks.NewSend(r.attempt("c", campaign.PlaceOf(i), 1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.ledger.Cancel(t.Context(), "c", campaign.Actor{Name: "ann", Why: "enough"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.untilPhase(c, campaign.Done)
	r.untilQuiet()
	if n := r.balance(c).Of(campaign.Canceled); n != 5 || len(v.all()) != 0 {
		t.Errorf("%d are canceled, %d POSTs", n, len(v.all()))
	}
	r.closes(c)
}

func TestSend_WhatCannotBeFoundIsTriedAgain(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(1), true)
	page, err := r.rdb.Get(t.Context(), "handout:{c}:page:0").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.rdb.Del(t.Context(), "handout:{c}:page:0").Err(); err != nil {
		t.Fatal(err)
	}
	sends := []*asynq.Task{
		tasks.NewSend(r.attempt("c", campaign.Place{}, 1)),         // its page is missing
		tasks.NewSend(r.attempt("c", campaign.Place{Index: 7}, 1)), // there is no such recipient
		tasks.NewSend(r.attempt("gone", campaign.Place{}, 1)),      // nor such a campaign
	}
	if _, err := r.queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends); err != nil {
		t.Fatal(err)
	}
	if err := r.queue.Enqueue(t.Context(), tasks.QueueUrgent, tasks.NewSend(r.attempt("c", campaign.Place{Page: 9}, 1))); err != nil { // nor such a page
		t.Fatal(err)
	}
	r.start()
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	for _, n := range []struct{ queue, id string }{{"handout:bulk", r.attempt("c", campaign.Place{}, 1).ExternalID()}, {"handout:bulk", r.attempt("c", campaign.Place{Index: 7}, 1).ExternalID()}, {"handout:urgent", r.attempt("c", campaign.Place{Page: 9}, 1).ExternalID()}} {
		r.until(n.id+" is retried", func() bool {
			info, err := inspector.GetTaskInfo(n.queue, n.id)
			return err == nil && info.State == asynq.TaskStateRetry && strings.Contains(info.LastErr, "not found")
		})
	}
	r.until("the task of a campaign that is gone is dropped", func() bool {
		_, err := inspector.GetTaskInfo("handout:bulk", r.attempt("gone", campaign.Place{}, 1).ExternalID())
		return errors.Is(err, asynq.ErrTaskNotFound)
	})
	if len(v.all()) != 0 || r.record(c, 0).State != campaign.Planned {
		t.Errorf("%d POSTs, %s", len(v.all()), r.record(c, 0).State)
	}
	// The page is back, as after a restore: what wasn't there isn't remembered.
	if err := r.rdb.Set(t.Context(), "handout:{c}:page:0", page, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.untilState(c, 0, campaign.Accepted)
	v.once(t, 1)
}

func TestSend_JunkIsArchivedWithItsReason(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	for i, junk := range []struct {
		queue string
		task  *asynq.Task
	}{
		{tasks.QueueBulk, asynq.NewTask(tasks.TypeSend, []byte(`{"v":1,"campaign":"c"}`), asynq.TaskID("junk-0"))},
		{tasks.QueueUrgent, asynq.NewTask(tasks.TypeSend, []byte(`junk`), asynq.TaskID("junk-1"))},
		{tasks.QueuePolls, asynq.NewTask(tasks.TypePoll, []byte(`{}`), asynq.TaskID("junk-2"))},
		{tasks.QueuePolls, asynq.NewTask(tasks.TypePoll, nil, asynq.TaskID("junk-3"))},
	} {
		if err := r.queue.Enqueue(t.Context(), junk.queue, junk.task); err != nil {
			t.Fatalf("junk %d: %v", i, err)
		}
	}
	r.start()
	r.until("all junk is archived", func() bool { return len(r.archived()) == 4 })
	text := strings.Join(r.archived(), "\n")
	for _, why := range []string{"junk-0: unreadable task: no such place", "junk-1: unreadable task: ", "junk-2: unreadable task: version 0", "junk-3: unreadable task: "} {
		if !strings.Contains(text, why) {
			t.Errorf("%q isn't in\n%s", why, text)
		}
	}
	if len(v.all()) != 0 {
		t.Errorf("%d POSTs", len(v.all()))
	}
}

// A fault of ours stops the campaign, not its list: everyone whom it hit waits
// and is sent to after the resume, under the number that was never used.
func TestSend_AnAccountErrorHoldsTheCampaignAndLosesNobody(t *testing.T) {
	t.Parallel()
	var repaired atomic.Bool
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		if !repaired.Load() {
			answer(w, 401, 3411)
			return
		}
		accept(w, v.next())
	}
	const n = 300
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	r.start(func(o *worker.Options) { o.Concurrency = 8 })
	r.untilPhase(c, campaign.Held)
	r.untilQuiet()
	if _, why := r.phase(c); why != "Telesign: 3411 Invalid API Key" {
		t.Errorf("held for %q", why)
	}
	if refused := len(v.all()); refused > 16 {
		t.Errorf("%d POSTs until the campaign was held", refused)
	}
	b := r.balance(c)
	if b.Of(campaign.Retrying)+b.Of(campaign.Planned) != n || b.Of(campaign.Retrying) == 0 {
		t.Errorf("%+v", b)
	}
	before := len(v.all())
	repaired.Store(true)
	if err := r.ledger.Resume(t.Context(), "c", campaign.Actor{Name: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	r.untilQuiet()
	seen := map[string]bool{}
	for _, p := range v.all()[before:] {
		if seen[p.ExternalID] || !strings.HasSuffix(p.ExternalID, ".1") {
			t.Errorf("%s after the resume", p.ExternalID)
		}
		seen[p.ExternalID] = true
	}
	if len(seen) != n {
		t.Errorf("%d were sent to after the resume, want %d", len(seen), n)
	}
	r.closes(c)
}

// What is under way is sent and recorded; the rest is left to the next worker.
func TestStop_LetsWhatIsUnderWayEnd(t *testing.T) {
	t.Parallel()
	under := make(chan struct{}, 100)
	let := make(chan struct{})
	v := &vendor{}
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		under <- struct{}{}
		<-let
		accept(w, v.next())
	}
	r := setup(t, v)
	c := r.stand("c", phones(12), false)
	stop := r.start(func(o *worker.Options) { o.Concurrency, o.Rate = 3, 100 }) // one recipient a task
	for range 3 {
		<-under
	}
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	close(let)
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Fatal("Stop doesn't return")
	}
	if b := r.balance(c); b.Of(campaign.Claimed) != 0 || b.Of(campaign.InDoubt) != 0 || b.Of(campaign.Accepted) < 3 {
		t.Errorf("after Stop: %+v", b)
	}
	r.start()
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == 12 })
	v.once(t, 12)
	r.closes(c)
}

// Telesign has taken the message, and Redis is away: the worker insists.
func TestSend_RecordsTheAnswerWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setupDurable(t, v)
	killed := make(chan struct{})
	under := make(chan struct{})
	v.send = func(w http.ResponseWriter, _ *http.Request, _ post) {
		close(under)
		<-killed
		accept(w, 1)
	}
	c := r.stand("c", phones(1), false)
	r.start(func(o *worker.Options) { o.Concurrency = 1 })
	<-under
	r.server.Kill()
	close(killed)
	r.server.Restart()
	rec := r.untilState(c, 0, campaign.Accepted)
	if rec.Reference != reference(1) {
		t.Errorf("reference %q", rec.Reference)
	}
	v.once(t, 1)
}

func TestNew_RefusesWhatItCannotWorkWith(t *testing.T) {
	t.Parallel()
	r := setup(t, &vendor{})
	for name, change := range map[string]func(*worker.Options){
		"no Redis":         func(o *worker.Options) { o.Redis = nil },
		"no Telesign":      func(o *worker.Options) { o.Telesign = nil },
		"no logger":        func(o *worker.Options) { o.Logger = nil },
		"no metrics":       func(o *worker.Options) { o.Metrics = nil },
		"a negative rate":  func(o *worker.Options) { o.Rate = -1 },
		"no concurrency":   func(o *worker.Options) { o.Concurrency = 0 },
		"no window":        func(o *worker.Options) { o.Window = 0 },
		"a boundless one":  func(o *worker.Options) { o.Window = worker.MaxWindow + 1 },
		"no send time-out": func(o *worker.Options) { o.SendTimeout = 0 },
	} {
		o := r.options()
		change(&o)
		if _, err := worker.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Another application on the same Redis has a queue of its own that is called bulk.
func TestSend_LeavesAnotherApplicationsTasks(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	client := asynq.NewClientFromRedisClient(r.rdb)
	queues := []string{tasks.QueueBulk, tasks.QueueUrgent, tasks.QueuePolls}
	for _, queue := range queues {
		if _, err := client.Enqueue(asynq.NewTask("email:welcome", []byte("{}")), asynq.TaskID("theirs"), asynq.Queue(queue), asynq.MaxRetry(0)); err != nil {
			t.Fatal(err)
		}
	}
	c := r.stand("c", phones(20), false)
	r.start()
	for i := range 20 {
		r.untilState(c, i, campaign.Accepted)
	}
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	for _, queue := range queues {
		if info, err := inspector.GetTaskInfo(queue, "theirs"); err != nil || info.State != asynq.TaskStatePending {
			t.Errorf("%s: %+v, %v", queue, info, err)
		}
	}
}
