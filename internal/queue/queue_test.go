package queue_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/redistest"
)

func sends(from, to int) []*asynq.Task {
	notes := make([]*asynq.Task, 0, to-from)
	for i := from; i < to; i++ {
		notes = append(notes, tasks.NewSend(campaign.Attempt{Campaign: "a", Salt: "k3v7q2m5", Place: campaign.PlaceOf(i), Number: 1}))
	}
	return notes
}

// pending is how many tasks wait in a queue.
func pending(t *testing.T, server *redistest.Server, queue string) int {
	t.Helper()
	n, err := server.Client().LLen(t.Context(), "asynq:{handout:"+queue+"}:pending").Result()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestEnqueue_ATakenIDIsSuccess(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	for range 3 {
		if err := queue.Enqueue(t.Context(), tasks.QueueBulk, sends(0, 1)[0]); err != nil {
			t.Fatal(err)
		}
	}
	if n := pending(t, server, tasks.QueueBulk); n != 1 {
		t.Errorf("%d tasks are in the queue, want 1", n)
	}
}

func TestEnqueue_PutsOffWhatIsForLater(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	note := sends(0, 1)[0]
	if err := queue.New(server.Client()).Enqueue(t.Context(), tasks.QueueBulk, note, asynq.ProcessIn(time.Hour)); err != nil {
		t.Fatal(err)
	}
	info, err := asynq.NewInspectorFromRedisClient(server.Client()).GetTaskInfo("handout:"+tasks.QueueBulk, "a.k3v7q2m5.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if in := time.Until(info.NextProcessAt); info.State != asynq.TaskStateScheduled || in < 59*time.Minute || in > time.Hour {
		t.Errorf("the note is %v, for in %v", info.State, in)
	}
}

func TestEnqueueAll_CountsWhatWasNotThereYet(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	for i, step := range []struct{ from, to, added, pending int }{
		{0, 0, 0, 0}, // no notes at all
		{0, 1, 1, 1},
		{0, 1, 0, 1}, // the only one is there
		{0, 3, 2, 3}, // the first one is there
		{2, 500, 497, 500},
		{0, 500, 0, 500},
		{0, 501, 1, 501}, // one more than travel together
		{400, 1777, 1276, 1777},
		{0, 1777, 0, 1777},
	} {
		added, err := queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(step.from, step.to))
		if err != nil || added != step.added {
			t.Errorf("step %d: %d added, want %d; error %v", i, added, step.added, err)
		}
		if n := pending(t, server, tasks.QueueBulk); n != step.pending {
			t.Errorf("step %d: %d tasks are in the queue, want %d", i, n, step.pending)
		}
	}
}

func TestEnqueueAll_WritesWhatEnqueueWrites(t *testing.T) {
	t.Parallel()
	one, many := redistest.Start(t), redistest.Start(t)
	notes := sends(0, 40)
	single := queue.New(one.Client())
	for _, n := range notes {
		if err := single.Enqueue(t.Context(), tasks.QueueBulk, n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := queue.New(many.Client()).EnqueueAll(t.Context(), tasks.QueueBulk, notes); err != nil {
		t.Fatal(err)
	}
	for i := range notes {
		key := "asynq:{handout:bulk}:t:a.k3v7q2m5.0." + strconv.Itoa(i) + ".1"
		want, err := one.Client().HGet(t.Context(), key, "msg").Result()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := many.Client().HGet(t.Context(), key, "msg").Result(); err != nil || got != want {
			t.Errorf("note %d: %q, want %q; error %v", i, got, want, err)
		}
	}
	queues, err := asynq.NewInspectorFromRedisClient(many.Client()).Queues()
	if err != nil || len(queues) != 1 {
		t.Errorf("the queues are %q, error %v", queues, err)
	}
}

func TestEnqueueAll_LoadsItsScriptAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	for i, flush := range []func() error{
		func() error { return nil },
		func() error { return server.Client().ScriptFlush(t.Context()).Err() },
		func() error { server.Restart(); return nil }, // everything is lost
	} {
		if err := flush(); err != nil {
			t.Fatal(err)
		}
		added, err := queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(1000*i, 1000*i+700))
		if err != nil || added != 700 {
			t.Errorf("step %d: %d added, error %v", i, added, err)
		}
	}
}

// Whenever the scripts go, a second call completes the first one.
func TestEnqueueAll_MayBeCalledAgainAfterAnError(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	stop := make(chan struct{})
	var flusher sync.WaitGroup
	flusher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = server.Client().ScriptFlush(t.Context()).Err()
			}
		}
	})
	for range 20 { // some of these fail
		_, _ = queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(0, 1200))
	}
	close(stop)
	flusher.Wait()
	if _, err := queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(0, 1200)); err != nil {
		t.Fatal(err)
	}
	if n := pending(t, server, tasks.QueueBulk); n != 1200 {
		t.Errorf("%d tasks are in the queue, want 1200", n)
	}
}

func TestEnqueueAll_ManyAtOnceAddEachNoteOnce(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queues := []*queue.Queue{queue.New(server.Client()), queue.New(server.Client())}
	var sum atomic.Int64
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			added, err := queues[i%2].EnqueueAll(t.Context(), tasks.QueueBulk, sends(100*i, 100*i+800))
			if err != nil {
				t.Error(err)
			}
			sum.Add(int64(added))
		})
	}
	group.Wait()
	if n := pending(t, server, tasks.QueueBulk); n != 1500 || sum.Load() != 1500 {
		t.Errorf("%d tasks are in the queue and %d were counted, want 1500", n, sum.Load())
	}
}

func TestEnqueue_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if added, err := queue.EnqueueAll(ctx, tasks.QueueBulk, sends(0, 1000)); !errors.Is(err, context.Canceled) || added != 0 {
		t.Errorf("EnqueueAll: %d added, error %v", added, err)
	}
	if err := queue.Enqueue(ctx, tasks.QueueBulk, sends(0, 1)[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("Enqueue: error %v", err)
	}
	if n := pending(t, server, tasks.QueueBulk); n != 0 {
		t.Errorf("%d tasks are in the queue", n)
	}
	// And the queue is as good as before.
	if added, err := queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(0, 1000)); err != nil || added != 1000 {
		t.Errorf("afterwards: %d added, error %v", added, err)
	}
}

func TestEnqueue_SaysWhenRedisIsGone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	queue := queue.New(server.Client())
	if _, err := queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(0, 600)); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if added, err := queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(600, 1800)); err == nil || added != 0 {
		t.Errorf("EnqueueAll: %d added, error %v", added, err)
	}
	if err := queue.Enqueue(t.Context(), tasks.QueueBulk, sends(0, 1)[0]); err == nil {
		t.Error("Enqueue: no error")
	}
}
