package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
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

// outcomes is what records say beyond counts.
type outcomes struct {
	at       time.Time
	balance  campaign.Balance
	Looked   int // people whose records were read
	Fed      int // people who could have one
	Outcomes []report.Outcome
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
func (c *Console) outcomes(ctx context.Context, s *operations.Standing) (*outcomes, error) {
	k := c.kept.of(s.Info.ID, time.Now())
	k.mu.Lock()
	defer k.mu.Unlock()
	if o := k.last; o != nil && (o.balance == *s.Balance || time.Since(o.at) < outcomesLife) {
		return o, nil
	}
	o, err := c.readOutcomes(ctx, s.Info, maxRead)
	if err != nil {
		return nil, err
	}
	o.at, o.balance = time.Now(), *s.Balance
	k.last = o
	return o, nil
}

func (c *Console) readOutcomes(ctx context.Context, info *campaign.Info, maxPeople int) (o *outcomes, err error) {
	o = new(outcomes)
	counts := make(map[report.Outcome]int)
	o.Looked, o.Fed, err = c.reports.Sample(ctx, info, maxPeople, func(r *campaign.Record) {
		counts[report.Outcome{State: r.State, Reason: translate.Reason(r, info.Spec.Legs(nil, r))}]++
		o.Timing.add(r)
	})
	if err != nil {
		return nil, err
	}
	for one, n := range counts {
		one.Count = n
		o.Outcomes = append(o.Outcomes, one)
	}
	slices.SortFunc(o.Outcomes, func(a, b report.Outcome) int {
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

type outcomesPart struct {
	Sampled   bool // not all records were read
	Looked    int
	Fed       int
	At        time.Time
	Reasons   []reasonRow
	Deliver   *frame // nil: there are no deliveries yet
	Standards []percentileRow
	Fallback  *fallbackPart // nil: WhatsApp is the only channel, or isn't one
}

type reasonRow struct {
	State, Reason, People string
	Count                 int
}

const maxReasons = 40

func outcomesOf(s *operations.Standing, o *outcomes) *outcomesPart {
	if o == nil {
		return nil
	}
	p := &outcomesPart{Sampled: o.Looked < o.Fed, Looked: o.Looked, Fed: o.Fed, At: o.at}
	for _, one := range o.Outcomes {
		if one.Reason == "" || urgency(one.State) < 0 || len(p.Reasons) == maxReasons {
			continue
		}
		state := one.State.String()
		p.Reasons = append(p.Reasons, reasonRow{state, one.Reason, peopleAddress(s.Info.ID, state, one.Reason), one.Count})
	}
	limit := fallbackOf(s.Info.Spec)
	p.Deliver = o.Timing.chart(limit)
	p.Standards = o.Timing.table(limit)
	p.Fallback = o.Timing.fallback(limit)
	return p
}

// timing is how long deliveries took: from the claim, the last moment before
// the request, to the moment at which handout learned of the delivery. Both are
// whole seconds.
type timing struct {
	whatsApp []time.Duration // who was delivered to by WhatsApp alone
	sms      []time.Duration // by SMS alone, the wait for WhatsApp included
	both     int             // WhatsApp delivered after the SMS had gone out
}

func (t *timing) add(r *campaign.Record) {
	if r.State != campaign.Delivered {
		return
	}
	took := r.SettledAt.Sub(r.ClaimedAt)
	known := !r.ClaimedAt.IsZero() && !r.SettledAt.IsZero() && took >= 0
	switch r.DeliveredBy() {
	case campaign.ByWhatsApp:
		if known {
			t.whatsApp = append(t.whatsApp, took)
		}
	case campaign.BySMS:
		if known {
			t.sms = append(t.sms, took)
		}
	case campaign.ByBoth:
		t.both++
	}
}

func (t *timing) sort() {
	slices.Sort(t.whatsApp)
	slices.Sort(t.sms)
}

// telesignFallback is what Telesign waits without a fallback_time.
const telesignFallback = 5 * time.Minute

// fallbackOf is how long WhatsApp has before the next channel is tried; 0 if
// there is none, or no WhatsApp.
func fallbackOf(s *campaign.Spec) time.Duration {
	for i, channel := range s.Channels {
		if channel.Channel != "whatsapp" || i == len(s.Channels)-1 {
			continue
		}
		if channel.FallbackTime == 0 {
			return telesignFallback
		}
		return time.Duration(channel.FallbackTime) * time.Second
	}
	return 0
}

// percentile is the smallest of the sorted within which so many percent are;
// false if that is one of those beyond, of whom only the number is known.
func percentile(sorted []time.Duration, beyond, percent int) (time.Duration, bool) {
	n := len(sorted) + beyond
	at := (n*percent+99)/100 - 1 // the rank, rounded up
	if n == 0 || at >= len(sorted) {
		return 0, false
	}
	return sorted[max(0, at)], true
}

var percents = []int{50, 90, 95, 99}

type percentileRow struct {
	Key, Name string
	People    int
	Cells     []string // one for each of percents
}

// table is how long each channel took. Of who got both, WhatsApp's time isn't
// recorded: it was over the fallback time, limit.
func (t *timing) table(limit time.Duration) []percentileRow {
	var rows []percentileRow
	row := func(key, name string, took []time.Duration, beyond int) {
		if len(took)+beyond == 0 {
			return
		}
		r := percentileRow{Key: key, Name: name, People: len(took) + beyond}
		for _, p := range percents {
			cell := "over " + campaign.FormatDuration(limit)
			if limit == 0 {
				cell = "not known"
			}
			if d, ok := percentile(took, beyond, p); ok {
				cell = campaign.FormatDuration(d)
			}
			r.Cells = append(r.Cells, cell)
		}
		rows = append(rows, r)
	}
	row("whatsapp", "WhatsApp", t.whatsApp, t.both)
	row("sms", "SMS", t.sms, 0)
	return rows
}

// fallbackPart says what today's fallback time does, and what would be enough.
type fallbackPart struct {
	Today   string
	Reached int    // whom WhatsApp reached, sooner or later
	Share   string // of them, within today's
	Late    int    // who got the SMS, too
	Enough  []enough
}

type enough struct{ Percent, Time string }

func (t *timing) fallback(limit time.Duration) *fallbackPart {
	reached := len(t.whatsApp) + t.both
	if limit == 0 || reached == 0 {
		return nil
	}
	within := 0
	for _, d := range t.whatsApp {
		if d <= limit {
			within++
		}
	}
	f := &fallbackPart{Today: campaign.FormatDuration(limit), Reached: reached, Late: t.both, Share: percent(within, reached)}
	for _, p := range percents {
		words := "more than today's " + campaign.FormatDuration(limit)
		if d, ok := percentile(t.whatsApp, t.both, p); ok {
			words = campaign.FormatDuration(max(d, leastFallback))
		}
		f.Enough = append(f.Enough, enough{fmt.Sprintf("%d %%", p), words})
	}
	return f
}

// leastFallback is the shortest fallback time that Telesign takes.
const leastFallback = 30 * time.Second
