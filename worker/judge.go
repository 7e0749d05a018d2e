package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

// judge is the only switch on what Telesign, or the way to it, has done to a
// send. It records the outcome; again means: at once, at the next slot.
func (w *Worker) judge(c *claim, err error) (again bool, _ error) {
	var e *telesign.Error
	if !errors.As(err, &e) {
		e = &telesign.Error{Class: telesign.Unknown, Err: err}
	}
	c.subject.account.metrics.sent(c.at, e.Class.String(), int(e.Code))
	if e.HTTPStatus > 0 && !e.Throttled {
		c.subject.account.pace.Granted(c.slot)
	}
	if err := w.optOut(c, e.Code); err != nil {
		return false, err
	}
	var proxy *outbound.ProxyError
	if errors.As(e.Err, &proxy) && proxy.Refused() && !e.Written {
		e.Account = true
	}
	event := campaign.Event{At: w.clock.Now(), Attempt: c.seen.Record.Attempt, Code: int(e.Code)}
	switch {
	case e.Class == telesign.Unknown:
		event.Kind, event.Reason, event.DueAt = campaign.EventDoubt, doubtReason(e), c.deadline(w)
		w.log.WarnContext(c.ctx, "in doubt", "campaign", c.subject.ID, "recipient", c.place.String(), "attempt", event.Attempt, "error", e)
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
		wait, err := c.subject.account.pace.Denied(c.ctx, c.slot, e.RetryAfter)
		if err != nil {
			w.log.WarnContext(c.ctx, "tell the other workers to wait", "error", err)
			wait = e.RetryAfter
		}
		w.log.WarnContext(c.ctx, "throttled", "campaign", c.subject.ID, "wait", wait, "error", e)
		event.DueAt = event.At.Add(max(wait, time.Second))
		return true, w.putOff(c, event, campaign.ReasonThrottled)

	default: // later: certainly not sent
		return false, w.later(c, e, event)
	}
}

// hold stops every campaign of the account for a fault of it that everyone else would
// meet too. A worker that dies before it has held leaves that to the next send.
func (w *Worker) hold(c *claim, e *telesign.Error) error {
	name := c.subject.account.name
	w.log.ErrorContext(c.ctx, "every campaign of the account held", "account", name, "campaign", c.subject.ID, "error", e)
	return w.ledger.HoldAccount(c.ctx, name, holdReason(e), c.seen.Record.ClaimedAt, w.clock.Now())
}

// putOff records that nothing was sent, for no fault of the recipient's.
func (w *Worker) putOff(c *claim, event campaign.Event, why campaign.Reason) error {
	event.Kind, event.Reason, event.Uncounted = campaign.EventDefer, why, true
	return w.record(c, event)
}

// later records that nothing was sent and leaves a task for another try.
func (w *Worker) later(c *claim, e *telesign.Error, event campaign.Event) error {
	faults := c.seen.Record.Faults
	late, err := w.late(c, event.At)
	if err != nil {
		w.log.WarnContext(c.ctx, "look how long it has been tried", "campaign", c.subject.ID, "error", err) // the next try knows
	}
	if late {
		return w.giveUp(c, event)
	}
	wait := max(backoff(faults), e.RetryAfter)
	event.Kind, event.Reason, event.DueAt = campaign.EventDefer, campaign.ReasonUnavailable, event.At.Add(wait)
	if e.HTTPStatus == 0 {
		event.Reason = campaign.ReasonNotWritten
	}
	w.log.WarnContext(c.ctx, "put off", "campaign", c.subject.ID, "recipient", c.place.String(), "attempt", event.Attempt, "wait", wait, "error", e)
	return w.recordRetry(c, event)
}

// recordRetry records a deferral, and has the page looked at when it is over.
func (w *Worker) recordRetry(c *claim, event campaign.Event) error {
	if err := w.record(c, event); err != nil {
		return err
	}
	// If this fails, or the process dies here, the page is looked at within a minute.
	if err := w.ledger.CallDue(c.ctx, c.subject.ID, ledger.Unsent, event.DueAt, c.place.Page); err != nil {
		w.log.WarnContext(c.ctx, "call for another try", "campaign", c.subject.ID, "error", err)
	}
	return nil
}

// late says whether the time is over that a recipient has whose requests
// certainly weren't sent. It runs from the first of them that was put off, while
// their hours are open and the campaign runs. Throttling ends no one's time.
func (w *Worker) late(c *claim, now time.Time) (bool, error) {
	first, giveUp := c.seen.Record.PutOffAt, c.subject.Spec.GiveUp()+time.Second // whole seconds are kept
	if first.IsZero() || now.Sub(first) < giveUp {
		return false, nil
	}
	info, err := w.ledger.Info(c.ctx, c.subject.ID)
	if err != nil {
		return false, err
	}
	history, err := w.ledger.History(c.ctx, c.subject.ID)
	if err != nil {
		return false, err
	}
	spent := time.Duration(0)
	if info.StartedAt.After(first) {
		first = info.StartedAt
	}
	for first.Before(now) && spent < giveUp {
		window, ever := c.subject.zones.window(c.place.Page, first)
		if !ever || !window.From.Before(now) {
			break
		}
		from, to := later(window.From, first), window.To
		if to.After(now) {
			to = now
		}
		spent += campaign.Ran(history, from, to)
		first = to
	}
	return spent >= giveUp, nil
}

// giveUp records that the recipient was tried for long enough.
func (w *Worker) giveUp(c *claim, event campaign.Event) error {
	event.Kind, event.Reason = campaign.EventRefuse, campaign.ReasonGaveUp
	return w.record(c, event)
}

// unsendable records that no request can be made of the recipient's columns.
// Lists are checked before they stand, so that this is a fault of ours.
func (w *Worker) unsendable(c *claim, err error) error {
	if errors.Is(err, campaign.ErrNewer) {
		return w.leave(c, err)
	}
	now := w.clock.Now()
	err = w.record(c, campaign.Event{Kind: campaign.EventRefuse, At: now, Attempt: c.seen.Record.Attempt, Reason: campaign.ReasonUnsendable})
	tracing.Changed(c.ctx, "compose", now, c.subject.Info, c.place, campaign.Claimed, c.seen.Record)
	return err
}

// leave gives back a one-off send that a newer worker can make: soon, to the worker that
// looks then, which takes its own tasks first.
func (w *Worker) leave(c *claim, err error) error {
	w.log.WarnContext(c.ctx, "not sent", "campaign", c.subject.ID, "recipient", c.place.String(), "error", err)
	event := campaign.Event{Kind: campaign.EventDefer, At: w.clock.Now(), Attempt: c.seen.Record.Attempt, Reason: campaign.ReasonNotWritten}
	event.DueAt = event.At.Add(min(backoff(c.seen.Record.Faults), lostAfter))
	return errors.Join(w.recordRetry(c, event), w.yield(c.ctx))
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
	if proxy := (*outbound.ProxyError)(nil); errors.As(e.Err, &proxy) {
		return translate.ProxyHoldReason(proxy.Error())
	}
	return fmt.Sprintf("Telesign: HTTP %d", e.HTTPStatus)
}

// recipientName names a recipient in logs: by place, never by number or name.
