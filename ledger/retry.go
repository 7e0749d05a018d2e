package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// ErrRetrying means that someone else is deciding about many in this campaign: on
// another attempt, or that they were sent to.
var ErrRetrying = errors.New("another retry is under way; wait for its end, and look who is left")

const (
	leaseRetry = "retry"
	// retryLease is for how long many are decided about under a lease, and retryKeep how often it is taken anew.
	retryLease = 30 * time.Second
	retryKeep  = 5 * time.Second
)

// Now is Redis's clock, which tells a retry what came after its beginning.
func (l *Ledger) Now(ctx context.Context) (time.Time, error) {
	now, err := l.rdb.Time(ctx).Result()
	if err != nil {
		return now, fmt.Errorf("read Redis's clock: %w", err)
	}
	return now, nil
}

// ResendAll asks for another attempt at everyone who was in this state when the
// action began, by Redis's clock, and returns at how many. Who came to be in it
// later, as by the outcome of another retry, is left alone: one intention asks for
// each of them once. It may be interrupted and called again: who was asked
// for already is in another state.
//
// The history has a line before anybody is asked for, with how many there were,
// and one at the end, with what was done: the first alone tells of a crash.
//
// Errors: [ErrRetrying], [campaign.ErrCanceled], *PurgedError (nothing changed); with any
// other some may have been asked for.
func (l *Ledger) ResendAll(ctx context.Context, c *campaign.Info, state campaign.State, a campaign.Actor, began time.Time, progress func(n int)) (int, error) {
	if err := c.Resendable(); err != nil {
		return 0, err
	}
	r := &retry{state: state, event: campaign.EventResend, began: began, progress: progress}
	return r.run(ctx, l, c, a, "retry began", "resent")
}

// AcceptAllAsSent takes all for sent to who were in doubt when the action began,
// by Redis's clock, and returns how many. It goes as [Ledger.ResendAll] does,
// with its errors but for [campaign.ErrCanceled], and not together with one.
func (l *Ledger) AcceptAllAsSent(ctx context.Context, c *campaign.Info, a campaign.Actor, began time.Time, progress func(n int)) (int, error) {
	if err := c.Gone(); err != nil {
		return 0, err
	}
	r := &retry{state: campaign.InDoubt, event: campaign.EventAcceptAsSent, began: began, progress: progress}
	return r.run(ctx, l, c, a, "accept as sent began", verbAcceptedAsSent)
}

// run decides about all, with a line in the history at the beginning and at the
// end.
func (r *retry) run(ctx context.Context, l *Ledger, c *campaign.Info, a campaign.Actor, began, done string) (int, error) {
	r.l, r.campaign, r.token = l, c, rand.Text()
	state := r.state
	now, err := l.Now(ctx)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := r.lease(ctx); err != nil {
		return 0, err
	}
	after := context.WithoutCancel(ctx)
	// Should this fail, the lease runs out by itself.
	defer func() { _, _ = l.Lease(after, c.ID, leaseRetry, r.token, 0) }()
	b, err := l.Balance(ctx, c.ID)
	if err != nil || b.Of(state) == 0 {
		return 0, err
	}
	if err := l.Note(ctx, c.ID, a, now, began, fmt.Sprintf("%d %s", b.Of(state), state)); err != nil {
		return 0, err
	}
	err = l.EachPage(ctx, c, func(p *Page) error { return r.page(ctx, p) })
	about := fmt.Sprintf("%d %s", r.n, state)
	if err != nil {
		about += ", and stopped there"
	}
	return r.n, errors.Join(err, l.Note(after, c.ID, a, now.Add(time.Since(start)), done, about))
}

// retry is one such action, or another decision about many.
type retry struct {
	l        *Ledger
	campaign *campaign.Info
	state    campaign.State
	event    campaign.EventKind
	began    time.Time
	token    string
	kept     time.Time // when the lease was taken last
	n        int       // who has been asked for
	progress func(n int)
}

// lease takes the lease, or keeps it.
func (r *retry) lease(ctx context.Context) error {
	if time.Since(r.kept) < retryKeep {
		return nil
	}
	mine, err := r.l.Lease(ctx, r.campaign.ID, leaseRetry, r.token, retryLease)
	if err == nil && !mine {
		err = fmt.Errorf("campaign %s: %w", r.campaign.ID, ErrRetrying)
	}
	r.kept = time.Now()
	return err
}

func (r *retry) page(ctx context.Context, p *Page) error {
	if err := r.lease(ctx); err != nil {
		return err
	}
	for i, seen := range p.Records {
		if seen.Record.State != r.state || r.later(&seen.Record) {
			continue
		}
		asked, err := r.ask(ctx, campaign.Place{Page: p.Number, Index: i}, seen)
		if err != nil {
			return err
		}
		if asked {
			r.n++
		}
	}
	if r.progress != nil {
		r.progress(r.n)
	}
	return nil
}

// later reports whether a recipient came to be in the state after the action began. A
// record's times are whole seconds: the second of the beginning counts as before.
func (r *retry) later(rec *campaign.Record) bool {
	since := rec.SettledAt
	if since.IsZero() { // in doubt: at some time after the claim
		since = rec.ClaimedAt
	}
	return since.After(r.began)
}

// ask asks for another attempt at one, or what else is decided; false when that has come to nothing:
// settled meanwhile, or asked for by someone else.
func (r *retry) ask(ctx context.Context, p campaign.Place, seen Seen) (bool, error) {
	e := campaign.Event{Kind: r.event, At: r.began}
	next, err := campaign.Next(seen.Record, e)
	if err != nil {
		return false, nil // it can't be sent to again
	}
	after, err := r.l.Apply(ctx, r.campaign, p, seen, e)
	var refused *campaign.TransitionError
	if errors.As(err, &refused) {
		return false, nil
	}
	return err == nil && after.Record == next, err
}
