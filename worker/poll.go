package worker

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/tracing"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/telesign"
)

const (
	// pollAgain is when to ask again after an answer that settles nothing.
	pollAgain = 10 * time.Minute
	// pollLater is when to ask again after no answer.
	pollLater = time.Minute
	// pollWindow is how long the queue of polls lasts, pollsAtOnce how many each
	// worker makes side by side, and unlimitedPolls the queue's length without a limit.
	pollWindow     = 5 * time.Second
	pollsAtOnce    = 8
	unlimitedPolls = 1000
	// referenceLife is how long Telesign can tell what became of a message.
	// Source: OpenAPI "Engage API", GET /v1/omnichannel/{reference_id}, -10004.
	referenceLife = 12 * time.Hour
)

// askOverdue writes tasks that ask Telesign for receipts which haven't come, as many
// as the queue of polls has room for; and for none that Telesign has forgotten.
func (l *look) askOverdue(ctx context.Context) error {
	w, a := l.w, l.s.account
	if at := l.state.Next[ledger.Overdue]; at.IsZero() || at.After(l.now) {
		return nil
	}
	room := unlimitedPolls
	if a.pollRate > 0 {
		room = max(1, int(a.pollRate*pollWindow.Seconds()))
	}
	polls := tasks.OfAccount(tasks.QueuePolls, a.name)
	waiting, err := w.queue.Waiting(ctx, polls)
	if err != nil {
		return err
	}
	room -= waiting
	return l.visits(ctx, ledger.Overdue, polls, func(v *visit) (full bool, err error) {
		now := w.clock.Now()
		err = v.each(func(p campaign.Place, seen ledger.Seen) error {
			r := seen.Record
			switch {
			case r.State != campaign.Accepted:
				return nil
			case r.DueAt.After(now):
				v.later(r.DueAt)
				return nil
			case now.Sub(r.ClaimedAt) >= referenceLife:
				return v.apply(ctx, p, seen, unconfirmed(now, campaign.ReasonExpired))
			case r.Reference == "" || !a.polling.open(now):
				return v.apply(ctx, p, seen, unconfirmed(now, campaign.ReasonNoReceipt))
			case room <= 0:
				full = true
				l.again(now.Add(time.Second))
				return nil
			}
			room--
			poll := l.s.Attempt(p, r.Attempt)
			v.add(tasks.NewPoll(poll), tasks.PollID(poll))
			v.later(now.Add(pollLater))
			return nil
		})
		return full, err
	})
}

func unconfirmed(now time.Time, why campaign.Reason) campaign.Event {
	return campaign.Event{Kind: campaign.EventOverdue, At: now, Reason: why}
}

// poll asks Telesign what became of a message whose receipt hasn't come. What it
// couldn't record is asked for again by another task, within [pollLater].
func (w *Worker) poll(ctx context.Context, a *account, t *asynq.Task) error {
	payload, err := tasks.ParsePoll(t.Payload())
	if err != nil {
		return tasks.Unread(err)
	}
	ctx, cancel := w.untilStop(ctx)
	defer cancel()
	q := &query{w: w, place: payload.Place}
	if q.s, err = w.cache.subject(ctx, payload.Campaign); err == nil && q.s.account != a {
		w.cache.forget(q.s)
		return nil // of another campaign of this name: after a restore, say
	}
	if err == nil {
		q.seen, err = w.ledger.ReadRecord(ctx, q.s.Info, q.place)
	}
	if err == nil {
		err = q.ask(ctx)
	}
	if errors.Is(err, campaign.ErrReplaced) {
		w.cache.forget(q.s)
		return nil
	}
	switch {
	case w.stopping.Err() != nil:
		return errStopping
	case err != nil && !errors.Is(err, ledger.ErrNotFound) && !errors.Is(err, campaign.ErrPurged):
		w.complain(ctx, "ask for an outcome", err)
	}
	return nil
}

// query is a question about one recipient.
type query struct {
	w     *Worker
	s     *subject
	place campaign.Place
	seen  ledger.Seen
}

