package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

const (
	// duePages is how many pages of a line one look visits.
	duePages = 50
	// againLook is when to look again at a campaign with more to do at once.
	againLook = 10 * time.Millisecond
	// idleLook is when to look again at a campaign that waits for receipts, doubled
	// up to maxIdle as long as none come.
	idleLook = time.Second
	maxIdle  = 10 * time.Second
)

// look is one look at a campaign: what it could send and what of it is due, what is
// done about it, and when it wants a look again.
type look struct {
	w   *Worker
	due ledger.DueCampaign
	id  campaign.ID
	now time.Time
	k   *known

	s       *subject // nil: nothing is to be done but what the phase says
	state   *ledger.State
	feed    *ledger.Feed
	open    []int // zones
	left    int   // recipients who may be fed: of open zones, and past canary and files
	next    time.Time
	changed bool // state is of before what was done
	// planned is when the plan wants the next look; zero: never.
	planned time.Time
	err     error // of read
}

// again has the campaign looked at no later than at.
func (l *look) again(at time.Time) {
	if !at.IsZero() && (l.next.IsZero() || at.Before(l.next)) {
		l.next = at
	}
}

// read reads where a campaign stands, and what it could send.
func (l *look) read(ctx context.Context) error {
	var err error
	if l.state, err = l.w.ledger.State(ctx, l.id, l.now); err != nil {
		l.w.planner.drop(l.id)
		return err
	}
	stopped := l.state.Phase == campaign.Paused || l.state.Phase == campaign.Held || l.state.Phase == campaign.Done
	if stopped {
		l.w.planner.drop(l.id)
		if next := l.state.Next; next[ledger.Watched].IsZero() && next[ledger.Overdue].IsZero() {
			return nil
		}
	}
	if l.s, err = l.w.cache.current(ctx, l.id, l.state.Salt, l.state.Total); err != nil {
		return err
	}
	if l.feed, err = l.state.Feed(l.s.Info); err != nil || stopped {
		return err
	}
	if l.s.account == nil {
		l.w.planner.drop(l.id)
		return nil
	}
	var demand pacing.Demand
	if l.state.Phase == campaign.Running {
		if demand, err = l.demand(ctx); err != nil {
			return err
		}
	}
	l.w.planner.demands(l.k, l.s.account.name, demand, l.now)
	return nil
}

// demand is what the campaign could send now.
func (l *look) demand(ctx context.Context) (pacing.Demand, error) {
	w, s, b := l.w, l.s, l.state.Balance
	d := pacing.Demand{Urgent: s.Spec.Lane == campaign.LaneUrgent, Rate: s.account.rates.own(s.Info)}
	if pass, err := w.filesPass(ctx, s); err != nil || !pass {
		l.again(l.now.Add(maxIdle)) // sooner if the check ends
		return d, err
	}
	end, err := l.canary(ctx)
	if err != nil {
		return d, err
	}
	var closed []int
	l.open, closed = s.zones.split(l.now)
	l.left = max(0, min(end-l.feed.Cursor, s.zones.left(l.open, l.feed.ByZone)))
	for _, i := range closed {
		if s.zones.left([]int{i}, l.feed.ByZone) > 0 {
			l.again(s.zones.opens(i, l.now))
		}
	}
	stuck, err := w.stuckIn(ctx, s, closed, l.feed.ByZone)
	if err != nil {
		return d, err
	}
	if err := l.inHand(ctx); err != nil {
		return d, err
	}
	// Fed, still planned and not stuck: what stands in the queue, and what got lost
	// there.
	d.Queued = max(0, l.feed.Cursor-(s.Total-b.Of(campaign.Planned))-stuck) + len(l.k.hand)
	d.Ready = l.left + max(0, min(b.Of(campaign.Retrying), l.state.Unsent*campaign.PageSize)-len(l.k.hand))
	return d, nil
}

