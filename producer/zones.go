package producer

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
)

// zoneColumn is the column of a list that names the recipient's zone, where the
// campaign has hours in it.
const zoneColumn = "zone"

// zoneSet is the zones that a recipient may be in. Equal sets are one and the same
// pointer.
type zoneSet struct{ names string } // as campaign.JoinZones makes them

// zoneBook finds the zones of one list's recipients. It is safe for concurrent use.
type zoneBook struct {
	mu    sync.RWMutex
	sets  map[string]*zoneSet // by their names joined
	cells map[string]*zoneSet // by what stands in the column; nil: no zone's name
	// prefixes are the table's entries by their address in memory, which is the
	// same for all numbers of a prefix.
	prefixes map[*string]*zoneSet
}

// maxCells bounds what is kept of a column. A list has some hundreds of zones.
const maxCells = 10_000

func newZoneBook() *zoneBook {
	return &zoneBook{sets: map[string]*zoneSet{}, cells: map[string]*zoneSet{}, prefixes: map[*string]*zoneSet{}}
}

// set returns the set of these names. The lock is held.
func (b *zoneBook) set(names string) *zoneSet {
	s := b.sets[names]
	if s == nil {
		s = &zoneSet{names}
		b.sets[names] = s
	}
	return s
}

// named returns the zone of this name; false when there is none.
func (b *zoneBook) named(cell string) (*zoneSet, bool) {
	b.mu.RLock()
	s, known := b.cells[cell]
	b.mu.RUnlock()
	if known {
		return s, s != nil
	}
	_, err := campaign.LoadZone(cell)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.cells) >= maxCells {
		clear(b.cells)
	}
	cell = strings.Clone(cell) // it is a part of a block
	if err != nil {
		b.cells[cell] = nil
		return nil, false
	}
	s = b.set(cell)
	b.cells[cell] = s
	return s, true
}

// ofNumber returns the zones of a number in E.164 form, by its prefix.
func (b *zoneBook) ofNumber(e164 string) *zoneSet {
	names, err := phonenumbers.GetTimezonesForPrefix(e164)
	if err != nil || len(names) == 0 || names[0] == phonenumbers.UNKNOWN_TIMEZONE {
		return b.unknown()
	}
	b.mu.RLock()
	s := b.prefixes[&names[0]]
	b.mu.RUnlock()
	if s != nil {
		return s
	}
	joined := campaign.JoinZones(names)
	for _, name := range names {
		if _, err := campaign.LoadZone(name); err != nil {
			joined = "" // this machine doesn't know the zone
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s = b.set(joined)
	b.prefixes[&names[0]] = s
	return s
}

func (b *zoneBook) unknown() *zoneSet {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.set("")
}

// zone finds a row's zones, by the list's own column or by the number.
func (c *rowChecker) zone(cells []cell, e164 string) *zoneSet {
	if c.h.zone >= 0 && cells[c.h.zone].text != "" {
		s, ok := c.zones.named(cells[c.h.zone].text)
		if !ok {
			c.fault(cells[c.h.zone].offset, "zone: "+campaign.ErrBadZone.Error())
		}
		return s
	}
	return c.zones.ofNumber(e164)
}

const (
	// maxZones is how many zone sets a list may have: twice as many as there
	// are, each name of the database and each set of the table.
	maxZones = 2000
	// maxOpen is how many bytes of text may wait for their pages to fill; beyond it
	// the largest page is written as it is.
	maxOpen = 64 << 20
)

// zonePages sorts a list into pages by zone. It keeps copies of its people's
// texts: theirs are parts of blocks that would have to be kept whole.
type zonePages struct {
	write  func([]campaign.Recipient) error // a page
	open   map[*zoneSet]*zonePage
	order  []*zonePage // as they came first
	bytes  int         // of texts in all of them
	limit  int         // of bytes
	first  int         // recipients in the first page of each zone set, at most
	people []campaign.Recipient

	pageZones []uint16
	partial   map[int]int
}

// zonePage is the page of one zone set that isn't full yet.
type zonePage struct {
	set   *zoneSet
	place int // in order
	total int // recipients, those of earlier pages too
	text  []byte
	ends  []int // of each text
	n     int   // recipients
}

// newZonePages makes pages for a campaign with a canary of so many, 0 for none:
// pages are fed whole, so that the first of each zone set are no larger.
func newZonePages(canary int, write func([]campaign.Recipient) error) *zonePages {
	first := campaign.PageSize
	if canary > 0 {
		first = min(first, canary)
	}
	return &zonePages{write: write, open: map[*zoneSet]*zonePage{}, limit: maxOpen, first: first, partial: map[int]int{}}
}

func (z *zonePages) add(set *zoneSet, r *campaign.Recipient) error {
	p := z.open[set]
	if p == nil {
		if len(z.order) == maxZones {
			var faults Faults
			faults.Add(Fault{Message: "the list has people in more than " + strconv.Itoa(maxZones) + " combinations of time zones"})
			return &faults
		}
		p = &zonePage{set: set, place: len(z.order)}
		z.open[set] = p
		z.order = append(z.order, p)
	}
	before := len(p.text)
	p.keep(r.ID)
	p.keep(r.Phone)
	for _, v := range r.Values {
		p.keep(v)
	}
	p.n++
	z.bytes += len(p.text) - before
	if p.n == campaign.PageSize || (p.total == 0 && p.n == z.first) {
		return z.flush(p)
	}
	if z.bytes <= z.limit {
		return nil
	}
	for _, q := range z.order {
		if len(q.text) > len(p.text) {
			p = q
		}
	}
	return z.flush(p)
}

func (p *zonePage) keep(s string) {
	p.text = append(p.text, s...)
	p.ends = append(p.ends, len(p.text))
}

// flush writes a page as it is, unless it is empty.
func (z *zonePages) flush(p *zonePage) error {
	if p.n == 0 {
		return nil
	}
	columns := len(p.ends)/p.n - 2
	text := string(p.text)
	texts := make([]string, len(p.ends))
	from := 0
	for i, end := range p.ends {
		texts[i] = text[from:end]
		from = end
	}
	z.people = z.people[:0]
	for ; len(texts) > 0; texts = texts[2+columns:] {
		z.people = append(z.people, campaign.Recipient{ID: texts[0], Phone: texts[1], Values: texts[2:][:columns:columns]})
	}
	if err := z.write(z.people); err != nil {
		return err
	}
	if p.n < campaign.PageSize {
		z.partial[len(z.pageZones)] = p.n
	}
	z.pageZones = append(z.pageZones, uint16(p.place)) // at most maxZones
	z.bytes -= len(p.text)
	p.total += p.n
	p.text, p.ends, p.n = p.text[:0], p.ends[:0], 0
	clear(z.people)
	return nil
}

// finish writes the pages that aren't full, and adds the zones of all to the content.
func (z *zonePages) finish(c *ledger.Content) error {
	for _, p := range z.order {
		if err := z.flush(p); err != nil {
			return err
		}
		c.Zones = append(c.Zones, campaign.ZoneCount{Zones: p.set.names, Recipients: p.total})
	}
	if len(z.pageZones) != c.Pages {
		return fmt.Errorf("%d pages have zones, of %d", len(z.pageZones), c.Pages)
	}
	c.PageZones, c.Partial = z.pageZones, z.partial
	return nil
}
