package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

// flush deletes everything of asynq's, key by key, as someone would who has
// only heard that the queue may be flushed. It tells how many keys there were.
func (r *rig) flush(ctx context.Context) int {
	n := 0
	var cursor uint64
	for {
		keys, next, err := r.rdb.Scan(ctx, cursor, "asynq:*", 500).Result()
		if err != nil {
			return n // Redis is away; another time
		}
		if len(keys) > 0 {
			deleted, _ := r.rdb.Unlink(ctx, keys...).Result()
			n += int(deleted)
		}
		if cursor = next; cursor == 0 {
			return n
		}
	}
}

// queued lists the IDs of notes to send that wait in the queue.
func (r *rig) queued() []string {
	r.t.Helper()
	ids, err := r.rdb.LRange(r.t.Context(), "asynq:{handout:"+tasks.QueueBulk+"}:pending", 0, -1).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}

func noteKey(id string) string { return "asynq:{handout:" + tasks.QueueBulk + "}:t:" + id }

func TestQueue_FlushedAgainAndAgainIsWrittenAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{recipients: size(400, 5000), rate: size(100, 250), vars: unhurried})
	r.listen()
	r.submit()
	r.work()
	flushes := size(2, 12)
	for i := range flushes {
		r.awaitTaken((i + 1) * r.recipients * 3 / 4 / (flushes + 1))
		if r.flush(t.Context()) == 0 {
			t.Error("the queue was empty already")
		}
		r.kills.Add(1)
	}
	r.awaitDone(finishTime)
	r.judge(50, "queue flushed, all keys of asynq's deleted").require(r, 0)
}

// What the queue's web pages let a person do to single notes: an archived one
// keeps its ID for 90 days, a hash without its note for ever.
func TestQueue_NotesTakenAwayAreWrittenAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{recipients: size(400, 5000), rate: size(100, 250), vars: unhurried})
	inspector := asynq.NewInspectorFromRedisClient(r.rdb)
	r.listen()
	r.submit()
	r.work("HANDOUT_CONCURRENCY=2") // else it takes them all at once: each is for several
	rounds := size(2, 8)
	for i := range rounds {
		r.awaitTaken((i + 1) * r.recipients / 2 / (rounds + 1))
		// Paused, so that the notes stay where they are for the moment.
		if err := inspector.PauseQueue("handout:" + tasks.QueueBulk); err != nil {
			t.Fatal(err)
		}
		ids := r.queued()
		rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		if len(ids) < 4 {
			t.Fatalf("only %d notes are in the queue", len(ids))
		}
		for k, id := range ids[:min(len(ids), 160)] {
			done := true
			switch k % 4 {
			case 0: // one that an earlier round has broken can't be archived or deleted
				done = inspector.ArchiveTask("handout:"+tasks.QueueBulk, id) == nil
			case 1:
				done = inspector.DeleteTask("handout:"+tasks.QueueBulk, id) == nil
			case 2: // its ID stays in the list
				if err := r.rdb.Del(t.Context(), noteKey(id)).Err(); err != nil {
					t.Fatal(err)
				}
			case 3: // out of the list, its hash stays
				if err := r.rdb.LRem(t.Context(), "asynq:{handout:"+tasks.QueueBulk+"}:pending", 0, id).Err(); err != nil {
					t.Fatal(err)
				}
			}
			if done {
				r.kills.Add(1)
			}
		}
		if err := inspector.UnpauseQueue("handout:" + tasks.QueueBulk); err != nil {
			t.Fatal(err)
		}
		// And what is under way is canceled.
		active, err := inspector.ListActiveTasks("handout:" + tasks.QueueBulk)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range active {
			if err := inspector.CancelProcessing(a.ID); err != nil {
				t.Fatal(err)
			}
			r.kills.Add(1)
		}
	}
	// Everything that waits, at once.
	if n, err := inspector.ArchiveAllPendingTasks("handout:" + tasks.QueueBulk); err != nil {
		t.Fatal(err)
	} else {
		r.kills.Add(int64(n))
	}
	r.awaitDone(finishTime)
	r.judge(51, "notes archived, deleted, broken, canceled").require(r, 0)
}

