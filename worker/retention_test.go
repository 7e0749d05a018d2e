package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

// over makes a campaign of these numbers that has been done since.
func (r *rig) over(id campaign.ID, numbers []string, since time.Time, change ...func(*campaign.Spec)) *campaign.Info {
	r.t.Helper()
	c := r.stand(id, numbers, false, change...)
	for i := range numbers {
		r.apply(c, i, campaign.Event{Kind: campaign.EventClaim, At: since, Claim: 7},
			campaign.Event{Kind: campaign.EventAccept, At: since, Attempt: 1, Code: 3001, Reference: reference(i)},
			campaign.Event{Kind: campaign.EventOverdue, At: since, Reason: campaign.ReasonNoReceipt})
	}
	r.fed(c)
	if _, err := r.ledger.SetDue(r.t.Context(), id, r.due(c), time.Time{}); err != nil {
		r.t.Fatal(err)
	}
	if err := r.ledger.Settle(r.t.Context(), id); err != nil {
		r.t.Fatal(err)
	}
	if err := r.ledger.Finish(r.t.Context(), id, since); err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) due(c *campaign.Info) ledger.DuePage {
	r.t.Helper()
	due, err := r.ledger.Due(r.t.Context(), c.ID, ledger.Watched, time.Now(), 1)
	if err != nil || len(due) != 1 {
		r.t.Fatalf("%d pages are due: %v", len(due), err)
	}
	return due[0]
}

func keepAnHour(s *campaign.Spec) { s.Retention = 3600 }

func TestRetention_AWorkerPurgesWhatIsDueAndNothingElse(t *testing.T) {
	t.Parallel()
	r := setup(t, &vendor{})
	old := r.over("old", phones(20), time.Now().Add(-2*time.Hour), keepAnHour)
	young := r.over("young", phones(20), time.Now().Add(-time.Minute), keepAnHour)
	r.start()
	r.until("the old one is purged", func() bool {
		info, err := r.ledger.Info(t.Context(), "old")
		if err != nil {
			t.Fatal(err)
		}
		return !info.EmptiedAt.IsZero()
	})
	if got := r.balance(old).Of(campaign.Unconfirmed); got != 20 {
		t.Errorf("%d are counted", got)
	}
	history, err := r.ledger.History(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	if last := history[len(history)-1]; last.Verb != "purged" || last.By != "handout" || last.Why != "retention of 1 h has passed" {
		t.Errorf("%+v", last)
	}
	info, err := r.ledger.Info(t.Context(), "young")
	if err != nil || !info.PurgedAt.IsZero() {
		t.Errorf("%+v, %v", info, err)
	}
	r.closes(young)
}

func TestRetention_NotesOfAPurgedCampaignComeToNothing(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	// The worker knows the campaign and its first page, and not the second.
	c := r.stand("c", phones(campaign.PageSize+20), false)
	stop := r.start()
	r.untilState(c, c.Total-1, campaign.Accepted)
	r.until("all are accepted", func() bool { return r.balance(c).Of(campaign.Accepted) == c.Total })
	for i := range c.Total {
		r.apply(c, i, campaign.Event{Kind: campaign.EventReceipt, At: time.Now(), Attempt: 1, Status: campaign.Leg{Rank: campaign.RankDelivered, Code: 3003}})
	}
	r.untilPhase(c, campaign.Done)
	info, err := r.ledger.Info(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Purge(t.Context(), info, campaign.Machine("a test"), time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	before := len(v.all())
	handle := func() {
		for page := range 2 {
			for attempt := 1; attempt < 4; attempt++ {
				if err := r.queue.Enqueue(t.Context(), tasks.QueueBulk, tasks.NewSend(r.attempt("c", campaign.Place{Page: page, Index: attempt}, attempt))); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := r.queue.Enqueue(t.Context(), tasks.QueuePolls, tasks.NewPoll(r.attempt("c", campaign.Place{}, 1))); err != nil {
			t.Fatal(err)
		}
		if err := r.ledger.Call(t.Context(), "c"); err != nil {
			t.Fatal(err)
		}
		r.untilQuiet()
	}
	handle() // with all in the worker's memory
	stop()
	r.start()
	handle() // and to one that knows nothing
	if n := len(v.all()) - before; n != 0 {
		t.Errorf("%d were sent to after the purge", n)
	}
	if a := r.archived(); len(a) != 0 {
		t.Errorf("archived: %q", a)
	}
	keys := r.rdb.Keys(t.Context(), "handout:{c}:*").Val()
	for _, k := range keys {
		if !strings.HasSuffix(k, ":meta") && !strings.HasSuffix(k, ":counts") && !strings.HasSuffix(k, ":history") && !strings.Contains(k, ":lease:") {
			t.Errorf("%s is there", k)
		}
	}
	if got := r.balance(c).Of(campaign.Delivered); got != c.Total {
		t.Errorf("%d are counted as delivered", got)
	}
	if strings.Contains(r.log.String(), `"level":"ERROR"`) {
		t.Error(tail(r.log.String()))
	}
}