// inHand drops from the hand who has been tried again.
func (l *look) inHand(ctx context.Context) error {
	var pages []int
	for p := range l.k.hand {
		if !slices.Contains(pages, p.Page) {
			pages = append(pages, p.Page)
		}
	}
	stands := make([]map[int]ledger.Seen, len(pages))
	err := each(len(pages), func(i int) (err error) {
		stands[i], err = l.w.ledger.Records(ctx, l.id, pages[i])
		return err
	})
	if err != nil {
		return err
	}
	for p := range l.k.hand {
		r := stands[slices.Index(pages, p.Page)][p.Index].Record
		if r.State != campaign.Retrying || r.DueAt.After(l.now) {
			delete(l.k.hand, p)
		}
	}
	return nil
}

// act does what is due, and returns when the campaign wants a look again. An error
// of one job doesn't keep the others from theirs.
func (l *look) act(ctx context.Context) time.Time {
	err := l.err
	if err == nil {
		err = l.work(ctx)
	}
	switch {
	case errors.Is(err, ledger.ErrNotFound), err == nil && l.state.Phase == campaign.Done:
		err = l.w.ledger.Retire(ctx, l.due)
	default:
		if err != nil {
			l.k.failed = min(max(errorLook, 2*l.k.failed), longErrorLook)
			l.next = l.now.Add(l.k.failed)
		} else {
			l.k.failed = 0
		}
		var off error
		l.due, off = l.w.ledger.PutOff(ctx, l.due, l.next)
		errs := []error{err, off}
		if errors.Is(err, campaign.ErrNewer) {
			errs = append(errs, l.w.yield(ctx))
		}
		err = errors.Join(errs...)
	}
	if err != nil {
		l.w.complain(ctx, "look at campaign "+string(l.id), err)
	}
	return l.next
}

func (l *look) work(ctx context.Context) error {
	w, now := l.w, l.now
	if l.state.Phase == campaign.Paused && !l.state.StartAt.IsZero() {
		if l.state.StartAt.After(now) {
			l.again(l.state.StartAt)
		} else if err := w.start(ctx, l.id, now); err != nil { // which has it looked at again
			return err
		}
	}
	if l.s == nil || l.state.Phase == campaign.Done {
		return nil
	}
	if l.s.account == nil {
		return l.strange(ctx)
	}
	if l.state.Recall != "" && (l.state.Phase == campaign.Running || l.state.Phase == campaign.Ended) {
		clear(l.k.hand)
		l.changed = true
		if err := w.ledger.Recall(ctx, l.id, l.state, now); err != nil {
			return err
		}
		l.again(now.Add(againLook))
	}
	errs := []error{l.fill(ctx), l.watch(ctx), l.askOverdue(ctx)}
	// Anew where something was done, and right before a campaign is concluded: a person may
	// have asked for another attempt since.
	after := l.state
	if l.changed || l.feed.Cursor >= l.s.Total {
		var err error
		if after, err = w.ledger.State(ctx, l.id, now); err != nil {
			return errors.Join(append(errs, err)...)
		}
	}
	errs = append(errs, l.conclude(ctx, after))
	l.putOff(after)
	if l.state.Phase != campaign.Paused && l.state.Phase != campaign.Held {
		errs = append(errs, w.sample(ctx, l.id, l.k, now))
	}
	return errors.Join(errs...)
}

// putOff adds the times of the lines as they stand now.
func (l *look) putOff(after *ledger.State) {
	for line, at := range after.Next {
		switch unsent := ledger.Line(line) == ledger.Unsent; {
		case at.IsZero() || at.Equal(ledger.Waits()):
		case unsent && l.state.Phase != campaign.Running && l.state.Phase != campaign.Ended:
		case unsent && l.state.Phase == campaign.Running && !at.After(l.now):
			if l.planned.IsZero() {
				l.again(l.now.Add(idleLook))
			} // else the plan says when
		case at.Before(l.now.Add(againLook)):
			l.again(l.now.Add(againLook))
		default:
			l.again(at)
		}
	}
}