func (q *query) ask(ctx context.Context) error {
	w, a := q.w, q.s.account
	if r := q.seen.Record; r.State != campaign.Accepted || r.Reference == "" || r.DueAt.After(w.clock.Now()) {
		return nil // settled, or asked for
	}
	if err := a.pollPace.Wait(ctx); err != nil {
		return err
	}
	leave := a.polling.enter()
	defer leave()
	if !a.polling.open(w.clock.Now()) {
		return q.apply(ctx, unconfirmed(w.clock.Now(), campaign.ReasonNoReceipt))
	}
	receipt, err := a.telesign.Status(ctx, q.seen.Record.Reference)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := w.clock.Now()
	var e *telesign.Error
	switch {
	case err == nil:
		q.mayAsk()
		a.metrics.polls.WithLabelValues("answered").Inc()
		return q.answered(ctx, receipt, now)
	case errors.As(err, &e) && e.Code == telesign.CodeReferenceExpired:
		q.mayAsk()
		a.metrics.polls.WithLabelValues("expired").Inc()
		return q.apply(ctx, unconfirmed(now, campaign.ReasonExpired))
	case errors.As(err, &e) && e.Account:
		a.metrics.polls.WithLabelValues("not enabled").Inc()
		until := a.polling.refused(now)
		w.log.Warn("asking for outcomes is not possible with this account; receipts alone decide until then", "account", a.name, "until", until, "error", e)
		return q.apply(ctx, unconfirmed(now, campaign.ReasonNoReceipt))
	}
	a.metrics.polls.WithLabelValues("failed").Inc()
	w.log.WarnContext(tracing.Of(ctx, q.s.Info, q.place, q.seen.Record.Attempt), "ask for an outcome", "campaign", q.s.ID, "recipient", q.place.String(), "error", err)
	return q.again(ctx, now, pollLater, false)
}

func (q *query) mayAsk() {
	if q.s.account.polling.answered() {
		q.w.log.Info("asking for outcomes is possible again", "account", q.s.account.name)
	}
}

// answered records what Telesign knows.
func (q *query) answered(ctx context.Context, receipt telesign.Receipt, now time.Time) error {
	if err := q.optOut(ctx, receipt); err != nil {
		return err
	}
	if err := q.apply(ctx, translate.Receipt(receipt, q.seen.Record.Attempt, now, now.Add(pollAgain))); err != nil {
		return err
	}
	if q.seen.Record.State != campaign.Accepted {
		if code, ours := translate.AccountFault(receipt); ours {
			return q.w.ledger.HoldAccount(ctx, q.s.account.name, translate.HoldReason(code), q.seen.Record.ClaimedAt, now)
		}
		if reason, gone := translate.TemplateFault(receipt, q.s.Info.Spec); gone {
			return q.w.ledger.Hold(ctx, q.s.Info.ID, reason, now)
		}
		return nil
	}
	return q.again(ctx, now, pollAgain, receipt.Status.Code.Kind() == telesign.KindProbable)
}

// again has the recipient asked for once more, unless it is for the last time:
// Telesign says that no confirmation is to be had, or will have forgotten by then.
func (q *query) again(ctx context.Context, now time.Time, in time.Duration, last bool) error {
	if next := now.Add(in); !last && !next.After(q.seen.Record.ClaimedAt.Add(maxDeadline)) {
		return q.apply(ctx, campaign.Event{Kind: campaign.EventOverdue, At: now, DueAt: next})
	}
	return q.apply(ctx, unconfirmed(now, campaign.ReasonNoReceipt))
}

func (q *query) apply(ctx context.Context, e campaign.Event) error {
	after, err := q.w.ledger.Apply(ctx, q.s.Info, q.place, q.seen, e)
	var refused *campaign.TransitionError
	// An answer that a failover forgets is asked for again.
	if err != nil && !errors.As(err, &refused) && !errors.Is(err, ledger.ErrNotReplicated) {
		return err
	}
	if after != q.seen {
		tracing.Changed(ctx, "poll", e.At, q.s.Info, q.place, q.seen.Record.State, after.Record)
	}
	q.seen = after
	return nil
}
