package search_test

import (
	"slices"
	"testing/synctest"
	"time"

	"github.com/hibiken/asynq"
)

func (w *world) time() {
	d := draw(w, time.Second, 3*time.Second, 10*time.Second, 35*time.Second)
	w.say("%s pass", d)
	w.pass(d)
}

// night lets everything stop, hours pass, and as much begin again.
func (w *world) night() {
	d := draw(w, 30*time.Minute, 11*time.Hour, 25*time.Hour)
	w.say("everything stops, and %s pass", d)
	w.rest(d)
}

func (w *world) flush() {
	keys, err := w.rdb.Keys(w.ctx, "asynq:*").Result()
	w.must(err)
	if len(keys) == 0 {
		w.skip()
	}
	w.must(w.rdb.Del(w.ctx, keys...).Err())
	clear(w.ours)
	w.say("the queue is flushed")
}

func (w *world) archive() {
	queues, err := w.queues.Queues()
	w.must(err)
	n := 0
	for _, q := range queues {
		for _, f := range []func(string) (int, error){w.queues.ArchiveAllPendingTasks, w.queues.ArchiveAllScheduledTasks, w.queues.ArchiveAllRetryTasks} {
			m, err := f(q)
			w.must(err)
			n += m
		}
	}
	if n == 0 {
		w.skip()
	}
	clear(w.ours)
	w.say("a person archives %d tasks", n)
}

// again has the queue run a task again that it has had before.
func (w *world) again() {
	if len(w.old) == 0 {
		w.skip()
	}
	i := w.pick(len(w.old))
	o := w.old[i]
	_, err := w.tasks.Enqueue(asynq.NewTask(o.kind, o.payload), asynq.Queue(o.queue))
	w.must(err)
	w.say("the queue runs %s %s again", o.kind, o.payload)
}

func (w *world) foreignTask() {
	queues, err := w.queues.Queues()
	w.must(err)
	if len(queues) == 0 {
		w.skip()
	}
	slices.Sort(queues)
	q := draw(w, "bulk", "urgent", "polls")
	i, err := w.tasks.Enqueue(asynq.NewTask("email:welcome", []byte("{}")), asynq.Queue(q), asynq.MaxRetry(0))
	w.must(err)
	// asynq's client names a queue once, and a restore may take that away.
	w.must(w.rdb.SAdd(w.ctx, "asynq:queues", q).Err())
	w.ours[q+"/"+i.ID] = true
	w.say("another application puts a task into its queue %q", q)
}

func (w *world) another() {
	if len(w.working()) >= 2 {
		w.skip()
	}
	w.say("another worker starts")
	w.work()
}

func (w *world) stop() {
	running := w.working()
	if len(running) == 0 {
		w.skip()
	}
	c := draw(w, running...)
	w.say("%s is asked to stop", c.name)
	c.stop()
}

// kill has a worker killed at one of its next writes to Redis, or now.
func (w *world) kill() {
	running := w.working()
	if len(running) == 0 {
		w.skip()
	}
	c := draw(w, running...)
	c.process.done = draw(w, "done", "not done") == "done"
	n := w.pick(26)
	w.say("%s will be killed in %d writes", c.name, n)
	c.process.doom.Store(int64(n))
}

func (w *world) restart() {
	w.must(w.rdb.ScriptFlush(w.ctx).Err())
	w.wire.cut()
	w.say("Redis is restarted")
}

func (w *world) freeze() {
	d := draw(w, 500*time.Millisecond, 2*time.Second, 8*time.Second)
	w.say("Redis stands still for %s", d)
	w.wire.freeze()
	time.Sleep(d)
	synctest.Wait()
	w.must(w.wire.thaw())
}

func (w *world) save() {
	w.saved = w.snapshot()
	w.say("a snapshot of Redis is taken")
}

func (w *world) back() {
	if !w.restored.IsZero() {
		w.skip() // once in a walk is rare enough
	}
	w.say("Redis is restored to its state of %s before", time.Since(w.saved.at).Round(time.Millisecond))
	w.restore(w.saved)
}

func (w *world) losePace() {
	keys, err := w.rdb.Keys(w.ctx, "*pace*").Result()
	w.must(err)
	if len(keys) == 0 {
		w.skip()
	}
	w.must(w.rdb.Del(w.ctx, keys...).Err())
	w.say("%d keys of limiters get lost", len(keys))
}
