package worker

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

const (
	// visitTime is how long a visit has its page for itself.
	visitTime = time.Minute
	// claimMargin is how long after the request's time-out a claim is stale: its
	// worker has died, or can't reach Redis.
	claimMargin = 15*time.Second + recordPatience
)

// visit is a look at one page of a line.
type visit struct {
	*look
	page    int
	records map[int]ledger.Seen
	fed     int // so many of its recipients have been handed to the queue
	writing
	next time.Time                 // when to look at the page again; zero: never
	pass map[ledger.Line]time.Time // when other lines must look at it
}

// writing is tasks to be written, with their IDs.
type writing struct {
	queue string
	tasks []*asynq.Task
	ids   []string
}

func (b *writing) add(t *asynq.Task, id string) {
	b.tasks, b.ids = append(b.tasks, t), append(b.ids, id)
}

func (v *visit) later(at time.Time) {
	if !at.IsZero() && (v.next.IsZero() || at.Before(v.next)) {
		v.next = at
	}
}

// visits looks at the pages of a line that are due, and puts each off to when it must
// be looked at next, until there is no room for more.
func (l *look) visits(ctx context.Context, line ledger.Line, queue string, do func(v *visit) (full bool, err error)) error {
	if at := l.state.Next[line]; at.IsZero() || at.After(l.w.clock.Now()) {
		return nil // what has become due since has the campaign looked at
	}
	due, err := l.w.ledger.Due(ctx, l.id, line, l.w.clock.Now(), duePages)
	if err != nil {
		return err
	}
	l.changed = true
	var errs []error
	for _, d := range due {
		// Taken for a while: a call for the page from here on isn't lost, since the
		// last SetDue below does nothing then.
		taken := ledger.DuePage{Line: line, Page: d.Page, At: l.w.clock.Now().Add(visitTime).Truncate(time.Millisecond)}
		ok, err := l.w.ledger.SetDue(ctx, l.id, d, taken.At)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if !ok {
			continue
		}
		v := &visit{look: l, page: d.Page, writing: writing{queue: queue}, pass: make(map[ledger.Line]time.Time)}
		full, err := v.run(ctx, do)
		if err != nil {
			errs = append(errs, err)                // the others needn't wait for it
			v.next = l.w.clock.Now().Add(errorLook) // at most as often as the campaign is looked at
		} else if full {
			v.next = d.At // it stays the first
		}
		if _, err := l.w.ledger.SetDue(ctx, l.id, taken, v.next); err != nil {
			return errors.Join(append(errs, err)...)
		}
		if full {
			break
		}
	}
	return errors.Join(errs...)
}

func (v *visit) run(ctx context.Context, do func(v *visit) (bool, error)) (full bool, err error) {
	if v.records, err = v.w.ledger.Records(ctx, v.id, v.page); err != nil {
		return false, err
	}
	v.fed = v.s.zones.fedIn(v.page, v.feed.ByZone)
	if full, err = do(v); err != nil {
		return full, err
	}
	for line, at := range v.pass {
		if err := v.w.ledger.Enlist(ctx, v.id, line, at, v.page); err != nil {
			return full, err
		}
		v.again(later(at, v.now.Add(againLook)))
	}
	return full, v.write(ctx, &v.writing)
}

// passOn has another line look at the page no later than at.
func (v *visit) passOn(line ledger.Line, at time.Time) {
	if stands, ok := v.pass[line]; !ok || at.Before(stands) {
		v.pass[line] = at
	}
}

// write writes tasks. Most of them stand in the queue and wait their turn; but one
// that is archived, or belonged to a lost worker, blocks its ID until it is freed.
func (l *look) write(ctx context.Context, b *writing) error {
	added, err := l.w.queue.EnqueueAll(ctx, b.queue, b.tasks)
	if err != nil || added == len(b.tasks) {
		return err
	}
	freed, err := l.w.queue.Free(ctx, b.queue, b.ids, l.w.clock.Now())
	if err != nil || freed == 0 {
		return err
	}
	_, err = l.w.queue.EnqueueAll(ctx, b.queue, b.tasks)
	return err
}

// each calls do for every recipient of the page.
func (v *visit) each(do func(p campaign.Place, seen ledger.Seen) error) error {
	for i := range v.s.Size(v.page) {
		if err := do(campaign.Place{Page: v.page, Index: i}, v.records[i]); err != nil {
			return err
		}
	}
	return nil
}

