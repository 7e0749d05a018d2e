package console

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

const (
	// mostRead is how many people's records are read for a page; of larger
	// campaigns, pages at even distances.
	mostRead = 200_000
	// readers is how many pages of records are read at once.
	readers = 8
	// outcomesLife is how long what was read is shown while a campaign moves.
	outcomesLife = 20 * time.Second
	// mostKept is for how many campaigns it is kept.
	mostKept = 50
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
		if len(c.all) >= mostKept {
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
	o, err := readOutcomes(ctx, c.ledger, s.info, mostRead)
	if err != nil {
		return nil, err
	}
	o.at, o.balance = time.Now(), *s.balance
	k.last = o
	return o, nil
}

// pagesToRead are the pages of so many people at most, at even distances. of is
// how many people all pages have together that could have a record.
func pagesToRead(info *campaign.Info, most int) (pages []int, of int) {
	last := info.Pages
	if !info.Zoned() { // fed in order: nobody after the cursor has a record
		last = min(last, (info.Cursor+campaign.PageSize-1)/campaign.PageSize)
	}
	n := min(last, max(1, most/campaign.PageSize))
	for i := range n {
		pages = append(pages, i*last/n)
	}
	for page := range last {
		of += info.Size(page)
	}
	return pages, of
}

// readOutcomes reads the records of at most so many people.
func readOutcomes(ctx context.Context, l *ledger.Ledger, info *campaign.Info, most int) (*outcomes, error) {
	pages, of := pagesToRead(info, most)
	o := &outcomes{Fed: of}
	counts := make(map[outcome]int)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var group sync.WaitGroup
	for reader := range readers {
		group.Go(func() {
			for i := reader; i < len(pages) && ctx.Err() == nil; i += readers {
				records, err := l.Records(ctx, info.ID, pages[i])
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				o.Looked += info.Size(pages[i])
				for _, seen := range records {
					r := seen.Record
					counts[outcome{State: r.State, Reason: translate.Reason(&r)}]++
					o.Timing.add(&r)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
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
	Deliver   *deliveryChart // nil: nobody was delivered to yet
	Standards []percentileRow
	Fallback  *fallbackPart // nil: WhatsApp is the only channel, or isn't one
}

type reasonRow struct {
	State, Reason, People string
	Count                 int
}

// mostReasons is how many reasons a page shows.
const mostReasons = 40

func outcomesOf(s standing, o *outcomes) *outcomesPart {
	if o == nil {
		return nil
	}
	p := &outcomesPart{Sampled: o.Looked < o.Fed, Looked: o.Looked, Fed: o.Fed, At: o.at}
	for _, one := range o.Outcomes {
		if one.Reason == "" || urgency(one.State) < 0 || len(p.Reasons) == mostReasons {
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
