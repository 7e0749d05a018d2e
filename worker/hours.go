package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/hibiken/asynq"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/tasks"
)

// hours are when the people of one campaign may be sent to. A nil one: always.
type hours struct {
	schedules []*campaign.Schedule // one for each of Info.Zones, or one for all
	zones     ledger.PageZones     // of each page; none: one for all
	pages     [][]int              // of each zone, ascending

	mu     sync.Mutex
	known  []opening // by zone
	done   []int     // by zone: among so many first pages fed nobody is planned
	credit []float64 // by zone: what it has coming of the feed
}

// opening is a window as it was found at a time.
type opening struct {
	at     time.Time
	window campaign.Window
	ever   bool
}

// noWindow is when to look for windows again where there is none in a week.
const noWindow = time.Hour

// loadHours reads a campaign's; nil when it has none. What a request may take,
// and the record of its claim before it, must fall into the window too.
func (w *Worker) loadHours(ctx context.Context, c *campaign.Info) (*hours, error) {
	if c.Spec.Hours == nil {
		return nil, nil
	}
	margin := w.sendTimeout + recordPatience
	h := &hours{}
	if !c.Zoned() {
		h.schedules = []*campaign.Schedule{c.Spec.Schedule("", margin)}
	} else {
		var err error
		if h.zones, err = w.ledger.PageZones(ctx, c); err != nil {
			return nil, err
		}
		h.pages = make([][]int, len(c.Zones))
		for page := range h.zones.Pages() {
			zone := h.zones.Of(page)
			h.pages[zone] = append(h.pages[zone], page)
		}
		for _, z := range c.Zones {
			h.schedules = append(h.schedules, c.Spec.Schedule(z.Zones, margin))
		}
	}
	n := len(h.schedules)
	h.known, h.done, h.credit = make([]opening, n), make([]int, n), make([]float64, n)
	return h, nil
}

// open says whether people of a zone may be sent to now, and otherwise when they
// may be; false when there is no such time in a week.
func (h *hours) open(zone int, now time.Time) (open bool, opens time.Time, ever bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := &h.known[zone]
	good := o.window.To
	if !o.ever {
		good = o.at.Add(noWindow)
	}
	if o.at.IsZero() || now.Before(o.at) || !now.Before(good) {
		o.at = now
		o.window, o.ever = h.schedules[zone].Next(now)
	}
	return o.ever && o.window.Contains(now), o.window.From, o.ever
}

// closed says whether nobody of a page may be sent to now, and until when; the
// zero time when there is no end to it.
func (h *hours) closed(page int, now time.Time) (closed bool, until time.Time) {
	if h == nil {
		return false, time.Time{}
	}
	zone := 0
	if h.pages != nil {
		if page < 0 || page >= h.zones.Pages() {
			return false, time.Time{} // there is nobody
		}
		zone = h.zones.Of(page)
	}
	open, opens, ever := h.open(zone, now)
	if open || !ever {
		return !open, time.Time{}
	}
	return true, opens
}

// closed says whether the hours keep a page from being sent to now.
func (w *Worker) closed(ctx context.Context, id campaign.ID, page int) bool {
	s, err := w.cache.subject(ctx, id)
	if err != nil {
		return false // the claim says why
	}
	closed, _ := s.hours.closed(page, w.clock.Now())
	return closed
}

// wait puts someone off whose window is closed. Not by more than a while: a
// cancel or a resume of the campaign calls the pages that are due within it.
func (v *visitor) wait(until, now time.Time) {
	later := now.Add(stoppedLook)
	if !until.IsZero() && until.Before(later) {
		later = until
	}
	v.again(later)
}

// fedIn is how many recipients of a page have been fed, from its first on.
func (w *Worker) fedIn(ctx context.Context, s *subject, page, cursor int) (int, error) {
	size := s.Size(page)
	if !s.Zoned() {
		return max(0, min(size, cursor-campaign.Place{Page: page}.Position())), nil
	}
	if page >= s.hours.zones.Pages() {
		return 0, nil
	}
	fed, err := w.ledger.Fed(ctx, s.Info)
	if err != nil {
		return 0, err
	}
	zone := s.hours.zones.Of(page)
	if nth, _ := slices.BinarySearch(s.hours.pages[zone], page); nth >= fed[zone].Pages {
		return 0, nil
	}
	return size, nil
}

// fillZones is fill for a campaign in pages by zone: it feeds whole pages, and
// only of zones that are open now.
func (w *Worker) fillZones(ctx context.Context, s *subject) (more bool, err error) {
	// The cursor first: whatever is fed after it was read makes Advance refuse.
	phase, _, cursor, err := w.ledger.Phase(ctx, s.ID)
	if err != nil || cursor >= s.Total {
		return false, err
	}
	fed, err := w.ledger.Fed(ctx, s.Info)
	if err != nil {
		return false, err
	}
	switch phase {
	case campaign.Running:
	case campaign.Ended:
		return w.cancelZones(ctx, s, cursor, fed)
	default:
		return false, nil
	}
	if pass, more, err := w.filesPass(ctx, s); err != nil || !pass {
		return more, err
	}
	var open []int
	now := w.clock.Now()
	for zone := range s.Zones {
		if is, _, _ := s.hours.open(zone, now); is {
			open = append(open, zone)
		}
	}
	queued, err := w.queuedIn(ctx, s, open, fed)
	if err != nil {
		return false, err
	}
	balance, err := w.ledger.Balance(ctx, s.ID)
	if err != nil {
		return false, err
	}
	end, err := w.canary(ctx, s, cursor, balance)
	if err != nil || cursor >= end {
		return false, err
	}
	window := w.windowOf(s)
	var c choice
	if queued < max(1, window*3/4) {
		// Whole pages: of a canary it may be up to twice as many.
		c = s.hours.choose(s.Info, open, fed, min(window-queued, end-cursor))
		if err := w.enqueuePages(ctx, s, cursor, c); err != nil {
			return false, err
		}
	}
	left := 0
	for _, zone := range open {
		left += len(s.hours.pages[zone]) - fed[zone].Pages - c.step[zone].Pages
	}
	return left > 0 && w.drainsFast(s), nil
}

