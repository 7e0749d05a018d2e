package worker

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
)

// send handles the task of one recipient, or of a few side by side.
func (w *Worker) send(ctx context.Context, a *account, t *asynq.Task) error {
	payload, err := tasks.ParseSend(t.Payload())
	if err != nil {
		return tasks.Unread(err)
	}
	if ours, err := w.ours(ctx, a, payload); !ours {
		return err
	}
	queue, _ := asynq.GetQueueName(ctx)
	urgent := queue == w.queue.Name(tasks.OfAccount(tasks.QueueUrgent, a.name))
	ctx, cancel := w.untilStop(tracing.FromTask(ctx, t.Headers()))
	defer cancel()
	suppressed, err := w.dropSuppressed(ctx, payload)
	if err != nil {
		return w.outcome([]error{err})
	}
	errs := make([]error, payload.Count)
	var sends sync.WaitGroup
	if !urgent {
		a.flights.begin()
	}
	for i := range payload.Count {
		if suppressed[i] {
			continue
		}
		land, err := a.flights.take(ctx, urgent)
		if err != nil {
			errs[i] = err
			break
		}
		sends.Go(func() {
			defer land()
			errs[i] = w.sendTo(ctx, a, payload.Campaign, campaign.Place{Page: payload.Page, Index: payload.Index + i}, urgent)
			if errors.Is(errs[i], campaign.ErrNotRunning) {
				cancel() // the others needn't ask
			}
		})
	}
	if !urgent {
		a.flights.end()
	}
	sends.Wait()
	return w.outcome(errs)
}

// ours reports whether an account's task is of the campaign that stands. After a restore
// of Redis another one may have its name.
func (w *Worker) ours(ctx context.Context, a *account, payload tasks.Send) (bool, error) {
	for range 2 {
		s, err := w.cache.subject(ctx, payload.Campaign)
		if errors.Is(err, ledger.ErrNotFound) {
			return false, nil
		}
		if err != nil || s.Salt == payload.Salt {
			return err == nil && s.account == a, err
		}
		w.cache.forget(s)
	}
	return false, nil
}

// outcome is what the handler returns for a task: nil when all is recorded.
func (w *Worker) outcome(errs []error) error {
	var failed []error
	stopped := false
	for _, err := range errs {
		switch {
		case errors.Is(err, campaign.ErrNotRunning), errors.Is(err, campaign.ErrReplaced):
			stopped = true
		case err != nil:
			failed = append(failed, err)
		}
	}
	switch {
	case stopped:
		return nil // the resume writes new tasks, and for a campaign that is gone there are none
	case len(failed) > 0 && w.stopping.Err() != nil:
		return errStopping
	}
	return errors.Join(failed...)
}

// errStopping gives a task back to the queue: another worker goes on with it.
var errStopping = errors.New("the worker stops")

// untilStop is a context for waiting: it ends when the worker is to stop.
func (w *Worker) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(w.stopping, cancel)
	return ctx, func() { unhook(); cancel() }
}

// sendTo sends to one recipient: pace, claim, send, record.
func (w *Worker) sendTo(ctx context.Context, a *account, id campaign.ID, to campaign.Place, urgent bool) error {
	for {
		if w.closed(ctx, id, to.Page) {
			return nil // settle writes a task when their window opens
		}
		span := tracing.Begin(ctx)
		slot, own, err := w.slot(ctx, a, id, urgent)
		if errors.Is(err, errCrowded) { // settle writes another task
			return w.ledger.CallDue(ctx, id, ledger.Watched, w.clock.Now().Add(crowdLook), to.Page)
		}
		if err != nil {
			return err // nothing is claimed, nothing to undo
		}
		span.Step("slot")
		before := w.rollback.mark()
		claim, err := w.claim(ctx, id, to)
		if claim == nil || err != nil {
			a.pace.Unused(slot)
			return err // a ledger that can't answer never means "go ahead"
		}
		span.Step("claim")
		claim.ctx = span.Claimed(claim.ctx, claim.subject.Info, to, claim.seen.Record.Attempt)
		again, err := w.sendClaimed(ctx, claim, slot, own, before, urgent, span)
		if span.End(claim.seen.Record); !again {
			return err
		}
	}
}

