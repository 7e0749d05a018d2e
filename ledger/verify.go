package ledger

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
)

// scanPages is how many pages travel in one call of a scan.
const scanPages = 50

// Page is one page of a campaign with what became of its recipients.
type Page struct {
	Number     int
	Recipients []campaign.Recipient
	Records    map[int]Seen // by index; planned recipients are absent
}

// Record is the record of the recipient with this index.
func (p *Page) Record(index int) campaign.Record { return p.Records[index].Record }

// EachPage reads all pages of a campaign in order, in constant memory; there are
// none in a purged one: *PurgedError.
func (l *Ledger) EachPage(ctx context.Context, c *campaign.Info, yield func(*Page) error) error {
	return l.EachPageFrom(ctx, c, 0, yield)
}

// EachPageFrom is EachPage without the pages before the one with this number.
func (l *Ledger) EachPageFrom(ctx context.Context, c *campaign.Info, page int, yield func(*Page) error) error {
	return l.eachPage(ctx, c, page, scanPages, yield)
}

func (l *Ledger) eachPage(ctx context.Context, c *campaign.Info, page, atOnce int, yield func(*Page) error) error {
	return l.eachStored(ctx, c, page, atOnce, true, func(n int, list []byte, records map[string]string) (err error) {
		page := &Page{Number: n}
		if page.Recipients, err = campaign.DecodePage(list); err != nil {
			return fmt.Errorf("page %d of campaign %s: %w", n, c.ID, err)
		}
		if page.Records, err = decodeRecords(c.ID, n, records); err != nil {
			return err
		}
		return yield(page)
	})
}

// eachStored reads pages in order as they are stored, so many in one call, with their
// records if asked for.
func (l *Ledger) eachStored(ctx context.Context, c *campaign.Info, page, atOnce int, withRecords bool, yield func(page int, list []byte, records map[string]string) error) error {
	if err := c.Gone(); err != nil {
		return err
	}
	for first := page; first < c.Pages; first += atOnce {
		n := min(atOnce, c.Pages-first)
		lists, records := make([]*redis.StringCmd, n), make([]*redis.MapStringStringCmd, n)
		_, err := l.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range n {
				lists[i], records[i] = p.Get(ctx, l.keys.page(c.ID, first+i)), new(redis.MapStringStringCmd)
				if withRecords {
					records[i] = p.HGetAll(ctx, l.keys.records(c.ID, first+i))
				}
			}
			return nil
		})
		if err != nil && err != redis.Nil { // a pipeline returns the command's own
			return fmt.Errorf("read campaign %s: %w", c.ID, err)
		}
		for i := range n {
			list, err := lists[i].Bytes()
			if err != nil {
				return l.missing(ctx, c.ID, first+i)
			}
			if list, err = l.unseal(ctx, c.ID, first+i, list); err != nil {
				return err
			}
			if err := yield(first+i, list, records[i].Val()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Verdict is what Verify found.
type Verdict struct {
	Balance campaign.Balance // recomputed from the records
	Faults  []string         // one line each; none: the balance closes
	// Moving is true when the campaign changed all the while, so that the counts
	// could not be held against the records.
	Moving bool

	counted campaign.Balance // as the counts stood
}

// verifyTries is how often Verify looks again when counts change under it.
const verifyTries = 3

// Verify recomputes the balance of a campaign from its records and says what
// doesn't agree. progress, if not nil, is called with the number of pages read.
func (l *Ledger) Verify(ctx context.Context, c *campaign.Info, progress func(pages int)) (*Verdict, error) {
	return l.verify(ctx, c, verifyTries, func(v *Verdict) error { return l.recount(ctx, c, v, progress) })
}

// Recount is Verify for a look that may take its time: it reads a page at a time, calls
// turn with each, and holds records and counts alone against each other, once.
func (l *Ledger) Recount(ctx context.Context, c *campaign.Info, turn func(*Page) error) (*Verdict, error) {
	return l.verify(ctx, c, 1, func(v *Verdict) error {
		return l.eachPage(ctx, c, 0, 1, func(p *Page) error {
			v.add(c, p)
			return turn(p)
		})
	})
}

func (l *Ledger) verify(ctx context.Context, c *campaign.Info, tries int, recount func(*Verdict) error) (*Verdict, error) {
	for try := 1; ; try++ {
		before, err := l.Balance(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		v := new(Verdict)
		if err := recount(v); err != nil {
			return nil, err
		}
		if n := v.Balance.Total(); n != c.Total {
			v.fault("the list has %s, the campaign %s", campaign.Count(n, "recipient"), campaign.Number(c.Total))
		}
		after, err := l.Balance(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		v.counted = *after
		if n := after.Total(); n != c.Total {
			v.fault("the counts add up to %s, the campaign has %s", campaign.Number(n), campaign.Count(c.Total, "recipient"))
		}
		if *before != *after {
			if v.Moving = true; try < tries {
				continue
			}
			return v, nil
		}
		if *after != v.Balance && try < tries {
			continue // there and back again while the records were read, or a fault that stays
		}
		for i, name := range campaign.CounterNames {
			if counted, is := after.Counter(i), v.Balance.Counter(i); counted != is {
				v.fault("%s: counted %d, by the records %d", name, counted, is)
			}
		}
		return v, nil
	}
}

// maxFaults is how many faults of one kind are worth a line.
const maxFaults = 50

func (v *Verdict) fault(format string, args ...any) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, fmt.Sprintf(format, args...))
	}
}

// add counts a page's recipients, and finds what can't be.
func (v *Verdict) add(c *campaign.Info, p *Page) {
	// The last page of a standing campaign may have grown meanwhile.
	grows := c.Spec.Standing && p.Number == c.Pages-1
	if n := c.Size(p.Number); !grows && len(p.Recipients) != n {
		v.fault("page %d has %s, not %d", p.Number, campaign.Count(len(p.Recipients), "recipient"), n)
	}
	for i := range p.Recipients {
		r := p.Record(i)
		v.Balance.Add(&r, 1)
		if why := r.Impossible(); why != "" {
			v.fault("recipient %d.%d is %s %s", p.Number, i, r.State, why)
		}
	}
	for i, s := range p.Records {
		if i >= len(p.Recipients) {
			v.fault("recipient %d.%d has a record (%s) and isn't in the list", p.Number, i, s.Record.State)
		}
	}
}

func (l *Ledger) recount(ctx context.Context, c *campaign.Info, v *Verdict, progress func(int)) error {
	err := l.EachPage(ctx, c, func(p *Page) error {
		v.add(c, p)
		if progress != nil {
			progress(p.Number + 1)
		}
		return l.checkIndexed(ctx, c, p, v)
	})
	for _, check := range []func(context.Context, *campaign.Info, *Verdict) error{l.checkIndex, l.checkStray, l.checkZones} {
		if err == nil {
			err = check(ctx, c, v)
		}
	}
	return err
}
