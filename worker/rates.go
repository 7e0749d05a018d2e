package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/pacing"
)

const (
	// ratesTime is how often a worker reads the rates that persons have set.
	ratesTime = 250 * time.Millisecond
	// idleTime is how long a campaign's limiter is kept without a caller.
	idleTime = time.Minute
	// crowdLook is when settle looks at those who were turned away: about half of
	// those who wait have been sent to by then.
	crowdLook = pacing.WindowTime / 2
	// ownLate is how much later than its campaign's slot a send may leave with it. Those
	// that were held up for longer, by a 429 or by other campaigns, would leave together.
	ownLate = 300 * time.Millisecond
)

// rates are those of an account in force now, and the limiters that hold them.
type rates struct {
	name        string // the account's
	account     *pacing.Pacer
	environment float64 // its, unless a person has set another
	limiter     func(campaign.ID) *pacing.Pacer

	mu        sync.Mutex
	set       campaign.Rates
	campaigns map[campaign.ID]*ownPace
}

// ownPace is a campaign's limiter. It outlives the cached campaign: its callers
// must notice a change of the rate.
type ownPace struct {
	*pacing.Pacer
	info    *campaign.Info
	waiting int
	left    time.Time          // when the last one did
	same    context.Context    // until the rate changes
	change  context.CancelFunc // ends it
}

func (p *ownPace) set(rate float64) (changed bool) {
	if changed = p.SetRate(rate); changed || p.same == nil {
		if p.same != nil {
			p.change()
		}
		p.same, p.change = context.WithCancel(context.Background())
	}
	return changed
}

func newRates(rdb redis.UniversalClient, name string, account *pacing.Pacer, environment float64, count pacing.SlotCounts) *rates {
	return &rates{
		name: name, account: account, environment: environment, campaigns: make(map[campaign.ID]*ownPace),
		limiter: func(id campaign.ID) *pacing.Pacer {
			p := pacing.New(rdb, pacing.KeyCampaign(rdb, id), 0)
			p.CountIn(count)
			return p
		},
	}
}

// put sets all limiters to what persons have set; changed says whether any has.
func (r *rates) put(set campaign.Rates) (changed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set = set
	changed = r.account.SetRate(set.Account(r.name, r.environment))
	for id, p := range r.campaigns {
		if p.waiting == 0 && time.Since(p.left) > idleTime {
			p.change()
			delete(r.campaigns, id)
			continue
		}
		changed = p.set(set.Campaign(p.info)) || changed
	}
	return changed
}

// errCrowded means that more callers wait for a campaign than it may send soon:
// its rate was lowered, and they would hold up the other campaigns.
var errCrowded = errors.New("the campaign's rate has been lowered")

// wait waits for the campaign's own limiter, and returns its slot. The context that it
// returns ends when the campaign's rate changes.
func (r *rates) wait(ctx context.Context, c *campaign.Info) (own pacing.Slot, same context.Context, err error) {
	p, err := r.enter(c)
	if err != nil {
		return own, nil, err
	}
	if own, err = p.Take(ctx, "", false); err == nil {
		own, err = p.Await(ctx, own, "", false)
	}
	return own, r.leave(p), err
}

func (r *rates) enter(c *campaign.Info) (*ownPace, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.campaigns[c.ID]
	if !ok {
		p = &ownPace{Pacer: r.limiter(c.ID), info: c}
		p.set(r.set.Campaign(c))
		r.campaigns[c.ID] = p
	}
	if rate := r.set.Campaign(c); rate > 0 && p.waiting > int(rate*pacing.WindowTime.Seconds()) {
		return nil, errCrowded
	}
	p.waiting++
	return p, nil
}

func (r *rates) leave(p *ownPace) (same context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.waiting--
	p.left = time.Now()
	return p.same
}

// slot waits for the campaign's own rate, then for the account's: in this order
// no slot of the account's is wasted on the other wait. If the campaign's rate
// changes meanwhile, or its slot is too old by then, it begins again.
func (r *rates) slot(ctx context.Context, c *campaign.Info, urgent bool) (slot, own pacing.Slot, err error) {
	for {
		var same context.Context
		if own, same, err = r.wait(ctx, c); err != nil {
			return slot, own, err
		}
		both, cancel := context.WithCancel(ctx)
		unhook := context.AfterFunc(same, cancel)
		slot, err = r.account.Take(both, c.ID, urgent)
		unhook()
		cancel()
		switch {
		case err == nil && r.renew(ctx, c, slot, &own), ctx.Err() != nil, err != nil && same.Err() == nil:
			return slot, own, err
		case err == nil:
			r.account.Unused(slot)
		}
	}
}

// renew reports whether a send may leave in the account's slot with its campaign's
// own: if that is too old, it takes one that the campaign has by then.
func (r *rates) renew(ctx context.Context, c *campaign.Info, slot pacing.Slot, own *pacing.Slot) bool {
	if !slot.LaterThan(*own, ownLate) {
		return true
	}
	p, err := r.enter(c)
	if err != nil {
		return false
	}
	defer r.leave(p)
	newer, ok := p.TakeBy(ctx, slot)
	if ok {
		*own = newer
	}
	return ok
}

// again waits for another slot of the campaign's, for a claim that was held up.
func (r *rates) again(ctx context.Context, c *campaign.Info, own pacing.Slot) (pacing.Slot, error) {
	r.mu.Lock()
	p, rate := r.campaigns[c.ID], r.set.Campaign(c)
	r.mu.Unlock()
	if p == nil || rate < 1 { // less than one in a second can't be too many in it
		return own, nil
	}
	next, err := p.Take(ctx, "", false)
	if err != nil {
		return own, err
	}
	return p.Await(ctx, next, "", false)
}

// of is what a campaign may send per second; 0 is no limit.
func (r *rates) of(c *campaign.Info) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	account, own := r.set.Account(r.name, r.environment), r.set.Campaign(c)
	switch {
	case own == 0:
		return account
	case account == 0:
		return own
	}
	return min(account, own)
}

// own is the campaign's own rate; 0: none.
func (r *rates) own(c *campaign.Info) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set.Campaign(c)
}

// accountNow is the account's rate in force.
func (r *rates) accountNow(p pacing.Pace) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.Of(r.set.Account(r.name, r.environment))
}

// followRates keeps the limiters at what persons set.
func (w *Worker) followRates(ctx context.Context) {
	ticker := time.NewTicker(ratesTime)
	defer ticker.Stop()
	for said := false; ; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		// What was read last holds while Redis can't be reached.
		err := w.readRates(ctx)
		if err != nil && ctx.Err() == nil {
			w.metrics.ledgerErrors.Inc()
			if !said {
				w.log.Warn("read the rates", "error", err)
			}
		}
		said = err != nil
	}
}

func (w *Worker) readRates(ctx context.Context) error {
	set, err := w.ledger.Rates(ctx)
	if err != nil {
		return err
	}
	changed := false
	for _, a := range w.accounts {
		changed = a.rates.put(set) || changed
	}
	if changed {
		select {
		case w.look <- struct{}{}: // for more of a campaign in the queue
		default:
		}
	}
	return nil
}

// showPace sets the metrics of the accounts' rates.
func (w *Worker) showPace(ctx context.Context) error {
	for _, a := range w.accounts {
		p, err := w.ledger.Pace(ctx, a.name)
		if err != nil {
			return err
		}
		a.metrics.granted.Set(p.Granted)
		a.metrics.rate.Set(a.rates.accountNow(p))
	}
	return nil
}
