package worker_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/worker"
)

// standing is how many recipients have been fed and are still planned, and how
// many tasks wait or are worked on, at one moment.
func (r *rig) standing(ctx context.Context, c *campaign.Info) (recipients, waiting int) {
	var planned, cursor *redis.StringCmd
	var pending, active *redis.IntCmd
	_, err := r.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		planned = p.HGet(ctx, "handout:{"+string(c.ID)+"}:counts", "planned")
		cursor = p.HGet(ctx, "handout:{"+string(c.ID)+"}:meta", "cursor")
		pending, active = p.LLen(ctx, "asynq:{handout:bulk}:pending"), p.LLen(ctx, "asynq:{handout:bulk}:active")
		return nil
	})
	if err != nil {
		return 0, 0
	}
	fed, _ := cursor.Int()
	left, _ := planned.Int()
	return fed - (c.Total - left), int(pending.Val() + active.Val())
}

func TestFeed_NeverMoreThanTheWindow(t *testing.T) {
	t.Parallel()
	const window, senders = 20, 8
	for name, rate := range map[string]float64{"one recipient a task": 100, "several": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 250
			v := &vendor{}
			r := setup(t, v)
			c := r.stand("c", phones(n), false)
			ctx, cancel := context.WithCancel(t.Context())
			var most, maxTasks int
			var watch sync.WaitGroup
			watch.Go(func() {
				for ctx.Err() == nil {
					recipients, waiting := r.standing(ctx, c)
					most, maxTasks = max(most, recipients), max(maxTasks, waiting)
					time.Sleep(time.Millisecond)
				}
			})
			r.start(func(o *worker.Options) { o.Window, o.Concurrency, o.Rate = window, senders, rate })
			r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
			cancel()
			watch.Wait()
			// A task stays there for a moment after its claim.
			if most > window || maxTasks > window+senders || most == 0 {
				t.Errorf("%d recipients and %d tasks in a window of %d", most, maxTasks, window)
			}
			v.once(t, n)
			if _, _, cursor, err := r.ledger.Phase(t.Context(), "c"); err != nil || cursor != n {
				t.Errorf("the cursor is at %d, error %v", cursor, err)
			}
			r.closes(c)
		})
	}
}

// A window of one: of a setting, or of a slow account, as where many campaigns
// share its rate.
func TestFeed_TheSmallestWindowIsFedToTheEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		window, people int
		rate           float64
	}{
		"by setting":        {1, 5, 100},
		"of a slow account": {100, 3, 0.6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &vendor{}
			r := setup(t, v)
			stands := r.stand("c", phones(c.people), false)
			r.start(func(o *worker.Options) { o.Window, o.Rate = c.window, c.rate })
			r.until("everyone is sent to", func() bool { return r.balance(stands).Of(campaign.Accepted) == c.people })
			r.closes(stands)
			v.once(t, c.people)
		})
	}
}

// A lease saves double work; the truth doesn't depend on it.
func TestFeed_TwoAtOnceDoNoHarm(t *testing.T) {
	t.Parallel()
	const n = 700
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	ctx, cancel := context.WithCancel(t.Context())
	var thief sync.WaitGroup
	thief.Go(func() {
		for ctx.Err() == nil {
			_ = r.rdb.Del(ctx, "handout:due:lease").Err()
			_ = r.ledger.Call(ctx, "c")
			time.Sleep(5 * time.Millisecond) // the tests beside want to work too
		}
	})
	for range 2 {
		r.start(func(o *worker.Options) { o.Window = 50 })
	}
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	cancel()
	thief.Wait()
	v.once(t, n)
	r.closes(c)
}

func TestFeed_ASlowCampaignKeepsItsOwnRate(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	slow := r.stand("slow", phones(14), false, func(s *campaign.Spec) { s.Rate = 5 })
	quick := r.stand("quick", phones(200), false)
	r.start()
	r.until("the quick one is through", func() bool { return r.balance(quick).Of(campaign.Accepted) == 200 })
	r.until("the slow one is through", func() bool { return r.balance(slow).Of(campaign.Accepted) == 14 })
	var at []time.Time
	for _, p := range v.all() {
		if p.ExternalID[0] == 's' {
			at = append(at, p.At)
		}
	}
	// 13 gaps of 204 ms; a busy machine may shift the first and the last.
	if took := at[len(at)-1].Sub(at[0]); took < 2*time.Second {
		t.Errorf("14 messages at 5 per second took %v", took)
	}
	v.once(t, 214)
}

