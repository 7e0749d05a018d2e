package queue

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// LookInterval is what a server that looks by [Queue.Looker] has for its
// TaskCheckInterval: it is the looker that waits.
const LookInterval = time.Millisecond

// Looks says how a server looks at an empty queue.
type Looks struct {
	// Shortest is how long it waits at least before it looks again at a queue that has
	// just become empty: less than it took the last time until there was a task.
	// Each later wait is twice as long, up to Longest. Tasks that are put into the
	// queue through the same [Queue] end the wait, which begins again after them.
	Shortest, Longest time.Duration
	// Open, if not nil, reports whether the server may take another task. While it
	// reports false, tasks stay in the queue, for other servers; see [Queue.LookAgain].
	Open func() bool
	// Stopping is closed when no further task is to be taken.
	Stopping <-chan struct{}
}

// Looker is the Redis client of a server of one queue. asynq itself sleeps for a set
// time when its queue is empty, and knows neither that tasks have just been put there
// nor that a handler has no place for another one.
type Looker struct {
	redis.UniversalClient
	looks   Looks
	pending string        // asynq's key of the tasks that wait
	wake    chan struct{} // look again

	// Only the goroutine that takes tasks uses these.
	wait  time.Duration // before the next look; 0: the latest one has found a task
	first time.Duration // when the queue has become empty
	ended time.Duration // the wait that tasks put there through the same Queue have ended; 0: none
}

// Looker returns the Redis client for the server of a queue.
func (q *Queue) Looker(queue string, looks Looks) *Looker {
	l := &Looker{UniversalClient: q.rdb, looks: looks, pending: q.key(queue, "pending"), wake: make(chan struct{}, 1)}
	q.lookers.Store(queue, l)
	return l
}

// again has the looker look at once, if Open allows.
func (l *Looker) again() {
	select {
	case l.wake <- struct{}{}:
	default: // it will
	}
}

// LookAgain has the server of a queue look at once, if it has a [Looker].
func (q *Queue) LookAgain(queue string) {
	if l, ok := q.lookers.Load(queue); ok {
		l.(*Looker).again()
	}
}

// EvalSha waits until it's time to look, if this is the script that takes a task.
func (l *Looker) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if !l.takes(keys) {
		return l.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	if !l.await() {
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(redis.Nil) // as from an empty queue
		return cmd
	}
	cmd := l.UniversalClient.EvalSha(ctx, sha, keys, args...)
	switch err := cmd.Err(); {
	case redis.HasErrorPrefix(err, "NOSCRIPT"): // asynq makes the call again, with the script's text
	case err != nil && !errors.Is(err, redis.Nil): // Redis can't be reached, or takes no commands now
		l.wait = downLook
	case err != nil && l.ended > 0: // there is nothing more than it was woken for
		l.wait, l.ended = l.ended, 0
	case err != nil: // nothing there
		l.wait = min(max(l.looks.Shortest, l.first, 2*l.wait), l.looks.Longest)
	case l.ended > 0:
		l.wait = 0
	case l.wait > 0:
		l.wait, l.first = 0, l.wait/4
	}
	return cmd
}

// Eval is the call with the script's text, after one of EvalSha that Redis didn't know. A
// user who may not make it would be asked to for ever.
func (l *Looker) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	cmd := l.UniversalClient.Eval(ctx, script, keys, args...)
	if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) && l.takes(keys) {
		l.wait = downLook
	}
	return cmd
}

// takes reports whether it's the script that takes a task: no other has these keys.
// Source: asynq v0.26.0, internal/rdb/rdb.go, dequeueCmd.
func (l *Looker) takes(keys []string) bool {
	return len(keys) == 4 && keys[0] == l.pending && strings.HasSuffix(keys[1], ":paused")
}

// await waits until the queue is to be looked at, and reports whether it is now. Else
// asynq has to ask again: it says in its call until when the task is its own.
func (l *Looker) await() bool {
	if l.wait > 0 && l.pause(l.wait) {
		l.ended = l.wait
	}
	if !l.open() {
		l.pause(l.looks.Longest)
	}
	select {
	case <-l.wake: // the look that follows sees what was put there until now
	default:
	}
	select {
	case <-l.looks.Stopping:
		time.Sleep(stoppingLook)
		return false
	default:
		return l.open()
	}
}

// pause waits for d, or until there is a reason to look, and reports whether there is.
func (l *Looker) pause(d time.Duration) (woken bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.wake:
		return true
	case <-l.looks.Stopping:
	}
	return false
}

func (l *Looker) open() bool { return l.looks.Open == nil || l.looks.Open() }

// downLook is how long a server waits after a look that failed.
const downLook = 100 * time.Millisecond

// stoppingLook is how often a server that stops asks, which costs Redis nothing.
const stoppingLook = 20 * time.Millisecond