// again puts a note for everyone into the queue under an ID of its own.
func (r *rig) again(ctx context.Context, round string) error {
	client := asynq.NewClientFromRedisClient(r.rdb)
	for i := range r.recipients {
		note := tasks.NewSend(r.info.Attempt(campaign.PlaceOf(i), 1))
		_, err := client.EnqueueContext(ctx, asynq.NewTask(note.Type(), note.Payload(),
			asynq.TaskID(fmt.Sprintf("again.%s.%d", round, i)), asynq.Queue("handout:"+tasks.QueueBulk), asynq.MaxRetry(3)))
		if err != nil {
			return err
		}
	}
	return nil
}

// awaitDrained waits until nothing waits in the queue.
func (r *rig) awaitDrained() {
	r.t.Helper()
	r.await("the end of the queue", finishTime, func() bool { return len(r.queued()) == 0 })
}

func TestQueue_NotesThatRunAgainSendNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{recipients: size(400, 5000), rate: size(150, 250), vars: unhurried})
	// One acknowledgment in three fails: asynq 0.26 runs such a note again,
	// minutes after it was done.
	var healed atomic.Bool
	failing := newRedisProxy(t, r.redis, everyThird(&healed), nil)
	r.listen()
	r.submit()
	r.work("REDIS_URL=" + failing.url)
	r.awaitTaken(r.recipients / 3)
	if err := r.again(t.Context(), "meanwhile"); err != nil { // beside the first run
		t.Fatal(err)
	}
	r.awaitDone(finishTime)
	if err := r.again(t.Context(), "afterwards"); err != nil {
		t.Fatal(err)
	}
	r.awaitDrained()
	if *long { // the real thing: until asynq has run again all that it holds for lost
		healed.Store(true)
		r.await("asynq's second runs", 2*finishTime, func() bool {
			n, err := r.rdb.LLen(t.Context(), "asynq:{handout:"+tasks.QueueBulk+"}:active").Result()
			return err == nil && n == 0
		})
	}
	failed := failing.struck.Load()
	if failed == 0 {
		t.Error("no acknowledgment failed")
	}
	r.kills.Add(failed)
	r.judge(40, "one ack in three fails, every note runs three times").require(r, 0)
}

// everyThird answers every third acknowledgment of a send with an error until
// it is healed.
func everyThird(healed *atomic.Bool) func(command) verdict {
	var mu sync.Mutex
	n := 0
	return func(c command) verdict {
		if !c.acknowledges() || healed.Load() {
			return pass
		}
		mu.Lock()
		defer mu.Unlock()
		if n++; n%3 != 0 {
			return pass
		}
		return refuse
	}
}

func TestQueue_TwoFeedsTwoSettlesAndTwoSubmitsDoNoHarm(t *testing.T) {
	t.Parallel()
	r := newRig(t, setup{recipients: size(400, 5000), rate: size(150, 250), vars: unhurried})
	r.listen()
	var submits sync.WaitGroup
	for range 2 {
		submits.Go(func() {
			if out, err := r.run(append([]string{"submit"}, r.files...)...); err != nil {
				t.Errorf("submit: %v\n%s", err, out)
			}
		})
	}
	submits.Wait()
	r.load()
	r.work()
	r.work()
	// Both workers are called to look again and again, and the lease that would keep
	// one of them out is taken away.
	ctx, cancel := context.WithCancel(t.Context())
	var caller sync.WaitGroup
	caller.Go(func() {
		books := ledger.New(r.rdb)
		for ctx.Err() == nil {
			_ = books.Call(ctx, campaignID)
			_ = r.rdb.Del(ctx, "handout:due:lease").Err()
			pause(time.Millisecond, 20*time.Millisecond)
		}
	})
	r.awaitDone(finishTime)
	cancel()
	caller.Wait()
	r.judge(60, "two submits, two feeds, two settles at once").require(r, 0)
}
