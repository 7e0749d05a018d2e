package console

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
)

const (
	// maxRead is how many people's records are read for a page.
	maxRead = 200_000
	// outcomesLife is how long what was read is shown while a campaign moves.
	outcomesLife = 20 * time.Second
	// maxKept is for how many campaigns it is kept.
	maxKept = 50
)

// outcome is a state and why, and for how many of those looked at.
type outcome struct {
	State  campaign.State
	Reason string
	Count  int
}

// outcomes is what records say beyond counts.
type outcomes struct {
	at       time.Time
	balance  campaign.Balance
	Looked   int // people whose records were read
	Fed      int // people who could have one
	Outcomes []outcome
	Timing   timing
}

// outcomeCache keeps the outcomes of campaigns, so that many who look at one
// make no more work than one. The zero cache is ready to use.
type outcomeCache struct {
	mu  sync.Mutex
	all map[campaign.ID]*keptOutcomes
}

type keptOutcomes struct {
	mu   sync.Mutex // held while they are read
	last *outcomes
	used time.Time
}

func (c *outcomeCache) of(id campaign.ID, now time.Time) *keptOutcomes {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[campaign.ID]*keptOutcomes{}
	}
	k := c.all[id]
	if k == nil {
		if len(c.all) >= maxKept {
			c.dropOldest()
		}
		k = new(keptOutcomes)
		c.all[id] = k
	}
	k.used = now
	return k
}

func (c *outcomeCache) dropOldest() {
	var oldest campaign.ID
	for id, k := range c.all {
		if oldest == "" || k.used.Before(c.all[oldest].used) {
			oldest = id
		}
	}
	delete(c.all, oldest)
}

// outcomes reads a campaign's records, or gives what was read a moment ago.
func (c *Console) outcomes(ctx context.Context, s standing) (*outcomes, error) {
	k := c.kept.of(s.info.ID, time.Now())
	k.mu.Lock()
	defer k.mu.Unlock()
	if o := k.last; o != nil && (o.balance == *s.balance || time.Since(o.at) < outcomesLife) {
		return o, nil
	}
	o, err := c.readOutcomes(ctx, s.info, maxRead)
	if err != nil {
		return nil, err
	}
	o.at, o.balance = time.Now(), *s.balance
	k.last = o
	return o, nil
}

// readOutcomes reads the records of at most so many people.
func (c *Console) readOutcomes(ctx context.Context, info *campaign.Info, maxPeople int) (o *outcomes, err error) {
	o = new(outcomes)
	counts := make(map[outcome]int)
	o.Looked, o.Fed, err = c.reports.Sample(ctx, info, maxPeople, func(r *campaign.Record) {
		counts[outcome{State: r.State, Reason: translate.Reason(r)}]++
		o.Timing.add(r)
	})
	if err != nil {
		return nil, err
	}
	for one, n := range counts {
		one.Count = n
		o.Outcomes = append(o.Outcomes, one)
	}
	slices.SortFunc(o.Outcomes, func(a, b outcome) int {
		return cmp.Or(cmp.Compare(urgency(a.State), urgency(b.State)), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	o.Timing.sort()
	return o, nil
}

// byUrgency are the states that reasons are shown of, in this order.
var byUrgency = []campaign.State{
	campaign.Failed, campaign.Refused, campaign.Unconfirmed, campaign.InDoubt, campaign.Retrying, campaign.Delivered, campaign.Suppressed, campaign.Canceled,
}

// urgency is a state's place in their order; -1 if its reasons aren't shown.
func urgency(s campaign.State) int { return slices.Index(byUrgency, s) }

// outcomesPart is what a page shows of them.
type outcomesPart struct {
	Sampled   bool // not all records were read
	Looked    int
	Fed       int
	At        time.Time
	Reasons   []reasonRow
	Deliver   *deliveryChart // nil: there are no deliveries yet
	Standards []percentileRow
	Fallback  *fallbackPart // nil: WhatsApp is the only channel, or isn't one
}

type reasonRow struct {
	State, Reason, People string
	Count                 int
}

// maxReasons is how many reasons a page shows.
const maxReasons = 40

func outcomesOf(s standing, o *outcomes) *outcomesPart {
	if o == nil {
		return nil
	}
	p := &outcomesPart{Sampled: o.Looked < o.Fed, Looked: o.Looked, Fed: o.Fed, At: o.at}
	for _, one := range o.Outcomes {
		if one.Reason == "" || urgency(one.State) < 0 || len(p.Reasons) == maxReasons {
			continue
		}
		state := one.State.String()
		p.Reasons = append(p.Reasons, reasonRow{state, one.Reason, peopleAddress(s.info.ID, state, one.Reason), one.Count})
	}
	limit := fallbackOf(s.info.Spec)
	p.Deliver = o.Timing.chart(limit)
	p.Standards = o.Timing.table(limit)
	p.Fallback = o.Timing.fallback(limit)
	return p
}