// sendClaimed makes the claim's request once it may leave, and records its outcome;
// again means: at once, at the next slot.
func (w *Worker) sendClaimed(ctx context.Context, c *claim, slot, own pacing.Slot, before mark, urgent bool, span *tracing.Attempt) (again bool, err error) {
	if c.slot, err = w.awaitSlot(ctx, c, slot, own, before, urgent); err != nil {
		return false, errors.Join(w.unsent(c, err), ctx.Err())
	}
	span.Step("wait")
	accepted, err := c.subject.account.telesign.Send(c.ctx, c.message)
	span.Step("post")
	if err == nil {
		return false, w.accepted(c, accepted)
	}
	return w.judge(c, err)
}

// awaitSlot waits until the claim's request may leave: for its slot, or another one
// where the claim took longer, so that what was held up together doesn't leave
// together; nor faster than its campaign's own rate. A worker that stops meanwhile
// waits for no other slot, nor does a claim that would be taken for stale: what is in
// doubt may be sent again by then.
func (w *Worker) awaitSlot(ctx context.Context, c *claim, slot, own pacing.Slot, before mark, urgent bool) (pacing.Slot, error) {
	ctx, cancel := context.WithDeadline(ctx, c.at.Add(claimWait))
	defer cancel()
	a := c.subject.account
	for {
		var err error
		if slot, err = a.pace.Await(ctx, slot, c.subject.ID, urgent); err != nil {
			return slot, err
		}
		if slot.LaterThan(own, ownLate) {
			if own, err = a.rates.again(ctx, c.subject.Info, own); err != nil {
				a.pace.Unused(slot)
				return slot, err
			}
		}
		if err := w.verifyClaim(c, before); err != nil {
			a.pace.Unused(slot)
			return slot, err
		}
		if slot.Now() { // the check may have had to ask Redis
			return slot, nil
		}
	}
}

// slot waits for the campaign's turn, and then until the account has a slot soon.
func (w *Worker) slot(ctx context.Context, a *account, id campaign.ID, urgent bool) (slot, own pacing.Slot, err error) {
	s, err := w.cache.subject(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		slot, err = a.pace.Take(ctx, id, urgent)
		return slot, own, err
	case err != nil:
		return slot, own, err
	}
	return a.rates.slot(ctx, s.Info, urgent)
}

// claim is a recipient whom this worker alone may send to now.
type claim struct {
	// ctx outlives a shutdown: what was begun is sent and recorded.
	ctx     context.Context
	subject *subject
	place   campaign.Place
	seen    ledger.Seen
	message telesign.Message
	slot    pacing.Slot // of the request
	at      time.Time   // local, for the duration
}

// claim takes the recipient, or returns nil when there is nothing to send:
// another worker has them, the campaign has stopped, their window has closed, or
// the number is suppressed.
func (w *Worker) claim(ctx context.Context, id campaign.ID, to campaign.Place) (*claim, error) {
	s, err := w.cache.subject(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil // purged: the list is gone
	}
	if err != nil {
		return nil, err
	}
	r, err := w.cache.recipient(ctx, s, to)
	if err != nil {
		return nil, err
	}
	if closed, _ := s.zones.closed(to.Page, w.clock.Now()); closed {
		return nil, nil
	}
	c := &claim{ctx: context.WithoutCancel(ctx), subject: s, place: to}
	if suppressed, err := w.suppressed(c, r); suppressed || err != nil {
		return nil, err
	}
	err = w.record(c, campaign.Event{Kind: campaign.EventClaim, At: w.clock.Now(), Claim: rand.Uint64() | 1})
	var refused *campaign.TransitionError
	switch {
	case errors.As(err, &refused):
		return nil, nil
	case errors.Is(err, campaign.ErrNotRunning):
		return nil, w.stopped(ctx, s, to)
	case errors.Is(err, ledger.ErrNotReplicated):
		// If the process dies here, a claim stands that wasn't sent: it ends in doubt.
		w.metrics.unreplicated.Inc()
		return nil, w.unsent(c, err)
	case err != nil:
		return nil, err
	}
	externalID := s.ExternalID(to, c.seen.Record.Attempt)
	if c.message, err = translate.Compose(s.cascade, r, externalID, s.account.callbackURL); err != nil {
		return nil, w.unsendable(c, err)
	}
	c.message.SenderID = cmp.Or(c.message.SenderID, s.account.senderID)
	c.at = time.Now()
	return c, nil
}

