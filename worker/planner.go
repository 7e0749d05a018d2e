package worker

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
	"github.com/handout-dev/handout/ledger"
)

const (
	// roundTime is the longest time between two reads of what is due.
	roundTime = 100 * time.Millisecond
	// dueCampaigns is how many campaigns one round looks at, and looksAtOnce how many
	// side by side.
	dueCampaigns = 200
	looksAtOnce  = 32
	// looksLease is how long nothing is looked at once the worker that looks was
	// killed, and leaseKeep how often it takes its lease anew.
	looksLease = 3 * time.Second
	leaseKeep  = time.Second
	// ahead is how far ahead a worker that takes the lease reads who else can send.
	ahead = time.Hour
	// maxLate bounds known.late.
	maxLate = 30 * time.Second
	// errorLook is when to look again at a campaign that couldn't be looked at. After
	// each failure in a row it's twice as long, up to longErrorLook: Redis is soon
	// back, what is wrong with the campaign stays.
	errorLook     = 250 * time.Millisecond
	longErrorLook = 5 * time.Second
	// yieldTime is how long the lease is left to others by a worker that has met a
	// campaign of a newer program: they try to take it every leaseKeep/2. Without others
	// it is taken again, for the campaigns that this program can read.
	yieldTime = 2 * time.Second
	// yieldAgain is how long a worker looks, after it has yielded, before it does again:
	// where there is no newer one, what all know goes on.
	yieldAgain = 30 * time.Second
)

// planner is what the worker that looks at due campaigns knows of them between two
// looks. All of it may be lost: it is read again.
type planner struct {
	mu    sync.Mutex
	known map[campaign.ID]*known
	// turns are the known ones by when tasks of theirs were written last, the longest ago
	// first: in this order a plan needs no sorting.
	turns []*known
	busy  map[campaign.ID]bool // looked at just now
	// checking are the campaigns whose files are checked just now.
	checking map[campaign.ID]bool
	kept     time.Time // when the lease was taken last
	yields   time.Time // until when the lease is left to others
	soon     time.Time // the soonest look that is known of

	rollbacks int64         // of Redis, when it was emptied last
	places    chan struct{} // looks side by side
	looks     sync.WaitGroup
}

// known is a campaign between two looks.
type known struct {
	account string
	demand  pacing.Demand
	// line is as in the last plan, see pacing.Room; true before there is one.
	line  bool
	due   ledger.DueCampaign // as it was read, or put off, last
	share float64            // by the last plan
	at    time.Time          // of the last look
	// late is how much longer than a window what stands in the queue is taken to stay
	// there, since it has done so: then a look would find no turn again.
	late    time.Duration
	hand    hand
	sum     campaign.Balance
	idle    time.Duration // until it is looked at again for what others may change
	sampled time.Time
	failed  time.Duration // until the next look, since the latest one failed
}

// hand are the recipients to be tried again whose tasks stand in the queue.
type hand map[campaign.Place]bool

func newPlanner() *planner {
	p := &planner{busy: make(map[campaign.ID]bool), checking: make(map[campaign.ID]bool), places: make(chan struct{}, looksAtOnce)}
	p.forget()
	return p
}

func (p *planner) forget() {
	p.known, p.turns, p.kept = make(map[campaign.ID]*known), nil, time.Time{}
}

// plan looks at what is due, as long as this worker has the lease: it fills windows,
// and settles. A second worker that does so too does no harm: every step is checked
// in the ledger.
func (w *Worker) plan(ctx context.Context) {
	defer w.planner.looks.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-w.look:
			if err := w.callAll(ctx); err != nil {
				w.complain(ctx, "look at all campaigns", err)
			}
		case <-ctx.Done():
			// The next worker needn't wait; if this fails, the lease runs out by itself.
			_, _ = w.ledger.LeaseLooks(context.WithoutCancel(ctx), w.name, 0)
			return
		}
		wait, err := w.round(ctx)
		if err != nil {
			w.complain(ctx, "look at what is due", err)
		}
		timer.Reset(wait)
	}
}

func (w *Worker) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		w.metrics.ledgerErrors.Inc()
		w.log.Warn(what, "error", err)
	}
}

