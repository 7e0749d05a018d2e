package worker_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/worker"
)

// turns are where the posts of one campaign stand among all.
func turns(id campaign.ID, posts []post) []int {
	var its []int
	for i, p := range posts {
		if strings.HasPrefix(p.ExternalID, string(id)+".") {
			its = append(its, i)
		}
	}
	return its
}

func TestFairness_ASmallCampaignTakesTurnsWithABigOne(t *testing.T) {
	t.Parallel()
	const rate, small = 50, 200
	v := &vendor{}
	r := setup(t, v)
	big := r.stand("big", phones(5000), false)
	for range 2 {
		r.start(func(o *worker.Options) { o.Rate = rate })
	}
	r.until("the big one is under way", func() bool { return len(v.all()) > 2*rate })
	c := r.stand("small", phones(small), false)
	r.until("the small one stands in the queue", func() bool { return r.cursor(c) > 0 })
	before := r.cursor(big)
	r.until("the small one is through", func() bool { return r.balance(c).Of(campaign.Accepted) == small })
	its := turns("small", v.all())
	if len(its) != small {
		t.Fatalf("%d messages for %d people", len(its), small)
	}
	// What stood in the queue before it goes first, and what the other worker has
	// in its hands.
	if its[0] > before+rate {
		t.Errorf("%d of the big campaign went first, of %d that stood in the queue before", its[0], before)
	}
	// From there on they take turns. On a busy machine the small one may be fed late
	// now and then: its longest waits don't count.
	var rows []int // of the big one's turns in between, one after the other
	all, sum := 0, 0
	for i := range its[1:] {
		if n := its[i+1] - its[i] - 1; n > 0 {
			rows = append(rows, n)
			all += n
		}
	}
	slices.Sort(rows)
	rows = rows[:max(0, len(rows)-5)]
	for _, n := range rows {
		sum += n
	}
	if all < small/4 || sum > small*5/4 || sum > 3*len(rows) {
		t.Errorf("while %d of the small campaign went out, %d of the big one did, so many in a row: %v", small, all, rows)
	}
}

func TestFairness_UrgentOvertakesBulk(t *testing.T) {
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
	r.until("the urgent ones stand in the queue", func() bool { return r.cursor(c) == urgent })
	before := len(v.all())
	r.until("the urgent ones are sent", func() bool { return r.balance(c).Of(campaign.Accepted) == urgent })
	its := turns("soon", v.all())
	// Three times the rate stands in the bulk queue; a second's worth may be under way.
	if n := its[0] - before; n > rate {
		t.Errorf("%d bulk messages went out before the first urgent one", n)
	}
	if n := its[urgent-1] - its[0] + 1 - urgent; n > rate {
		t.Errorf("%d bulk messages went out among %d urgent ones", n, urgent)
	}
}