// countPages is how many pages are counted in one call.
const countPages = 500

// queuedIn is how many recipients of these zones have been fed and are still
// planned: what stands in the queue, and what got lost there. Those of zones that
// have closed meanwhile aren't in anybody's way.
func (w *Worker) queuedIn(ctx context.Context, s *subject, zones []int, fed []ledger.Fed) (int, error) {
	h, queued := s.hours, 0
	for _, zone := range zones {
		h.mu.Lock()
		first := h.done[zone]
		h.mu.Unlock()
		whole := true
		for first < fed[zone].Pages {
			pages := h.pages[zone][first:min(first+countPages, fed[zone].Pages)]
			records, err := w.ledger.Recorded(ctx, s.ID, pages)
			if err != nil {
				return 0, err
			}
			for i, page := range pages {
				left := max(0, s.Size(page)-records[i])
				queued += left
				// A record never goes away again.
				if whole = whole && left == 0; whole {
					h.mu.Lock()
					h.done[zone] = max(h.done[zone], first+i+1)
					h.mu.Unlock()
				}
			}
			first += len(pages)
		}
	}
	return queued, nil
}

// choice is pages to feed next, and what they add to their zones.
type choice struct {
	pages []int
	step  map[int]ledger.Fed
}

func (c *choice) add(s *campaign.Info, zone, page int) int {
	if c.step == nil {
		c.step = map[int]ledger.Fed{}
	}
	f, n := c.step[zone], s.Size(page)
	c.step[zone] = ledger.Fed{Pages: f.Pages + 1, Recipients: f.Recipients + n}
	c.pages = append(c.pages, page)
	return n
}

// choose takes pages of open zones, until there are n recipients or more. Half of
// what is fed goes to the zones in equal parts, so that a small one needn't wait
// for a large one, and half in proportion to what is left of each.
func (h *hours) choose(s *campaign.Info, open []int, fed []ledger.Fed, n int) choice {
	h.mu.Lock()
	defer h.mu.Unlock()
	var c choice
	for n > 0 {
		total, some := 0, 0
		for _, zone := range open {
			if left := len(h.pages[zone]) - fed[zone].Pages - c.step[zone].Pages; left > 0 {
				total += left
				some++
			}
		}
		if some == 0 {
			break
		}
		best := -1
		for _, zone := range open {
			left := len(h.pages[zone]) - fed[zone].Pages - c.step[zone].Pages
			if left <= 0 {
				h.credit[zone] = 0
				continue
			}
			h.credit[zone] += float64(left)/float64(total) + 1/float64(some)
			if best < 0 || h.credit[zone] > h.credit[best] {
				best = zone
			}
		}
		h.credit[best] -= 2 // all that was given out in this round
		n -= c.add(s, best, h.pages[best][fed[best].Pages+c.step[best].Pages])
	}
	return c
}

func (w *Worker) enqueuePages(ctx context.Context, s *subject, cursor int, c choice) error {
	if len(c.pages) == 0 {
		return nil
	}
	var notes []*asynq.Task
	run := w.runOf(s)
	for _, page := range c.pages {
		size := s.Size(page)
		for i := 0; i < size; i += run {
			notes = append(notes, tasks.NewSends(s.ID, campaign.Place{Page: page, Index: i}, min(run, size-i), s.Spec.Lane))
		}
	}
	// The notes first, as in enqueueFrom. After a crash others may be fed next:
	// whoever of these is sent to has a record, and is fed all the same later.
	if _, err := w.queue.EnqueueAll(ctx, notes); err != nil {
		return err
	}
	_, err := w.ledger.AdvanceZones(ctx, s.ID, cursor, c.step, c.pages, w.clock.Now().Add(w.lookAfter()))
	return err
}

// cancelPages is how many pages are canceled at a time.
const cancelPages = 10

// cancelZones cancels people of a canceled campaign who were never fed, whether
// their zone is open or not.
func (w *Worker) cancelZones(ctx context.Context, s *subject, cursor int, fed []ledger.Fed) (more bool, err error) {
	var c choice
	for zone, pages := range s.hours.pages {
		for _, page := range pages[min(len(pages), fed[zone].Pages):] {
			if len(c.pages) == cancelPages {
				break
			}
			c.add(s.Info, zone, page)
		}
	}
	for _, page := range c.pages {
		err := each(s.Size(page), func(i int) error {
			_, err := w.ledger.Apply(ctx, s.Info, campaign.Place{Page: page, Index: i}, ledger.Seen{},
				campaign.Event{Kind: campaign.EventCancel, At: w.clock.Now()})
			var refused *campaign.TransitionError
			if errors.As(err, &refused) {
				return nil
			}
			return err
		})
		if err != nil {
			return false, err
		}
	}
	if len(c.pages) == 0 {
		return false, nil // someone else has fed them, just now
	}
	_, err = w.ledger.AdvanceZones(ctx, s.ID, cursor, c.step, c.pages, w.clock.Now())
	return true, err
}