// callAll has everyone looked at who can send, since the rates have changed.
func (w *Worker) callAll(ctx context.Context) error {
	w.planner.mu.Lock()
	ids := make([]campaign.ID, 0, len(w.planner.known))
	for id := range w.planner.known {
		ids = append(ids, id)
	}
	w.planner.mu.Unlock()
	if len(ids) == 0 {
		return nil
	}
	return w.ledger.Call(ctx, ids...)
}

// round looks at what is due, and returns how long to wait for the next one.
func (w *Worker) round(ctx context.Context) (time.Duration, error) {
	p := w.planner
	mine, fresh, err := w.keepLooking(ctx)
	if err != nil || !mine {
		return leaseKeep / 2, err
	}
	// Before anything is written to the queue: it may be what has been sent since.
	if err := w.verify(ctx, w.rollback.rollbacks.Load()); err != nil {
		return roundTime, err
	}
	now := w.clock.Now()
	if fresh {
		// Who isn't due yet can send, too: else the first ones would be given their parts.
		later, err := w.ledger.DueCampaigns(ctx, now.Add(ahead), -1)
		if err != nil {
			return roundTime, err
		}
		w.readAll(ctx, later)
	}
	due, err := w.ledger.DueCampaigns(ctx, now, dueCampaigns)
	if err != nil {
		return roundTime, err
	}
	due = append(due, w.turns(now)...)
	p.mu.Lock()
	p.soon = now.Add(roundTime)
	free := due[:0:0]
	for _, d := range due {
		if !p.busy[d.ID] {
			p.busy[d.ID] = true
			free = append(free, d)
		}
	}
	p.mu.Unlock()
	for _, l := range w.readAll(ctx, free) { // the plan wants all of their demands
		p.places <- struct{}{}
		p.looks.Go(func() {
			next := l.act(ctx)
			<-p.places
			p.end(l, next)
		})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(time.Millisecond, min(roundTime, p.soon.Sub(w.clock.Now()))), nil
}

// readAll reads where campaigns stand.
func (w *Worker) readAll(ctx context.Context, due []ledger.DueCampaign) []*look {
	looks := make([]*look, len(due))
	for from := 0; from < len(due); from += looksAtOnce {
		_ = each(min(looksAtOnce, len(due)-from), func(i int) error {
			l := &look{w: w, due: due[from+i], id: due[from+i].ID, now: w.clock.Now()}
			l.k = w.planner.of(l.due, l.now)
			l.err = l.read(ctx)
			looks[from+i] = l
			return nil
		})
	}
	return looks
}

// end ends a look. The next round isn't later than the campaign's next look.
func (p *planner) end(l *look, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.k.due = l.due
	delete(p.busy, l.id)
	if !next.IsZero() && next.Before(p.soon) {
		p.soon = next
	}
}

// keepLooking takes the lease, or keeps it; fresh: it has just been taken.
func (w *Worker) keepLooking(ctx context.Context) (mine, fresh bool, err error) {
	p := w.planner
	rollbacks := w.rollback.rollbacks.Load()
	p.mu.Lock()
	if p.rollbacks != rollbacks {
		p.forget()
		p.rollbacks = rollbacks
	}
	kept, yields := p.kept, time.Now().Before(p.yields)
	p.mu.Unlock()
	if yields {
		return false, false, nil
	}
	if time.Since(kept) < leaseKeep {
		return true, false, nil
	}
	mine, err = w.ledger.LeaseLooks(ctx, w.name, looksLease)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil || !mine {
		p.forget()
		return false, false, err
	}
	p.kept = time.Now()
	return true, kept.IsZero(), nil
}

// yield leaves the looks to others for a while, which may be newer.
func (w *Worker) yield(ctx context.Context) error {
	p := w.planner
	p.mu.Lock()
	if time.Since(p.yields) < yieldAgain {
		p.mu.Unlock()
		return nil
	}
	p.forget()
	p.yields = time.Now().Add(yieldTime)
	p.mu.Unlock()
	_, err := w.ledger.LeaseLooks(ctx, w.name, 0)
	return err
}

// looking reports whether this worker has the lease.
func (p *planner) looking() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.kept) < looksLease
}

