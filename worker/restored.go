package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// A Redis that comes back with an older state, as from a snapshot, would have
// everybody sent to again who was sent to since. So each worker leaves the time
// in Redis whenever it sweeps, and looks whether it finds what it has left:
// before it leaves another one, and between a claim and its request when there
// has been a new connection since the last look, since Redis can't have been
// another one without that.

const (
	// mostForgotten is how much a Redis may forget before all is held: what
	// appendfsync everysec and a replica that takes over lose is less.
	mostForgotten = 10 * time.Second
	// beatLife is how long a worker's beat outlives it.
	beatLife = time.Hour
)

// memory is what a worker knows of Redis's.
type memory struct {
	dials   atomic.Int64 // connections made to Redis
	looked  atomic.Int64 // of these, at the latest look
	forgets atomic.Int64 // how often Redis was found to have forgotten

	mu          sync.Mutex
	first, last time.Time // beats that this worker has left, by Redis's clock
}

// errForgotten keeps a request from being made.
var errForgotten = errors.New("an older state of Redis was restored")

// watch counts connections. A cluster's aren't counted: there the sweep notices.
func (m *memory) watch(rdb redis.UniversalClient) {
	if _, cluster := rdb.(*redis.ClusterClient); !cluster {
		rdb.AddHook(dialHook{m})
	}
}

type dialHook struct{ m *memory }

func (h dialHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		h.m.dials.Add(1)
		return next(ctx, network, addr)
	}
}
func (dialHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (dialHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// remembers makes sure that Redis is what it was when it had forgotten so often:
// errForgotten, or Redis's own error.
func (w *Worker) remembers(ctx context.Context, forgets int64) error {
	if w.memory.looked.Load() != w.memory.dials.Load() {
		if err := w.beat(ctx); err != nil {
			return err
		}
	}
	if w.memory.forgets.Load() != forgets {
		return errForgotten
	}
	return nil
}

// beat looks whether what this worker has left in Redis is still there, holds
// every campaign if it isn't, and leaves the time anew after that: whoever dies
// in between leaves it to be found again.
func (w *Worker) beat(ctx context.Context) error {
	m := &w.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	dials := m.dials.Load()
	key, now := ledger.KeyBeat(w.name), w.clock.Now().Truncate(time.Millisecond)
	ms, err := w.rdb.Get(ctx, key).Int64()
	missing := errors.Is(err, redis.Nil)
	if err != nil && !missing {
		return fmt.Errorf("read the worker's beat: %w", err)
	}
	if reason := m.forgotten(time.UnixMilli(ms), missing, now); reason != "" {
		if err := w.distrust(ctx, reason); err != nil {
			return err
		}
		// Only now: a claim of before, made in the older state, isn't sent.
		m.forgets.Add(1)
	}
	if err := w.rdb.Set(ctx, key, now.UnixMilli(), beatLife).Err(); err != nil {
		return fmt.Errorf("leave the worker's beat: %w", err)
	}
	if m.last = now; m.first.IsZero() {
		m.first = now
	}
	m.looked.Store(dials)
	return nil
}

// forgotten says what Redis has forgotten; nothing is the rule.
func (m *memory) forgotten(found time.Time, missing bool, now time.Time) string {
	switch {
	case m.last.IsZero():
		return "" // this worker has left nothing yet
	case missing && now.Sub(m.last) < beatLife && m.last.Sub(m.first) > mostForgotten:
		return ledger.RestoredReason(m.first, true)
	case !missing && m.last.Sub(found) > mostForgotten:
		return ledger.RestoredReason(found, false)
	}
	return ""
}

// distrust holds every campaign that might send.
func (w *Worker) distrust(ctx context.Context, reason string) error {
	w.metrics.restored.Inc()
	ids, err := w.ledger.Active(ctx)
	if err != nil {
		return err
	}
	w.log.Error("all campaigns are held", "error", reason, "campaigns", len(ids))
	var errs []error
	for _, id := range ids {
		errs = append(errs, ignoreNotFound(w.ledger.HoldRestored(ctx, id, reason, w.clock.Now())))
	}
	return errors.Join(errs...)
}

// unsent gives a claim back whose request wasn't made: Redis isn't what it was,
// or can't say so.
func (w *Worker) unsent(c *claim, err error) error {
	w.log.Warn("not sent", "campaign", c.subject.ID, "recipient", c.place.String(), "error", err)
	event := campaign.Event{At: w.clock.Now(), Attempt: c.seen.Record.Attempt}
	return w.putOff(c, event, campaign.ReasonNotWritten)
}