// idle has a campaign looked at again for what others may change: receipts that
// come, and sends that end.
func (l *look) idle() {
	if l.k.sum != *l.state.Balance {
		l.k.sum, l.k.idle = *l.state.Balance, idleLook/2
	}
	l.k.idle = min(2*l.k.idle, maxIdle)
	l.again(l.now.Add(l.k.idle))
}

// fill writes tasks of those who are to be sent to, within the plan's room: first of
// those who are to be tried again.
func (l *look) fill(ctx context.Context) error {
	switch l.state.Phase {
	case campaign.Ended:
		_, err := l.rewrite(ctx, 0)
		return errors.Join(err, l.cancelNext(ctx))
	case campaign.Running:
	default:
		return nil
	}
	r := l.w.planner.room(l.k, l.s.account.rates.accountNow(pacing.Pace{}), l.w.window, l.now)
	l.planned = r.Look
	l.again(r.Look)
	tried, err := l.rewrite(ctx, r.Recipients)
	if n := min(r.Recipients-tried, l.left); err == nil && n > 0 {
		err = l.enqueue(ctx, n, r.Run)
	}
	return err
}

// strange sees to a campaign whose account this worker doesn't have: one that runs is
// held, any other waits for a worker that has it.
func (l *look) strange(ctx context.Context) error {
	l.again(l.now.Add(maxIdle))
	reason := translate.NoAccount(l.s.Spec.AccountName())
	l.w.log.Error("campaign can't go on", "campaign", l.id, "phase", l.state.Phase, "error", reason)
	if l.state.Phase != campaign.Running {
		return nil
	}
	return l.w.ledger.Hold(ctx, l.id, reason, l.now)
}

// start lets a campaign run whose start has come.
func (w *Worker) start(ctx context.Context, id campaign.ID, now time.Time) error {
	info, err := w.ledger.Info(ctx, id)
	if err != nil {
		return err
	}
	err = w.ledger.Start(ctx, info, now)
	var steered *campaign.PhaseError
	if errors.As(err, &steered) {
		return nil // by a person, just now
	}
	return err
}

// conclude moves a campaign on: to settling when everyone has been sent to, or
// dropped, and to done when nothing is left that the machine may do.
func (l *look) conclude(ctx context.Context, after *ledger.State) error {
	w, b := l.w, after.Balance
	if l.feed.Cursor < l.s.Total || after.Total > l.s.Total || after.Phase == campaign.Paused || after.Phase == campaign.Held {
		return nil
	}
	var err error
	watched := !after.Next[ledger.Watched].IsZero()
	unsent := b.Of(campaign.Planned) + b.Of(campaign.Retrying) + b.Of(campaign.Claimed)
	if after.Phase == campaign.Settling || unsent == 0 || b.Of(campaign.Claimed)+l.k.demand.Queued > 0 {
		l.idle() // else the lines say when
	}
	switch after.Phase {
	case campaign.Running, campaign.Ended:
		// Once a canceled campaign settles, nothing tells it from one that ran to its
		// end: it stays canceled while a doubt may still ask for another send.
		resends := after.Phase == campaign.Ended && l.s.Spec.OnDoubt == campaign.DoubtResend && b.Of(campaign.InDoubt) > 0
		if unsent > 0 || resends && watched {
			return nil
		}
		err = w.ledger.Settle(ctx, l.id)
	case campaign.Settling:
		if unsent > 0 {
			err = w.ledger.Reopen(ctx, l.id)
		} else if b.Of(campaign.Accepted) > 0 || b.Of(campaign.InDoubt) > 0 && watched {
			return nil // a receipt may still come, and there is a time for it
		} else {
			err = w.ledger.Finish(ctx, l.id, w.clock.Now())
		}
	}
	l.again(l.now.Add(againLook)) // it has moved on
	return err
}
