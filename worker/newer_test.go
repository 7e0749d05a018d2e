package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/campaigntest"
)

// A newer program's campaign is left to newer workers: nothing of it is sent by this one,
// and nothing of it is lost; what this one knows goes on beside it.
func TestWorker_LeavesWhatItDoesNotKnowToNewerOnes(t *testing.T) {
	t.Parallel()
	const n = 5
	v := &vendor{}
	r := setup(t, v)
	newer, known := r.stand("newer", phones(n), true), r.stand("known", phones(n), false)
	meta := "handout:{newer}:meta"
	spec := r.rdb.HGet(t.Context(), meta, "spec").Val()
	r.rdb.HSet(t.Context(), meta, "spec", strings.Replace(spec, "{", `{"quiet":"22:00",`, 1))
	if err := r.ledger.Resume(t.Context(), newer.ID, campaign.Actor{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	stop := r.start()
	for i := range n {
		r.untilState(known, i, campaign.Accepted)
	}
	r.until("the log names what it doesn't know", func() bool {
		return strings.Contains(r.log.String(), "quiet") && strings.Contains(r.log.String(), "update this one")
	})
	// Another worker has a chance to look: this one, which is no newer.
	r.until("the lease is free", func() bool { return r.rdb.Exists(t.Context(), "handout:due:lease").Val() == 0 })
	if len(v.all()) != n {
		t.Errorf("%d POSTs", len(v.all()))
	}
	stop()
	r.rdb.HSet(t.Context(), meta, "spec", spec) // as a worker reads it that knows the field
	r.start()
	for i := range n {
		r.untilState(newer, i, campaign.Accepted)
	}
	v.once(t, 2*n)
	r.closes(newer)
	if a := r.archived(); len(a) > 0 {
		t.Errorf("archived: %q", a)
	}
}

func TestSend_GivesBackATaskThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	r := setup(t, &vendor{})
	task := asynq.NewTask(tasks.TypeSend, []byte(`{"v":9,"campaign":"c"}`), asynq.TaskID("newer"))
	if err := r.queue.Enqueue(t.Context(), tasks.QueueBulk, task, asynq.MaxRetry(9)); err != nil {
		t.Fatal(err)
	}
	r.start()
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	r.until("the task waits for a newer worker", func() bool {
		info, err := inspector.GetTaskInfo("handout:"+tasks.QueueBulk, "newer")
		return err == nil && info.State == asynq.TaskStateRetry && strings.Contains(info.LastErr, "version 9")
	})
	if a := r.archived(); len(a) > 0 {
		t.Errorf("archived: %q", a)
	}
}

func TestSend_GivesBackAOneOffThatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("sends-2026-11-22", phones(1), true, func(s *campaign.Spec) { *s = *campaign.StandingSpec(s.ID, "default") })
	message := `{"id":"","message_type":"ARN","channels":[{"channel":"sms","template":"text","parameters":{"text":"Hello"}}],"lane":"urgent","on_doubt":"hold","quiet":"22:00"}`
	b, err := campaigntest.EncodePage(1, []campaign.Recipient{{ID: "r0", Phone: phone(0, 0), Values: []string{message}}})
	if err != nil {
		t.Fatal(err)
	}
	r.rdb.Set(t.Context(), "handout:{sends-2026-11-22}:page:0", b, 0)
	if err := r.ledger.Resume(t.Context(), c.ID, campaign.Actor{}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.untilState(c, 0, campaign.Retrying)
	given := time.Now()
	if log := r.log.String(); !strings.Contains(log, "quiet") || !strings.Contains(log, "update this one") {
		t.Error("the log doesn't name what it doesn't know")
	}
	if len(v.all()) > 0 {
		t.Errorf("%d POSTs", len(v.all()))
	}
	if b, err = campaigntest.EncodePage(1, []campaign.Recipient{{ID: "r0", Phone: phone(0, 0), Values: []string{strings.Replace(message, `,"quiet":"22:00"`, "", 1)}}}); err != nil {
		t.Fatal(err)
	}
	r.rdb.Set(t.Context(), "handout:{sends-2026-11-22}:page:0", b, 0)
	r.start() // it reads the page as a newer one would
	rec := r.untilState(c, 0, campaign.Accepted)
	if took := rec.ClaimedAt.Sub(given); took > 15*time.Second {
		t.Errorf("it was sent %s after it was given back", took)
	}
	v.once(t, 1)
	r.closes(c)
}
