package queue_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/redistest"
)

// looking is a server that looks at the bulk's queue by a looker.
type looking struct {
	redis *redistest.Server
	queue *queue.Queue
	taken chan string // IDs
}

func look(t *testing.T, looks queue.Looks) *looking {
	t.Helper()
	return lookOn(t, redistest.Start(t), looks)
}

func lookOn(t *testing.T, server *redistest.Server, looks queue.Looks) *looking {
	t.Helper()
	l := &looking{redis: server, taken: make(chan string, 1000)}
	l.queue = queue.New(l.redis.Client())
	tasksOf := asynq.NewServerFromRedisClient(l.queue.Looker(tasks.QueueBulk, looks), asynq.Config{
		Concurrency: 10, Queues: map[string]int{l.queue.Name(tasks.QueueBulk): 1}, TaskCheckInterval: queue.LookInterval,
		Logger: queue.Logger{Log: slog.New(slog.DiscardHandler)},
	})
	if err := tasksOf.Start(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		l.taken <- id
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tasksOf.Shutdown)
	return l
}

// looks is how often the queue was looked at.
func (l *looking) looks() int { return int(l.redis.CommandStats()["rpoplpush"]) }

// await waits for so many tasks, and returns how long that took.
func (l *looking) await(t *testing.T, n int) time.Duration {
	t.Helper()
	start := time.Now()
	for range n {
		select {
		case <-l.taken:
		case <-time.After(30 * time.Second):
			t.Fatal("a task isn't taken")
		}
	}
	return time.Since(start)
}

func TestLooker_LooksAtOnceWhenTasksWereEnqueued(t *testing.T) {
	t.Parallel()
	l := look(t, queue.Looks{Shortest: time.Hour, Longest: time.Hour})
	for i := range 5 {
		if err := l.queue.Enqueue(t.Context(), tasks.QueueBulk, sends(i, i+1)[0]); err != nil {
			t.Fatal(err)
		}
		l.await(t, 1)
	}
	if _, err := l.queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(5, 105)); err != nil {
		t.Fatal(err)
	}
	l.await(t, 100)
}

func TestLooker_FindsTheTasksOfOthers(t *testing.T) {
	t.Parallel()
	l := look(t, queue.Looks{Shortest: time.Millisecond, Longest: 50 * time.Millisecond})
	others := queue.New(l.redis.Client())
	for i := range 3 {
		if err := others.Enqueue(t.Context(), tasks.QueueBulk, sends(i, i+1)[0]); err != nil {
			t.Fatal(err)
		}
		l.await(t, 1)
	}
}

func TestLooker_LooksRarelyAtAnEmptyQueue(t *testing.T) {
	t.Parallel()
	const long = 2 * time.Second
	l := look(t, queue.Looks{Shortest: 2 * time.Millisecond, Longest: 200 * time.Millisecond})
	time.Sleep(long) // what it does meanwhile is counted
	// 2, 4, ... 128 ms, and then five a second.
	if n := l.looks(); n < 5 || n > 8+10 {
		t.Errorf("looked %d times in %v", n, long)
	}
}

func TestLooker_LeavesTasksInTheQueueWhileTheServerHasNoRoom(t *testing.T) {
	t.Parallel()
	var open atomic.Bool
	l := look(t, queue.Looks{Shortest: time.Millisecond, Longest: 10 * time.Millisecond, Open: open.Load})
	if _, err := l.queue.EnqueueAll(t.Context(), tasks.QueueBulk, sends(0, 3)); err != nil {
		t.Fatal(err)
	}
	select {
	case id := <-l.taken:
		t.Fatalf("%s is taken", id)
	case <-time.After(200 * time.Millisecond): // twenty times as long as it waits at most
	}
	if n := l.looks(); n != 0 {
		t.Errorf("looked %d times", n)
	}
	open.Store(true)
	l.queue.LookAgain(tasks.QueueBulk)
	l.await(t, 3)
}

func TestLooker_TakesNoTaskWhenStopping(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	l := look(t, queue.Looks{Shortest: time.Millisecond, Longest: 10 * time.Millisecond, Stopping: stopping})
	if err := l.queue.Enqueue(t.Context(), tasks.QueueBulk, sends(0, 1)[0]); err != nil {
		t.Fatal(err)
	}
	l.await(t, 1)
	close(stopping)
	time.Sleep(50 * time.Millisecond) // a look under way ends
	looked := l.looks()
	if err := l.queue.Enqueue(t.Context(), tasks.QueueBulk, sends(1, 2)[0]); err != nil {
		t.Fatal(err)
	}
	select {
	case id := <-l.taken:
		t.Errorf("%s is taken", id)
	case <-time.After(100 * time.Millisecond):
	}
	if n := l.looks(); n != looked || pending(t, l.redis, tasks.QueueBulk) != 1 {
		t.Errorf("looked %d times after the stop", n-looked)
	}
}

// A user of Redis who may not take tasks is refused some ten times a second, not as often
// as the network allows.
func TestLooker_WaitsAfterRedisHasDeniedALook(t *testing.T) {
	t.Parallel()
	for name, rights := range map[string][]any{
		"no rights on the queue":         {"resetkeys", "~handout:*"},
		"no right to load a script":      {"-eval"},
		"no right to what a script runs": {"-rpoplpush"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			if err := server.Client().Do(t.Context(), append([]any{"acl", "setuser", "default"}, rights...)...).Err(); err != nil {
				t.Fatal(err)
			}
			lookOn(t, server, queue.Looks{Shortest: time.Millisecond, Longest: time.Millisecond})
			server.CallsFewScripts()
		})
	}
}
