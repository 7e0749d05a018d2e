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
	"github.com/handout-dev/handout/internal/installation"
)

// A Redis that comes back with an older state, as from a snapshot, would have
// everyone sent to again who was sent to since. So each worker leaves a heartbeat
// in Redis whenever it sweeps, and checks first that the one before is still
// there. It checks as well between a claim and its request when there has been
// a new connection since: without one, Redis is the one that it was. A worker that
// has left none knows it of a copy that handout backup has marked.

const (
	// maxRollback is how much a Redis may lose before all is held: what appendfsync
	// everysec and a replica that takes over lose is less.
	maxRollback = 10 * time.Second
	// heartbeatLife is how long a worker's heartbeat outlives it.
	heartbeatLife = time.Hour
	// restoreTime is how often a worker asks without a new connection whether Redis
	// was put back: a person may have noted it, and a backup that was killed leaves
	// its mark.
	restoreTime = time.Minute
)

// rollbackDetector notices when Redis has been rolled back to an older state.
type rollbackDetector struct {
	dials     atomic.Int64 // connections made to Redis
	checked   atomic.Int64 // of these, at the latest check
	rollbacks atomic.Int64 // how often Redis was found to be rolled back

	mu          sync.Mutex
	first, last time.Time // heartbeats that this worker has left, by Redis's clock
	asked       time.Time // when it last read whether Redis was put back
}

// errRolledBack keeps a request from being made.
var errRolledBack = errors.New("an older state of Redis was restored")

// watch counts connections, of a cluster those to each node: one that takes over is
// connected to anew.
func (d *rollbackDetector) watch(ctx context.Context, rdb redis.UniversalClient) error {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		rdb.AddHook(dialHook{d})
		return nil
	}
	count := func(node *redis.Client) { node.AddHook(dialHook{d}) }
	cluster.OnNewNode(count)
	// A node that has become known just now counts twice, which does no harm.
	err := cluster.ForEachShard(ctx, func(_ context.Context, node *redis.Client) error {
		count(node)
		return nil
	})
	if err != nil {
		return fmt.Errorf("watch the cluster's nodes: %w", err)
	}
	return nil
}

type dialHook struct{ d *rollbackDetector }

func (h dialHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		h.d.dials.Add(1)
		return next(ctx, network, addr)
	}
}
func (dialHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (dialHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// mark is what was known of Redis before a claim.
type mark struct{ dials, rollbacks int64 }

func (d *rollbackDetector) mark() mark { return mark{d.dials.Load(), d.rollbacks.Load()} }

// verifyClaim returns errRolledBack if Redis has been rolled back since the mark, or
// has forgotten the claim: what a replica that takes over, or appendfsync everysec,
// loses is too little for the heartbeat to tell.
func (w *Worker) verifyClaim(c *claim, before mark) error {
	if err := w.verify(c.ctx, before.rollbacks); err != nil || w.rollback.dials.Load() == before.dials {
		return err
	}
	now, err := w.ledger.ReadRecord(c.ctx, c.subject.Info, c.place)
	if err == nil && now.Record.Claim != c.seen.Record.Claim {
		err = errRolledBack
	}
	return err
}

// verify returns errRolledBack if Redis has been rolled back since it had been
// so often, or Redis's own error.
func (w *Worker) verify(ctx context.Context, rollbacks int64) error {
	if w.rollback.checked.Load() != w.rollback.dials.Load() {
		if err := w.heartbeat(ctx); err != nil {
			return err
		}
	}
	if w.rollback.rollbacks.Load() != rollbacks {
		return errRolledBack
	}
	return nil
}

// heartbeat checks the heartbeat that this worker has left in Redis, holds every
// campaign if it is missing or too old, and then leaves another one. A worker
// that dies in between leaves the rollback to be found by the others.
func (w *Worker) heartbeat(ctx context.Context) error {
	d := &w.rollback
	d.mu.Lock()
	defer d.mu.Unlock()
	dials, now := d.dials.Load(), w.clock.Now().Truncate(time.Millisecond)
	found, err := w.ledger.Heartbeat(ctx, w.name)
	if err != nil {
		return err
	}
	restore := d.restore(found, now)
	if restore == nil && (dials != d.checked.Load() || now.Sub(d.asked) >= restoreTime) {
		if restore, err = installation.ReadRestore(ctx, w.rdb); err != nil {
			return err
		}
		d.asked = now
	}
	if restore != nil && !restore.Held {
		if err := w.holdAll(ctx, restore); err != nil {
			return err
		}
		// Only now: a claim of before, made in the older state, isn't sent.
		d.rollbacks.Add(1)
	}
	if err := w.ledger.LeaveHeartbeat(ctx, w.name, now, heartbeatLife); err != nil {
		return err
	}
	if d.last = now; d.first.IsZero() {
		d.first = now
	}
	d.checked.Store(dials)
	return nil
}

// restore is the one that the heartbeat found in Redis (the zero time: none) tells of;
// nil: none.
func (d *rollbackDetector) restore(found, now time.Time) *installation.Restore {
	switch {
	case d.last.IsZero():
		return nil // this worker has left none yet
	case found.IsZero():
		if now.Sub(d.last) < heartbeatLife && d.last.Sub(d.first) > maxRollback {
			return &installation.Restore{From: d.first, Before: true, Noticed: now}
		}
	case d.last.Sub(found) > maxRollback:
		return &installation.Restore{From: found, Noticed: now}
	}
	return nil
}

// holdAll holds every campaign that might send. The note comes before, so that what is
// submitted meanwhile is held, too, and is completed afterwards: if the worker dies in
// between, the next one holds them again.
func (w *Worker) holdAll(ctx context.Context, r *installation.Restore) error {
	w.metrics.restored.Inc()
	if err := installation.NoteRestore(ctx, w.rdb, r); err != nil {
		return err
	}
	ids, err := w.ledger.Active(ctx)
	if err != nil {
		return err
	}
	reason := campaign.RestoredReason(r.From, r.Before)
	w.log.Error("all campaigns are held", "error", reason, "campaigns", len(ids))
	var errs []error
	for _, id := range ids {
		errs = append(errs, ignoreNotFound(w.ledger.HoldRestored(ctx, id, reason, w.clock.Now())))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.Held = true
	return installation.NoteRestore(ctx, w.rdb, r)
}

// unsent gives back a claim whose request wasn't made, since Redis was rolled
// back or can't be asked.
func (w *Worker) unsent(c *claim, err error) error {
	w.log.WarnContext(c.ctx, "not sent", "campaign", c.subject.ID, "recipient", c.place.String(), "error", err)
	event := campaign.Event{At: w.clock.Now(), Attempt: c.seen.Record.Attempt}
	return w.putOff(c, event, campaign.ReasonNotWritten)
}
