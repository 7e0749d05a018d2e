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
)

// rates are those in force now, and the limiters that hold them.
type rates struct {
	account     *pacing.Pacer
	environment float64 // the account's, unless a person has set another
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

func newRates(rdb redis.UniversalClient, account *pacing.Pacer, environment float64, count pacing.SlotCounts) *rates {
	return &rates{
		account: account, environment: environment, campaigns: make(map[campaign.ID]*ownPace),
		limiter: func(id campaign.ID) *pacing.Pacer {
			p := pacing.New(rdb, pacing.KeyCampaign(id), 0)
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
	changed = r.account.SetRate(set.Account(r.environment))
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

// wait waits for the campaign's own limiter. The context that it returns ends
// when the campaign's rate changes.
func (r *rates) wait(ctx context.Context, c *campaign.Info) (same context.Context, err error) {
	p, err := r.enter(c)
	if err != nil {
		return nil, err
	}
	err = p.Wait(ctx)
	return r.leave(p), err
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
// changes meanwhile, it begins again.
func (r *rates) slot(ctx context.Context, c *campaign.Info, urgent bool) (pacing.Slot, error) {
	for {
		same, err := r.wait(ctx, c)
		if err != nil {
			return pacing.Slot{}, err
		}
		both, cancel := context.WithCancel(ctx)
		unhook := context.AfterFunc(same, cancel)
		slot, err := r.account.Take(both, c.ID, urgent)
		unhook()
		cancel()
		if err == nil || ctx.Err() != nil || same.Err() == nil {
			return slot, err
		}
	}
}

// of is what a campaign may send per second; 0 is no limit.
func (r *rates) of(c *campaign.Info) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	account, own := r.set.Account(r.environment), r.set.Campaign(c)
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
	return p.Of(r.set.Account(r.environment))
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
	if w.rates.put(set) {
		select {
		case w.look <- struct{}{}: // for more of a campaign in the queue
		default:
		}
	}
	return nil
}

// showPace sets the metrics of the account's rate.
func (w *Worker) showPace(ctx context.Context) error {
	p, err := w.ledger.Pace(ctx)
	if err != nil {
		return err
	}
	w.metrics.granted.Set(p.Granted)
	w.metrics.rate.Set(w.rates.accountNow(p))
	return nil
}
