package worker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/worker"
)

// of are the posts of one campaign.
func of(id campaign.ID, posts []post) []post {
	var its []post
	for _, p := range posts {
		if strings.HasPrefix(p.ExternalID, string(id)+".") {
			its = append(its, p)
		}
	}
	return its
}

// wake has a campaign fed at once, as a submit does.
func (r *rig) wake(id campaign.ID) {
	r.t.Helper()
	if err := queue.New(r.rdb).Enqueue(r.t.Context(), tasks.NewFeed(id, time.Now().Unix())); err != nil {
		r.t.Fatal(err)
	}
}

func TestFairness_ASmallCampaignSharesTheRateWithABigOne(t *testing.T) {
	t.Parallel()
	const rate, small = 50, 250
	v := &vendor{}
	r := setup(t, v)
	r.stand("big", phones(5000), false)
	for range 2 {
		r.start(func(o *worker.Options) { o.Rate = rate })
	}
	r.until("the big one is under way", func() bool { return len(v.all()) > 2*rate })
	start := time.Now()
	c := r.stand("small", phones(small), false)
	r.wake("small")
	r.until("the small one is through", func() bool { return r.balance(c).Of(campaign.Accepted) == small })
	posts := v.all()
	its := of("small", posts)
	first, last := its[0].At, its[len(its)-1].At
	others := 0
	for _, p := range of("big", posts) {
		if p.At.After(first) && p.At.Before(last) {
			others++
		}
	}
	// Their people take turns, in each worker; the workers share the slots as it
	// comes, and a busy machine feeds late.
	if others < small/2 || others > small*3/2 {
		t.Errorf("while %d of the small campaign went out, %d of the big one did", small, others)
	}
	// Alone it is small messages long; beside another as many again, and those
	// that stood in the queue before it.
	before := 0
	for _, p := range posts {
		if p.At.After(start) && p.At.Before(last) {
			before++
		}
	}
	if most := 3*small + 4*rate; before > most {
		t.Errorf("%d messages went out until the small campaign was through, over %d", before, most)
	}
	if n := len(its); n != small {
		t.Errorf("%d messages for %d people", n, small)
	}
}
func TestFairness_UrgentOvertakesBulkWithinASecond(t *testing.T) {
	t.Parallel()
	const rate, urgent = 20, 5
	v := &vendor{}
	r := setup(t, v)
	r.stand("bulk", phones(1000), false)
	for range 3 {
		r.start(func(o *worker.Options) { o.Rate = rate })
	}
	r.until("the bulk is under way", func() bool { return len(v.all()) > rate })
	c := r.stand("soon", phones(urgent), false, func(s *campaign.Spec) { s.Lane = campaign.LaneUrgent })
	start := time.Now()
	r.wake("soon")
	r.until("the urgent ones are sent", func() bool { return r.balance(c).Of(campaign.Accepted) == urgent })
	its := of("soon", v.all())
	if took := its[0].At.Sub(start); took > time.Second {
		t.Errorf("the first urgent message went out after %v", took)
	}
	if took := its[urgent-1].At.Sub(its[0].At); took > time.Second {
		t.Errorf("%d urgent messages took %v at %d per second", urgent, took, rate)
	}
}