// stopped drops the task of a campaign that isn't running. A canceled one's
// recipient is canceled with it; a paused one's gets a new task at the resume.
func (w *Worker) stopped(ctx context.Context, s *subject, p campaign.Place) error {
	phase, _, _, err := w.ledger.Phase(ctx, s.ID)
	if err != nil {
		return err
	}
	if phase != campaign.Ended {
		return campaign.ErrNotRunning
	}
	_, err = w.ledger.Apply(ctx, s.Info, p, ledger.Seen{}, campaign.Event{Kind: campaign.EventCancel, At: w.clock.Now()})
	return err
}

// accepted records that Telesign took the message.
func (w *Worker) accepted(c *claim, a telesign.Accepted) error {
	c.subject.account.pace.Granted(c.slot)
	c.subject.account.metrics.sent(c.at, "accepted", int(a.Code))
	wait := acceptWait
	if c.subject.Spec.Lane == campaign.LaneUrgent || rateOf(c.subject) == 0 {
		wait = 0
	}
	return w.recordWithin(c, campaign.Event{
		Kind: campaign.EventAccept, At: w.clock.Now(), Attempt: c.seen.Record.Attempt,
		Code: int(a.Code), Reference: a.Reference, DueAt: c.deadline(w),
	}, wait)
}

// deadline is when to ask for the outcome of what was just accepted.
func (w *Worker) deadline(s *subject) time.Time { return w.deadlineAfter(s.Spec.FallbackTotal()) }

// deadline is that of the claim's own message.
func (c *claim) deadline(w *Worker) time.Time {
	if !c.subject.Spec.Standing {
		return w.deadline(c.subject)
	}
	own := campaign.Spec{Channels: make([]campaign.Channel, len(c.message.Channels))}
	for i, ch := range c.message.Channels {
		own.Channels[i].FallbackTime = ch.FallbackTime
	}
	return w.deadlineAfter(own.FallbackTotal())
}

func (w *Worker) deadlineAfter(fallbacks time.Duration) time.Time {
	in := w.receiptIn
	if in == 0 {
		in = fallbacks + w.receiptMargin
	}
	return w.clock.Now().Add(min(in, maxDeadline))
}

// record writes an event of the claim to the ledger, and tries again while Redis
// can't be reached: a claim whose outcome isn't written ends in doubt.
func (w *Worker) record(c *claim, e campaign.Event) error { return w.recordWithin(c, e, 0) }

// recordWithin is record for a change that may wait so long for a batch.
func (w *Worker) recordWithin(c *claim, e campaign.Event, batchDelay time.Duration) error {
	wait := recordWait
	for start := time.Now(); ; {
		seen, err := w.ledger.ApplyWithin(c.ctx, c.subject.Info, c.place, c.seen, e, batchDelay)
		batchDelay = 0
		var refused *campaign.TransitionError
		if err == nil || errors.As(err, &refused) || errors.Is(err, campaign.ErrNotRunning) || errors.Is(err, ledger.ErrNotReplicated) {
			c.seen = seen
			return err
		}
		if errors.Is(err, campaign.ErrReplaced) {
			w.cache.forget(c.subject)
			return err
		}
		w.metrics.ledgerErrors.Inc()
		if time.Since(start)+wait > recordPatience {
			return err
		}
		if err := pacing.SleepUntil(c.ctx, time.Now().Add(wait)); err != nil {
			return err
		}
		wait = min(2*wait, time.Second)
	}
}

const (
	// claimWait is how long a claim waits for another slot, after a 429 with a long
	// Retry-After; then it is given back. With the request's time-out it is shorter than
	// a claim takes to get stale.
	claimWait = 10 * time.Second
	// acceptWait is how long an acceptance waits for the next claim, to share its
	// call: at the account's default rate one comes in time. So about one answer
	// more is lost when a worker dies.
	acceptWait = 120 * time.Millisecond
	// recordPatience is how long a worker tries to write to a Redis that is
	// away. Longer than a restart takes, shorter than a claim takes to get stale.
	recordPatience = 20 * time.Second
	recordWait     = 20 * time.Millisecond
	// maxDeadline: Telesign forgets a reference after 12 hours.
	// Source: OpenAPI "Engage API", GET /v1/omnichannel/{reference_id}, -10004.
	maxDeadline = 11 * time.Hour
)
