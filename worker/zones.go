package worker

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
)

// zones are a campaign's: where in its pages the people of each stand, and when
// they may be sent to. A list that isn't in pages by zone is one zone.
type zones struct {
	all []zone
	of  []uint16 // the zone of each page
	mu  sync.Mutex
}

// zone is one of them. Its people are fed in the order of its pages. The lock
// of zones guards what changes.
type zone struct {
	schedule *campaign.Schedule // nil: always open
	pages    []zonePage         // ascending

	known   opening
	settled int     // so many first pages have a record of everyone
	credit  float64 // recipients that it has coming of the feed
}

// zonePage is a page, and how many recipients of its zone stand up to its end.
type zonePage struct{ number, end int }

// opening is a window as it was found at a time.
type opening struct {
	at     time.Time
	window campaign.Window
	ever   bool
}

// noWindow is when to look for windows again where there is none in a week.
const noWindow = time.Hour

// loadZones reads a campaign's zones. What a request may take, and the record of
// its claim before it, must fall into the window too.
func (w *Worker) loadZones(ctx context.Context, c *campaign.Info) (*zones, error) {
	pages, err := w.ledger.PageZones(ctx, c)
	if err != nil {
		return nil, err
	}
	z := &zones{all: make([]zone, len(c.Zones)), of: make([]uint16, pages.Pages())}
	for i := range z.all {
		z.all[i].schedule = c.Spec.Schedule(c.Zones[i].Zones, w.sendTimeout+recordPatience)
	}
	for page := range z.of {
		z.of[page] = uint16(pages.Of(page))
		zone := &z.all[z.of[page]]
		zone.pages = append(zone.pages, zonePage{page, zone.recipients() + c.Size(page)})
	}
	return z, nil
}

// recipients is how many stand in the zone.
func (z *zone) recipients() int { return z.end(len(z.pages)) }

// end is how many recipients stand in the first n pages.
func (z *zone) end(n int) int {
	if n == 0 {
		return 0
	}
	return z.pages[n-1].end
}

// open reports whether people of a zone may be sent to now, and otherwise when
// they may be; false when there is no such time in a week.
func (z *zones) open(i int, now time.Time) (open bool, opens time.Time, ever bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	o := &z.all[i].known
	good := o.window.To
	if !o.ever {
		good = o.at.Add(noWindow)
	}
	if o.at.IsZero() || now.Before(o.at) || !now.Before(good) {
		o.at = now
		o.window, o.ever = z.all[i].schedule.Next(now)
	}
	return o.ever && o.window.Contains(now), o.window.From, o.ever
}

// window returns the window of a page's people that is open at a time, or the next
// one; false when there is none in a week.
func (z *zones) window(page int, at time.Time) (campaign.Window, bool) {
	if page < 0 || page >= len(z.of) {
		return campaign.Window{From: at, To: at.AddDate(1, 0, 0)}, true // as closed says of an empty page
	}
	return z.all[z.of[page]].schedule.Next(at)
}

// opens returns when a closed zone may next be sent to, or when to ask again.
func (z *zones) opens(i int, now time.Time) time.Time {
	if _, opens, ever := z.open(i, now); ever {
		return opens
	}
	return now.Add(noWindow)
}

// split returns the zones that are open now, and those that are closed.
func (z *zones) split(now time.Time) (open, closed []int) {
	for i := range z.all {
		if is, _, _ := z.open(i, now); is {
			open = append(open, i)
		} else {
			closed = append(closed, i)
		}
	}
	return open, closed
}

// closed reports whether the people of a page can't be sent to now, and until
// when; the zero time when there is no end to it.
func (z *zones) closed(page int, now time.Time) (closed bool, until time.Time) {
	if page < 0 || page >= len(z.of) {
		return false, time.Time{} // an empty page
	}
	open, opens, ever := z.open(int(z.of[page]), now)
	if open || !ever {
		return !open, time.Time{}
	}
	return true, opens
}

