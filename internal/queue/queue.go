package queue

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
)

// Queue puts tasks into asynq. It is safe for concurrent use.
type Queue struct {
	rdb     redis.UniversalClient
	client  *asynq.Client
	lookers sync.Map // *Looker by the queue's name

	mu      sync.Mutex // one batch at a time
	capture *capture
	batch   *asynq.Client
}

// New writes into rdb, which stays the caller's to close.
func New(rdb redis.UniversalClient) *Queue {
	c := &capture{UniversalClient: rdb}
	return &Queue{rdb: rdb, client: asynq.NewClientFromRedisClient(rdb), capture: c, batch: asynq.NewClientFromRedisClient(c)}
}

// Name returns what asynq calls a queue: the installation's prefix stands before it, so
// that another application on the same Redis, or another installation, meets none of
// our tasks, and our servers none of theirs.
func (q *Queue) Name(queue string) string { return Name(q.rdb, queue) }

// Name is [Queue.Name] for who has no Queue.
func Name(rdb redis.UniversalClient, queue string) string { return redisx.Prefix(rdb) + ":" + queue }

// Enqueue puts one task into a queue. An ID that is taken counts as success:
// the task is there, or its reply was lost and it is there after all.
func (q *Queue) Enqueue(ctx context.Context, queue string, t *asynq.Task, opts ...asynq.Option) error {
	info, err := q.client.EnqueueContext(ctx, t, append(opts, asynq.Queue(q.Name(queue)))...)
	switch {
	case err == nil && info.State == asynq.TaskStatePending:
		q.LookAgain(queue)
	case err != nil && !errors.Is(err, asynq.ErrTaskIDConflict):
		return fmt.Errorf("enqueue %s: %w", t.Type(), err)
	}
	return nil
}

// Waiting returns how many tasks stand in a queue and aren't at work yet.
func (q *Queue) Waiting(ctx context.Context, queue string) (int, error) {
	n, err := q.rdb.LLen(ctx, q.key(queue, "pending")).Result()
	if err != nil {
		return 0, fmt.Errorf("count the tasks of queue %s: %w", queue, err)
	}
	return int(n), nil
}

// key is asynq's of a part of a queue.
func (q *Queue) key(queue, part string) string { return "asynq:{" + q.Name(queue) + "}:" + part }

// mostInBatch is how many tasks travel in one pipeline.
const mostInBatch = 500

// EnqueueAll puts many tasks into a queue in few round trips; it returns how
// many of them weren't there yet. After an error some may be there and others
// not; calling it again does no harm.
func (q *Queue) EnqueueAll(ctx context.Context, queue string, tasks []*asynq.Task) (added int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(tasks) > 0 {
		n := min(len(tasks), mostInBatch)
		a, err := q.enqueueBatch(ctx, queue, tasks[:n])
		added += a
		if err != nil {
			return added, fmt.Errorf("enqueue %d tasks: %w", n, err)
		}
		tasks = tasks[n:]
	}
	return added, nil
}

// enqueueBatch has asynq make its messages while capture collects what it would
// have sent, and sends it in one pipeline.
func (q *Queue) enqueueBatch(ctx context.Context, queue string, tasks []*asynq.Task) (int, error) {
	// A pipeline has no fall-back for a script that Redis doesn't know yet: the
	// first task goes alone, and loads it.
	name := asynq.Queue(q.Name(queue))
	alone, err := q.client.EnqueueContext(ctx, tasks[0], name)
	added := 0
	if alone != nil {
		added++
	}
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return 0, err
	}
	q.capture.pipe = q.rdb.Pipeline()
	q.capture.answers = q.capture.answers[:0]
	for _, t := range tasks[1:] {
		if _, err := q.batch.EnqueueContext(ctx, t, name); err != nil {
			return added, err
		}
	}
	if len(q.capture.answers) > 0 {
		if _, err := q.capture.pipe.Exec(ctx); err != nil {
			return added, err
		}
	}
	q.LookAgain(queue)
	for _, a := range q.capture.answers {
		n, err := a.Int64()
		if err != nil {
			return added, err
		}
		added += int(n)
	}
	return added, nil
}

var (
	//go:embed lua/free.lua
	freeSource string
	freeScript = redis.NewScript(freeSource)
)

// Free deletes those of the tasks with these IDs that asynq will never run:
// someone has archived them, the worker that had them is lost, or parts of them
// were deleted. Until then their IDs are taken and no new task can be written. It
// returns how many there were; a task that waits or is at work stays.
func (q *Queue) Free(ctx context.Context, queue string, ids []string, now time.Time) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	keys := make([]string, 0, 6+len(ids))
	for _, name := range []string{"pending", "active", "lease", "scheduled", "retry", "archived"} {
		keys = append(keys, q.key(queue, name))
	}
	args := make([]any, 1, 1+len(ids))
	args[0] = now.Unix()
	for _, id := range ids {
		keys = append(keys, q.key(queue, "t:"+id))
		args = append(args, id)
	}
	freed, err := freeScript.Run(ctx, q.rdb, keys, args...).Int()
	if err != nil {
		return 0, fmt.Errorf("free the IDs of %d tasks: %w", len(ids), err)
	}
	return freed, nil
}

// capture is a Redis client whose EVALSHA goes into a pipeline. asynq enqueues
// a task by one script, which answers 1, or 0 when the ID is taken.
type capture struct {
	redis.UniversalClient
	pipe    redis.Pipeliner
	answers []*redis.Cmd
}

// EvalSha collects a call and answers for Redis that it went well.
func (c *capture) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	c.answers = append(c.answers, c.pipe.EvalSha(ctx, sha, keys, args...))
	cmd := redis.NewCmd(ctx)
	cmd.SetVal(int64(1))
	return cmd
}
