package worker

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/telesign"
)

const (
	// pollAgain is when to ask again after an answer that settles nothing.
	pollAgain = 10 * time.Minute
	// pollLater is when to ask again after no answer.
	pollLater = time.Minute
)

// overdue asks Telesign what became of a message whose receipt hasn't come.
func (v *visitor) overdue(ctx context.Context, p campaign.Place, seen ledger.Seen) error {
	w, r, now := v.w, seen.Record, v.w.clock.Now()
	lastCall := r.ClaimedAt.Add(maxDeadline)
	unconfirmed := campaign.Event{Kind: campaign.EventOverdue, At: now, Reason: campaign.ReasonNoReceipt}
	if r.Reference == "" || w.pollOff.Load() {
		return v.apply(ctx, p, seen, unconfirmed)
	}
	// The page may be due sooner, for another recipient in it.
	key := recipientKey{v.s.ID, p}
	if next := w.asked.until(key); next.After(now) {
		v.again(next)
		return nil
	}
	if err := w.pollPace.Wait(ctx); err != nil {
		return err
	}
	receipt, err := w.telesign.Status(ctx, r.Reference)
	var e *telesign.Error
	switch {
	case err == nil:
		w.metrics.polls.WithLabelValues("answered").Inc()
		if err := v.optOut(ctx, p, receipt); err != nil {
			return err
		}
		next := now.Add(pollAgain)
		after, err := w.ledger.Apply(ctx, v.s.Info, p, seen, translate.Receipt(receipt, r.Attempt, now, next))
		var refused *campaign.TransitionError
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		if after.Record.State != campaign.Accepted {
			if code, ours := translate.AccountFault(receipt); ours {
				return w.ledger.HoldAll(ctx, translate.HoldReason(code), now)
			}
			return nil
		}
		if next.After(lastCall) || receipt.Status.Code.Kind() == telesign.KindProbable {
			// Time is up, or Telesign says that no confirmation is to be had.
			return v.apply(ctx, p, after, unconfirmed)
		}
		w.asked.put(key, next, now)
		v.again(next)
		return nil

	case errors.As(err, &e) && e.Code == telesign.CodeReferenceExpired:
		w.metrics.polls.WithLabelValues("expired").Inc()
		unconfirmed.Reason = campaign.ReasonExpired
		return v.apply(ctx, p, seen, unconfirmed)

	case errors.As(err, &e) && e.Account:
		w.metrics.polls.WithLabelValues("not enabled").Inc()
		if !w.pollOff.Swap(true) {
			w.log.Warn("asking for outcomes is not possible with this account; receipts alone decide from here on", "error", e)
		}
		return v.apply(ctx, p, seen, unconfirmed)

	case ctx.Err() != nil:
		return ctx.Err()

	case now.After(lastCall):
		return v.apply(ctx, p, seen, unconfirmed)

	default:
		w.metrics.polls.WithLabelValues("failed").Inc()
		w.log.Warn("ask for an outcome", "campaign", v.s.ID, "recipient", p.String(), "error", err)
		w.asked.put(key, now.Add(pollLater), now)
		v.again(now.Add(pollLater))
		return nil
	}
}

type recipientKey struct {
	campaign campaign.ID
	place    campaign.Place
}

// asked is which recipients Telesign had no news of, and until when not to ask
// again. It is kept in this worker only: what is lost with it is a query.
type asked struct {
	mu   sync.Mutex
	next map[recipientKey]time.Time
}

// maxAsked bounds it; an entry whose time is over has most likely been settled.
const maxAsked = 100_000

func (a *asked) until(k recipientKey) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next[k]
}

func (a *asked) put(k recipientKey, next, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.next) >= maxAsked {
		maps.DeleteFunc(a.next, func(_ recipientKey, t time.Time) bool { return !t.After(now) })
	}
	if a.next == nil || len(a.next) >= maxAsked {
		a.next = make(map[recipientKey]time.Time)
	}
	a.next[k] = next
}