// rewrite writes tasks for those who are to be tried again, for room of them at most,
// and returns for how many. Those whose tasks stand in the queue are written once
// more when their page is due, in case they were lost.
func (l *look) rewrite(ctx context.Context, room int) (n int, err error) {
	err = l.visits(ctx, ledger.Unsent, queueOf(l.s.Spec), func(v *visit) (full bool, err error) {
		now := l.w.clock.Now()
		closed, until := l.s.zones.closed(v.page, now)
		if closed && l.state.Phase != campaign.Ended {
			if v.later(until); until.IsZero() {
				v.later(now.Add(noWindow))
			}
			return false, nil
		}
		err = v.each(func(p campaign.Place, seen ledger.Seen) error {
			r := seen.Record
			switch {
			case r.State != campaign.Retrying:
				if r.Watched() { // claimed since
					v.passOn(ledger.Watched, now.Add(l.w.lookAfter()))
				}
				return nil
			case l.state.Phase == campaign.Ended:
				return v.apply(ctx, p, seen, campaign.Event{Kind: campaign.EventCancel, At: now})
			case r.DueAt.After(now):
				v.later(r.DueAt)
				return nil
			case l.k.hand[p]:
			case n >= room:
				full = true
				return nil
			default:
				if l.k.hand == nil {
					l.k.hand = make(hand)
				}
				l.k.hand[p] = true
				n++
			}
			v.send(p, r)
			v.later(now.Add(l.w.lookAfter()))
			v.passOn(ledger.Watched, now.Add(l.w.lookAfter())) // once it is claimed
			return nil
		})
		return full, err
	})
	return n, err
}

// send adds the task of another attempt: the same ID as before, so that nothing
// happens if the task is still there.
func (v *visit) send(p campaign.Place, r campaign.Record) {
	v.add(tasks.NewSend(v.s.Attempt(p, r.Attempt+1)), v.s.ExternalID(p, r.Attempt+1))
}

// watch looks at pages for claims that went stale and for tasks that were lost, and
// passes on to the other lines who is to be tried again and whose receipt is overdue.
func (l *look) watch(ctx context.Context) error {
	return l.visits(ctx, ledger.Watched, queueOf(l.s.Spec), func(v *visit) (bool, error) {
		return false, v.each(func(p campaign.Place, seen ledger.Seen) error {
			if p.Index >= v.fed && seen.Record.State == campaign.Planned {
				return nil // yet to be fed
			}
			return v.watch(ctx, p, seen)
		})
	})
}

// watch does for one recipient what is overdue.
func (v *visit) watch(ctx context.Context, p campaign.Place, seen ledger.Seen) error {
	w, r, now := v.w, seen.Record, v.w.clock.Now()
	switch r.State {
	case campaign.Planned:
		return v.lost(ctx, p, seen)

	case campaign.Retrying:
		v.passOn(ledger.Unsent, later(r.DueAt, now))

	case campaign.Claimed:
		stale := r.ClaimedAt.Add(w.sendTimeout + claimMargin)
		if stale.After(now) {
			v.later(stale)
			v.later(now.Add(w.lookAfter())) // it has most likely ended by then, and something else is due
			return nil
		}
		w.log.WarnContext(tracing.Of(ctx, v.s.Info, p, r.Attempt), "in doubt", "campaign", v.id, "recipient", p.String(), "attempt", r.Attempt, "error", "the worker was lost")
		return v.apply(ctx, p, seen, campaign.Event{Kind: campaign.EventOverdue, At: now, DueAt: w.deadline(v.s)})

	case campaign.Accepted:
		if r.DueAt.After(now) {
			v.later(r.DueAt)
			return nil
		}
		v.passOn(ledger.Overdue, now)

	case campaign.InDoubt:
		if r.DueAt.IsZero() {
			return nil // a person's
		}
		if r.DueAt.After(now) {
			v.later(r.DueAt)
			return nil
		}
		kind := campaign.EventOverdue
		if v.s.Spec.OnDoubt == campaign.DoubtResend && v.state.Phase != campaign.Ended {
			kind = campaign.EventResend
		}
		return v.apply(ctx, p, seen, campaign.Event{Kind: kind, At: now})
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lost sees to a recipient who was handed to the queue and has no record: the task is
// written again, or waits for the hours or for the campaign to run.
func (v *visit) lost(ctx context.Context, p campaign.Place, seen ledger.Seen) error {
	now := v.w.clock.Now()
	switch v.state.Phase {
	case campaign.Ended:
		return v.apply(ctx, p, seen, campaign.Event{Kind: campaign.EventCancel, At: now})
	case campaign.Running, campaign.Settling:
		closed, until := v.s.zones.closed(p.Page, now)
		switch {
		case !closed:
			v.send(p, seen.Record)
			v.later(now.Add(v.w.lookAfter()))
		case until.IsZero():
			v.later(now.Add(noWindow))
		default:
			v.later(until)
		}
	default:
		v.later(ledger.Waits())
	}
	return nil
}

// apply changes a record and looks at what it has become.
func (v *visit) apply(ctx context.Context, p campaign.Place, seen ledger.Seen, e campaign.Event) error {
	after, err := v.w.ledger.Apply(ctx, v.s.Info, p, seen, e)
	var refused *campaign.TransitionError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	if after != seen {
		tracing.Changed(ctx, "settle", e.At, v.s.Info, p, seen.Record.State, after.Record)
	}
	if r := after.Record; r.State == campaign.Retrying {
		v.passOn(ledger.Unsent, later(r.DueAt, v.w.clock.Now()))
	} else if r.Watched() {
		at := r.DueAt
		if at.IsZero() {
			at = v.w.clock.Now().Add(time.Second)
		}
		v.later(at)
	}
	return nil
}
