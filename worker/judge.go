package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
)

// judge is the only switch on what Telesign, or the way to it, has done to a
// send. It records the outcome; again means: at once, at the next slot.
func (w *Worker) judge(c *claim, err error) (again bool, _ error) {
	var e *telesign.Error
	if !errors.As(err, &e) {
		e = &telesign.Error{Class: telesign.Unknown, Err: err}
	}
	w.metrics.sent(c.at, e.Class.String(), int(e.Code))
	if e.HTTPStatus > 0 && !e.Throttled {
		w.pace.Granted(c.slot)
	}
	if err := w.optOut(c, e.Code); err != nil {
		return false, err
	}
	event := campaign.Event{At: w.clock.Now(), Attempt: c.seen.Record.Attempt, Code: int(e.Code)}
	switch {
	case e.Class == telesign.Unknown:
		event.Kind, event.Reason, event.DueAt = campaign.EventDoubt, doubtReason(e), c.deadline(w)
		w.log.Warn("in doubt", "campaign", c.subject.ID, "recipient", c.place.String(), "attempt", event.Attempt, "error", e)
		if err := w.record(c, event); err != nil || !e.Account {
			return false, err
		}
		return false, w.hold(c, e) // the next one would end in doubt too

	case e.Account:
		if err := w.putOff(c, event, campaign.ReasonAccount); err != nil {
			return false, err
		}
		return false, w.hold(c, e)

	case e.Class == telesign.Refused:
		event.Kind, event.Reason = campaign.EventRefuse, campaign.ReasonRefused
		return false, w.record(c, event)

	case e.Throttled:
		wait, err := w.pace.Denied(c.ctx, c.slot, e.RetryAfter)
		if err != nil {
			w.log.Warn("tell the other workers to wait", "error", err)
			wait = e.RetryAfter
		}
		if w.late(c, event.At) {
			return false, w.giveUp(c, event)
		}
		w.log.Warn("throttled", "campaign", c.subject.ID, "wait", wait, "error", e)
		event.DueAt = event.At.Add(max(wait, time.Second))
		return true, w.putOff(c, event, campaign.ReasonThrottled)

	default: // later: certainly not sent
		return false, w.later(c, e, event)
	}
}

// hold stops every campaign for a fault of our account that everyone else would
// meet too. A worker that dies before it has held leaves that to the next send.
func (w *Worker) hold(c *claim, e *telesign.Error) error {
	w.log.Error("every campaign held", "campaign", c.subject.ID, "error", e)
	return w.ledger.HoldAll(c.ctx, holdReason(e), w.clock.Now())
}

// putOff records that nothing was sent, for no fault of the recipient's.
func (w *Worker) putOff(c *claim, event campaign.Event, why campaign.Reason) error {
	event.Kind, event.Reason, event.Uncounted = campaign.EventDefer, why, true
	return w.record(c, event)
}

// later records that nothing was sent and leaves a task for another try.
func (w *Worker) later(c *claim, e *telesign.Error, event campaign.Event) error {
	faults := c.seen.Record.Faults
	if w.late(c, event.At) {
		return w.giveUp(c, event)
	}
	wait := max(backoff(faults), e.RetryAfter)
	event.Kind, event.Reason, event.DueAt = campaign.EventDefer, campaign.ReasonUnavailable, event.At.Add(wait)
	if e.HTTPStatus == 0 {
		event.Reason = campaign.ReasonNotWritten
	}
	w.log.Warn("put off", "campaign", c.subject.ID, "recipient", c.place.String(), "attempt", event.Attempt, "wait", wait, "error", e)
	if err := w.record(c, event); err != nil {
		return err
	}
	// If this fails, or the process dies here, settle writes the task.
	task := tasks.NewSend(c.subject.ID, c.place, c.seen.Record.Attempt+1, c.subject.Spec.Lane)
	if err := w.queue.Enqueue(c.ctx, task, asynq.ProcessIn(wait)); err != nil {
		w.log.Warn("enqueue another try", "campaign", c.subject.ID, "error", err)
	}
	return nil
}

// late says whether the time is over that a recipient has whose requests
// certainly weren't sent. It runs from the first of them that was put off.
func (w *Worker) late(c *claim, now time.Time) bool {
	first := c.seen.Record.PutOffAt
	return !first.IsZero() && now.Sub(first) >= c.subject.Spec.GiveUp()+time.Second // whole seconds are kept
}

// giveUp records that the recipient was tried for long enough.
func (w *Worker) giveUp(c *claim, event campaign.Event) error {
	event.Kind, event.Reason = campaign.EventRefuse, campaign.ReasonGaveUp
	return w.record(c, event)
}

// unsendable records that no request can be made of the recipient's columns.
// Lists are checked before they stand, so that this is a fault of ours.
func (w *Worker) unsendable(c *claim) error {
	return w.record(c, campaign.Event{
		Kind: campaign.EventRefuse, At: w.clock.Now(), Attempt: c.seen.Record.Attempt, Reason: campaign.ReasonUnsendable,
	})
}

// backoff is 1 s, doubled with each fault, five minutes at most, with jitter:
// somewhere in the last fifth of it.
func backoff(faults int) time.Duration {
	d := min(time.Second<<min(faults, 10), 5*time.Minute)
	return d - rand.N(d/5+1)
}

func doubtReason(e *telesign.Error) campaign.Reason {
	var network net.Error
	switch {
	case errors.Is(e.Err, context.DeadlineExceeded), errors.As(e.Err, &network) && network.Timeout():
		return campaign.ReasonTimeout
	case e.HTTPStatus >= 500:
		return campaign.ReasonServerError
	case e.HTTPStatus > 0:
		return campaign.ReasonUnreadable
	}
	return campaign.ReasonReset
}

func holdReason(e *telesign.Error) string {
	if e.Code != 0 {
		return translate.HoldReason(e.Code)
	}
	return fmt.Sprintf("Telesign: HTTP %d", e.HTTPStatus)
}

// recipientName names a recipient in logs: by place, never by number or name.
