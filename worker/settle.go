package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

const (
	// duePages is how many pages one call reads.
	duePages = 50
	// visitTime is how long a visit has its page for itself.
	visitTime = time.Minute
	// claimMargin is how long after the request's time-out a claim is stale: its
	// worker has died, or can't reach Redis.
	claimMargin = 15*time.Second + recordPatience
	// stoppedLook is when to look again at a recipient of a campaign that is paused
	// or held; a resume calls the page at once.
	stoppedLook = 5 * time.Minute
)

// settle looks at pages that are due: stale claims, tasks that got lost,
// receipts that didn't come. At the end it moves the campaign on.
func (w *Worker) settle(ctx context.Context, t *asynq.Task) error {
	payload, err := tasks.ParseForCampaign(t.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	return w.leased(ctx, payload.Campaign, "settle", leaseTime, func(s *subject, keep func() error) error {
		// Reopen first if a resend has put a recipient back to retrying.
		if err := w.conclude(ctx, s); err != nil {
			return err
		}
		for {
			due, err := w.ledger.Due(ctx, s.ID, w.clock.Now(), duePages)
			if err != nil {
				return err
			}
			for _, d := range due {
				if err := w.visit(ctx, s, d, keep); err != nil {
					return err
				}
			}
			if len(due) < duePages {
				return w.conclude(ctx, s)
			}
		}
	})
}

// visit looks at one page and puts it off to when it must be looked at next.
func (w *Worker) visit(ctx context.Context, s *subject, d ledger.DuePage, keep func() error) error {
	if err := keep(); err != nil {
		return err
	}
	// Taken for a while: a call for the page from here on isn't lost, since the
	// last SetDue below does nothing then.
	taken := ledger.DuePage{Page: d.Page, At: w.clock.Now().Add(visitTime).Truncate(time.Millisecond)}
	ok, err := w.ledger.SetDue(ctx, s.ID, d, taken.At)
	if err != nil || !ok {
		return err
	}
	f, err := w.ledger.Feed(ctx, s.Info)
	if err != nil {
		return err
	}
	records, err := w.ledger.Records(ctx, s.ID, d.Page)
	if err != nil {
		return err
	}
	fed := s.zones.fedIn(d.Page, f.ByZone)
	v := &visitor{w: w, s: s, phase: f.Phase}
	for i := range s.Size(d.Page) {
		p := campaign.Place{Page: d.Page, Index: i}
		if i >= fed && records[i].Record.State == campaign.Planned {
			continue // the feed's
		}
		if err := v.look(ctx, p, records[i]); err != nil {
			return err
		}
	}
	if err := v.enqueue(ctx); err != nil {
		return err
	}
	_, err = w.ledger.SetDue(ctx, s.ID, taken, v.next)
	return err
}

// enqueue writes the tasks that the page needs. Most of them stand in the queue
// and wait their turn; but one that is archived, or belonged to a lost worker,
// blocks its ID until it is freed.
func (v *visitor) enqueue(ctx context.Context) error {
	added, err := v.w.queue.EnqueueAll(ctx, v.sends)
	if err != nil || added == len(v.sends) {
		return err
	}
	freed, err := v.w.queue.Free(ctx, tasks.QueueOf(v.s.Spec.Lane), v.sendIDs, v.w.clock.Now())
	if err != nil || freed == 0 {
		return err
	}
	_, err = v.w.queue.EnqueueAll(ctx, v.sends)
	return err
}

// visitor collects what a page needs.
type visitor struct {
	w     *Worker
	s     *subject
	phase campaign.Phase
	sends []*asynq.Task
	// sendIDs are those of sends.
	sendIDs []string
	next    time.Time // when to look again; zero: never
}

func (v *visitor) again(at time.Time) {
	if v.next.IsZero() || at.Before(v.next) {
		v.next = at
	}
}

// look does for one recipient what is overdue.
func (v *visitor) look(ctx context.Context, p campaign.Place, seen ledger.Seen) error {
	w, r, now := v.w, seen.Record, v.w.clock.Now()
	switch r.State {
	case campaign.Planned, campaign.Retrying:
		return v.unsent(ctx, p, seen)

	case campaign.Claimed:
		stale := r.ClaimedAt.Add(w.sendTimeout + claimMargin)
		if stale.After(now) {
			v.again(stale)
			v.again(now.Add(w.lookAfter())) // it has most likely ended by then, and something else is due
			return nil
		}
		w.log.Warn("in doubt", "campaign", v.s.ID, "recipient", p.String(), "attempt", r.Attempt, "error", "the worker was lost")
		return v.apply(ctx, p, seen, campaign.Event{Kind: campaign.EventOverdue, At: now, DueAt: w.deadline(v.s)})

	case campaign.Accepted:
		if r.DueAt.After(now) {
			v.again(r.DueAt)
			return nil
		}
		return v.overdue(ctx, p, seen)

	case campaign.InDoubt:
		if r.DueAt.IsZero() {
			return nil // a person's
		}
		if r.DueAt.After(now) {
			v.again(r.DueAt)
			return nil
		}
		kind := campaign.EventOverdue
		if v.s.Spec.OnDoubt == campaign.DoubtResend && v.phase != campaign.Ended {
			kind = campaign.EventResend
		}
		return v.apply(ctx, p, seen, campaign.Event{Kind: kind, At: now})
	}
	return nil
}

// wait puts off a recipient whose zone is closed. Not by more than a while: a
// cancel or a resume of the campaign calls the pages that are due within it.
func (v *visitor) wait(until, now time.Time) {
	later := now.Add(stoppedLook)
	if !until.IsZero() && until.Before(later) {
		later = until
	}
	v.again(later)
}

// unsent sees to a recipient who certainly hasn't been sent anything: a new task,
// or none when the campaign has stopped.
func (v *visitor) unsent(ctx context.Context, p campaign.Place, seen ledger.Seen) error {
	now := v.w.clock.Now()
	switch v.phase {
	case campaign.Ended:
		return v.apply(ctx, p, seen, campaign.Event{Kind: campaign.EventCancel, At: now})
	case campaign.Running, campaign.Settling:
		if closed, until := v.s.zones.closed(p.Page, now); closed {
			v.wait(until, now)
			return nil
		}
		if due := seen.Record.DueAt; due.After(now) {
			v.again(due)
			return nil
		}
		// The same ID as before: if the task is still there, nothing happens.
		v.sends = append(v.sends, tasks.NewSend(v.s.Attempt(p, seen.Record.Attempt+1), v.s.Spec.Lane))
		v.sendIDs = append(v.sendIDs, v.s.ExternalID(p, seen.Record.Attempt+1))
		v.again(now.Add(v.w.lookAfter()))
	default:
		v.again(now.Add(stoppedLook))
	}
	return nil
}

// apply changes a record and looks at what it has become.
func (v *visitor) apply(ctx context.Context, p campaign.Place, seen ledger.Seen, e campaign.Event) error {
	after, err := v.w.ledger.Apply(ctx, v.s.Info, p, seen, e)
	var refused *campaign.TransitionError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	if r := after.Record; !r.State.Final() && (r.State != campaign.InDoubt || !r.DueAt.IsZero()) {
		at := r.DueAt
		if at.IsZero() {
			at = v.w.clock.Now().Add(time.Second)
		}
		v.again(at)
	}
	return nil
}

// conclude moves a campaign on: to settling when everyone has been sent to, or
// dropped, and to done when nothing is left that the machine may do.
func (w *Worker) conclude(ctx context.Context, s *subject) error {
	phase, _, cursor, err := w.ledger.Phase(ctx, s.ID)
	if err != nil {
		return err
	}
	b, err := w.ledger.Balance(ctx, s.ID)
	if err != nil {
		return err
	}
	unsent := b.Of(campaign.Planned) + b.Of(campaign.Retrying) + b.Of(campaign.Claimed)
	switch phase {
	case campaign.Running, campaign.Ended:
		if cursor < s.Total || unsent > 0 {
			return nil
		}
		if phase == campaign.Ended && s.Spec.OnDoubt == campaign.DoubtResend && b.Of(campaign.InDoubt) > 0 {
			// Once it settles, nothing tells it from one that ran to its end: it
			// stays canceled until no recipient is left whom that would send to again.
			if next, err := w.ledger.NextDue(ctx, s.ID); err != nil || !next.IsZero() {
				return err
			}
		}
		if err := w.ledger.Settle(ctx, s.ID); err != nil {
			return err
		}
		return w.conclude(ctx, s)
	case campaign.Settling:
		if unsent > 0 {
			return w.ledger.Reopen(ctx, s.ID)
		}
		if b.Of(campaign.Accepted) > 0 {
			return nil
		}
		next, err := w.ledger.NextDue(ctx, s.ID)
		if err != nil {
			return err
		}
		if b.Of(campaign.InDoubt) > 0 && !next.IsZero() {
			return nil // a receipt may still come, and there is a time for it
		}
		return w.ledger.Finish(ctx, s.ID, w.clock.Now())
	case campaign.Done:
		return w.ledger.Retire(ctx, s.ID)
	}
	return nil
}