// closed reports whether the hours keep a page from being sent to now.
func (w *Worker) closed(ctx context.Context, id campaign.ID, page int) bool {
	s, err := w.cache.subject(ctx, id)
	if err != nil {
		return false // the claim says why
	}
	closed, _ := s.zones.closed(page, w.clock.Now())
	return closed
}

// fedIn is how many recipients of a page have been fed, from its first on, when
// so many of each zone have been.
func (z *zones) fedIn(page int, byZone []int) int {
	if page >= len(z.of) {
		return 0
	}
	zone := &z.all[z.of[page]]
	nth, _ := slices.BinarySearchFunc(zone.pages, page, func(p zonePage, page int) int { return cmp.Compare(p.number, page) })
	return max(0, min(byZone[z.of[page]], zone.pages[nth].end)-zone.end(nth))
}

// left is how many recipients of these zones are still to be fed.
func (z *zones) left(of, byZone []int) int {
	n := 0
	for _, i := range of {
		n += z.all[i].left(byZone[i])
	}
	return n
}

func (z *zone) left(fed int) int { return z.recipients() - fed }

// part is some recipients who stand side by side in a page.
type part struct{ page, index, count int }

// next is the part that follows when so many of the zone have been fed: no more
// than n recipients, of one page.
func (z *zone) next(fed, n int) part {
	nth, _ := slices.BinarySearchFunc(z.pages, fed+1, func(p zonePage, end int) int { return cmp.Compare(p.end, end) })
	return part{page: z.pages[nth].number, index: fed - z.end(nth), count: min(n, z.pages[nth].end-fed)}
}

// choose takes the next n recipients of open zones, or all who are left there, and
// returns how many of each zone have been fed with them. Half of what is fed goes
// to the zones in equal parts, so that a small one needn't wait for a large one,
// and half in proportion to what is left of each.
func (z *zones) choose(open, byZone []int, n int) (parts []part, fed []int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	fed = slices.Clone(byZone)
	for n > 0 {
		total, some, best := z.left(open, fed), 0, -1
		for _, i := range open {
			if z.all[i].left(fed[i]) <= 0 {
				z.all[i].credit = 0
				continue
			}
			some++
			if best < 0 || z.all[i].credit > z.all[best].credit {
				best = i
			}
		}
		if best < 0 {
			break
		}
		p := z.all[best].next(fed[best], n)
		for _, i := range open {
			if left := z.all[i].left(fed[i]); left > 0 {
				z.all[i].credit += float64(p.count) * (float64(left)/float64(total) + 1/float64(some)) / 2
			}
		}
		z.all[best].credit -= float64(p.count)
		fed[best] += p.count
		n -= p.count
		parts = append(parts, p)
	}
	return parts, fed
}

// countPages is how many pages are counted in one call.
const countPages = 500

// stuckIn is how many recipients have been fed in zones that have closed since,
// and have no record. They don't stand before those of the open zones.
func (w *Worker) stuckIn(ctx context.Context, s *subject, closed, byZone []int) (int, error) {
	stuck := 0
	for _, i := range closed {
		zone := &s.zones.all[i]
		s.zones.mu.Lock()
		first := zone.settled
		s.zones.mu.Unlock()
		for whole := true; zone.end(first) < byZone[i]; {
			pages := make([]int, 0, countPages)
			for n := first; n < len(zone.pages) && len(pages) < countPages && zone.end(n) < byZone[i]; n++ {
				pages = append(pages, zone.pages[n].number)
			}
			records, err := w.ledger.Recorded(ctx, s.ID, pages)
			if err != nil {
				return 0, err
			}
			for j, page := range pages {
				stuck += s.zones.fedIn(page, byZone) - records[j]
				// A record never goes away again.
				if whole = whole && records[j] == s.Size(page); whole {
					s.zones.mu.Lock()
					zone.settled = max(zone.settled, first+j+1)
					s.zones.mu.Unlock()
				}
			}
			first += len(pages)
		}
	}
	return stuck, nil
}