// The tasks were written, and the cursor wasn't moved.
func TestFeed_ACrashBeforeTheCursorMovesDoesNoHarm(t *testing.T) {
	t.Parallel()
	const n = 250
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	var sends []*asynq.Task
	for i := range n {
		sends = append(sends, tasks.NewSend(r.attempt("c", campaign.PlaceOf(i), 1)))
	}
	if _, err := r.queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.until("everyone is sent to and fed", func() bool {
		_, _, cursor, err := r.ledger.Phase(t.Context(), "c")
		return err == nil && cursor == n && r.balance(c).Of(campaign.Accepted) == n
	})
	r.untilQuiet()
	v.once(t, n)
	r.untilPhase(c, campaign.Settling)
	r.closes(c)
}

func TestFeed_ACancelInTheMiddleClosesTheBalance(t *testing.T) {
	t.Parallel()
	const n = 2500
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	r.start(func(o *worker.Options) { o.Rate, o.Window = 200, 100; soon(o) })
	r.until("it is under way", func() bool { return len(v.all()) > 60 })
	if err := r.ledger.Cancel(t.Context(), "c", campaign.Actor{Name: "ann", Why: "enough"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.untilPhase(c, campaign.Done)
	b := r.balance(c)
	sent := len(v.all())
	if b.Of(campaign.Unconfirmed) != sent || b.Of(campaign.Canceled) != n-sent {
		t.Errorf("%d POSTs: %+v", sent, b)
	}
	if sent > n/2 {
		t.Errorf("%d of %d were sent to", sent, n)
	}
	v.once(t, sent)
	r.closes(c)
	r.until("it isn't active any more", func() bool {
		active, err := r.ledger.Active(t.Context())
		return err == nil && len(active) == 0
	})
}

func TestFeed_APauseStopsAtOnceAndAResumeFinishes(t *testing.T) {
	t.Parallel()
	const n = 300
	v := &vendor{}
	r := setup(t, v)
	c := r.stand("c", phones(n), false)
	r.start(func(o *worker.Options) { o.Rate = 100 })
	r.pauseTwice(v, c, time.Now)
	r.until("everyone is sent to", func() bool { return r.balance(c).Of(campaign.Accepted) == n })
	v.once(t, n)
	r.closes(c)
}

// pauseTwice pauses a campaign in the middle and lets it run on, twice; nobody is
// sent to in between.
func (r *rig) pauseTwice(v *vendor, c *campaign.Info, now func() time.Time) {
	r.t.Helper()
	for range 2 {
		before := len(v.all())
		r.until("it is under way", func() bool { return len(v.all()) > before+10 })
		if err := r.ledger.Pause(r.t.Context(), c.ID, campaign.Actor{Name: "ann", Why: "lunch"}, now()); err != nil {
			r.t.Fatal(err)
		}
		r.until("nobody is claimed", func() bool { return r.balance(c).Of(campaign.Claimed) == 0 })
		at := r.balance(c).Of(campaign.Planned)
		r.untilQuiet()
		r.looked(c)
		if now := r.balance(c).Of(campaign.Planned); now != at || now == 0 {
			r.t.Errorf("%d were planned at the pause, %d are now", at, now)
		}
		if err := r.ledger.Resume(r.t.Context(), c.ID, campaign.Actor{Name: "ann"}, now()); err != nil {
			r.t.Fatal(err)
		}
	}
}

// A campaign that was purged leaves the active ones, and its tasks come to nothing.
func TestFeed_APurgedCampaignIsForgotten(t *testing.T) {
	t.Parallel()
	v := &vendor{}
	r := setup(t, v)
	r.stand("c", phones(3), true)
	keys, err := r.rdb.Keys(t.Context(), "handout:{c}:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.rdb.Del(t.Context(), keys...).Err(); err != nil {
		t.Fatal(err)
	}
	for queue, task := range map[string]*asynq.Task{
		tasks.QueuePolls: tasks.NewPoll(r.attempt("c", campaign.Place{}, 1)),
		tasks.QueueBulk:  tasks.NewSend(r.attempt("c", campaign.Place{}, 1)),
	} {
		if err := r.queue.Enqueue(t.Context(), queue, task); err != nil {
			t.Fatal(err)
		}
	}
	r.start()
	r.until("it isn't active any more", func() bool {
		active, err := r.ledger.Active(t.Context())
		return err == nil && len(active) == 0
	})
	r.untilQuiet()
	if n := len(v.all()); n != 0 {
		t.Errorf("%d POSTs", n)
	}
}