// of returns what is known of a campaign that is due.
func (p *planner) of(due ledger.DueCampaign, now time.Time) *known {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.known[due.ID]
	if !ok {
		k = &known{demand: pacing.Demand{Served: now}, line: true}
		p.known[due.ID] = k
		p.turns = append(p.turns, k)
	}
	if due.Member == string(due.ID) { // an announcement stays until its time
		k.due = due
	}
	return k
}

// drop forgets a campaign that can't send.
func (p *planner) drop(id campaign.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k, ok := p.known[id]; ok {
		p.turns = slices.DeleteFunc(p.turns, func(other *known) bool { return other == k })
		delete(p.known, id)
	}
}

// demands sets what a campaign of an account could send.
func (p *planner) demands(k *known, account string, d pacing.Demand, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k.account = account
	d.Served = k.demand.Served
	switch stood := now.Sub(k.at) >= pacing.WindowTime+k.late; {
	case d.Queued == 0:
		k.late = 0
	case k.line && stood:
		k.late = min(2*k.late+pacing.WindowTime, maxLate)
	}
	k.demand, k.at = d, now
}

// room is what a campaign gets by a plan for all that are known of its account, whose
// rate it is.
func (p *planner) room(k *known, rate float64, window int, now time.Time) pacing.Room {
	p.mu.Lock()
	defer p.mu.Unlock()
	in, demands := p.with(k.account, k, now)
	own := slices.Index(in, k)
	if own < 0 { // dropped meanwhile
		own, demands = len(demands), append(demands, k.demand)
	}
	r := pacing.Plan(now, rate, window, demands)[own]
	if k.share, k.line = r.Share, r.Line; r.Recipients > 0 {
		k.demand.Served = now
		k.demand.Ready -= r.Recipients
		k.demand.Queued += r.Recipients
		if i := slices.Index(p.turns, k); i >= 0 {
			p.turns = append(slices.Delete(p.turns, i, i+1), k)
		}
	}
	return r
}

// with is who of an account can send now, and what each could send; k, if not nil, is
// looked at just now.
func (p *planner) with(account string, k *known, now time.Time) (in []*known, demands []pacing.Demand) {
	in, demands = make([]*known, 0, len(p.turns)), make([]pacing.Demand, 0, 1+len(p.turns))
	for _, other := range p.turns {
		d := other.demand
		if other != k {
			if other.account != account || d.Ready+d.Queued == 0 {
				continue
			}
			// What stood in the queue at its last look goes within the time of a window.
			left := 1 - min(1, now.Sub(other.at).Seconds()/(pacing.WindowTime+other.late).Seconds())
			d.Queued = int(math.Ceil(float64(d.Queued) * left))
		}
		in, demands = append(in, other), append(demands, d)
	}
	return in, demands
}

// turns are the campaigns of a line whose turn has come. A look for each by its own
// time would mostly be too early, or leave the rate unused.
func (w *Worker) turns(now time.Time) (due []ledger.DueCampaign) {
	p := w.planner
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, a := range w.accounts {
		if !slices.ContainsFunc(p.turns, func(k *known) bool { return k.line && k.account == name }) {
			continue
		}
		in, demands := p.with(name, nil, now)
		for i, r := range pacing.Plan(now, a.rates.accountNow(pacing.Pace{}), w.window, demands) {
			if in[i].line && r.Recipients > 0 && in[i].due.ID != "" {
				due = append(due, in[i].due)
			}
		}
	}
	return due
}

// beside is how many known campaigns of an account can send.
func (p *planner) beside(account string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, k := range p.known {
		if k.account == account && k.demand.Ready+k.demand.Queued > 0 {
			n++
		}
	}
	return n
}

// sample records where a campaign stands, unless it has just been done.
func (w *Worker) sample(ctx context.Context, id campaign.ID, k *known, now time.Time) error {
	if d := now.Sub(k.sampled); d >= 0 && d < ledger.SampleTime {
		return nil
	}
	k.sampled = now
	return w.ledger.Sample(ctx, id)
}
