package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

// Found is a recipient of a campaign with what became of them.
type Found = ledger.Found

// Filter picks people of a campaign. The zero Filter takes everyone. It is for
// one goroutine at a time: it remembers reasons.
type Filter struct {
	State, DeliveredBy string // by their names in reports; empty: any
	Reason             string // must stand in the reason; capital letters don't matter
	Code               int    // Telesign's, of any channel or the transaction; 0: any
	Who                *Who   // nil: anyone

	holds map[because]bool // whether Reason stands in the reason of such records
}

// because is what the words of a reason depend on: there are far fewer than
// people.
type because struct {
	spec   *campaign.Spec // the order of the legs
	state  campaign.State
	reason campaign.Reason
	status campaign.Leg
	legs   campaign.Legs // without their times
	other  string
}

func (f *Filter) reasonHolds(s *campaign.Spec, to *campaign.Recipient, r *campaign.Record) bool {
	why := because{s, r.State, r.Reason, r.Status, r.Legs, r.OtherName}
	for i := range why.legs {
		why.legs[i].At = time.Time{}
	}
	holds, known := f.holds[why]
	if known && !s.Standing { // each one-off send has an order of its own
		return holds
	}
	if f.holds == nil {
		f.holds = map[because]bool{}
	}
	f.holds[why] = strings.Contains(strings.ToLower(translate.Reason(r, s.Legs(to, r))), strings.ToLower(f.Reason))
	return f.holds[why]
}

// TakesNone reports whether the counts say that the filter takes no one: it asks
// for a state, or a channel, whose count is 0.
func (f *Filter) TakesNone(b *campaign.Balance) bool {
	if state, known := campaign.ParseState(f.State); known && b.Of(state) == 0 {
		return true
	}
	if f.DeliveredBy == "" {
		return false
	}
	for by, n := range b.By {
		if campaign.DeliveredBy(by).String() == f.DeliveredBy {
			return n == 0
		}
	}
	return false
}

// Takes reports whether a recipient is picked.
func (f *Filter) Takes(s *campaign.Spec, to *campaign.Recipient, r *campaign.Record) bool {
	return (f.State == "" || r.State.String() == f.State) &&
		(f.DeliveredBy == "" || r.DeliveredBy().String() == f.DeliveredBy) &&
		(f.Code == 0 || hasCode(r, f.Code)) &&
		(f.Who == nil || f.Who.Is(to)) &&
		(f.Reason == "" || f.reasonHolds(s, to, r))
}

func hasCode(r *campaign.Record, code int) bool {
	has := func(l campaign.Leg) bool { return l.Rank != campaign.RankNone && l.Code == code }
	return has(r.Status) || slices.ContainsFunc(r.Legs[:], has)
}

// Who is whom a person looks for.
type Who struct {
	Text  string // stands in the name; capital letters don't matter
	Phone string // or is the number, in E.164 form; empty: no number is looked for
	// Digits end the number: its last ones, or all of its national form, with or without
	// the 0 before it. Empty: none are looked for.
	Digits string
	// Masked: who looks sees numbers masked, and may find them by nothing else: a
	// part of a name that is a number doesn't count, or it could be guessed
	// digit by digit. The whole of a name does.
	Masked bool
}

// Is says whether a recipient is the one.
func (w *Who) Is(r *campaign.Recipient) bool {
	if w.Phone != "" && r.Phone == w.Phone && !w.Masked {
		return true
	}
	if w.Digits != "" && !w.Masked && w.ends(r.Phone) {
		return true
	}
	if r.ID == w.Text {
		return true
	}
	name := r.ID
	if w.Masked {
		name = phone.MaskName(name, r.Phone)
	}
	return w.Text != "" && strings.Contains(strings.ToLower(name), strings.ToLower(w.Text))
}

// nationalDigits is how many digits a number has at least that is written with a 0
// before it.
const nationalDigits = 7

func (w *Who) ends(phone string) bool {
	if strings.HasSuffix(phone, w.Digits) {
		return true
	}
	national := strings.TrimLeft(w.Digits, "0")
	return len(national) >= nationalDigits && strings.HasSuffix(phone, national)
}

var errEnough = errors.New("enough")

// maxUntraced is how many people may be read at once, unmasked, without a trace: a page
// of the console shows as many.
const maxUntraced = 50

// People reads those of a campaign whom a filter takes, in the order of the list
// from a place on and at most so many, in memory for these. It ends early when
// stop, which is asked after each page with how many have been looked at, says
// so; a page has at most [campaign.PageSize] people. next is where to go on, 0
// at the end of the list.
func (q *Reader) People(ctx context.Context, info *campaign.Info, f *Filter, from campaign.Place, most int, stop func(pages int) bool) (people []Found, next int, err error) {
	if caller := access.Caller(ctx); most > maxUntraced && caller != nil && caller.May(access.People) {
		if err := q.audit.Write(ctx, audit.Of(ctx, "read people", "campaign "+string(info.ID), "", "")); err != nil {
			return nil, 0, fmt.Errorf("read people of campaign %s: %w", info.ID, err)
		}
	}
	err = q.ledger.EachPageFrom(ctx, info, from.Page, func(p *ledger.Page) error {
		if looked := p.Number - from.Page; looked > 0 && stop(looked) {
			next = campaign.Place{Page: p.Number}.Position()
			return errEnough
		}
		for i := range p.Recipients {
			at := campaign.Place{Page: p.Number, Index: i}
			if at.Position() < from.Position() {
				continue
			}
			if r := p.Record(i); f.Takes(info.Spec, &p.Recipients[i], &r) {
				if len(people) == most {
					next = at.Position()
					return errEnough
				}
				people = append(people, Found{Place: at, Recipient: p.Recipients[i], Seen: p.Records[i]})
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return people, next, err
}

// Match is a recipient found in a campaign.
type Match struct {
	Campaign *campaign.Info
	Found
}

// Search is what a search through all campaigns came to.
type Search struct {
	Matches []Match
	// Searched is how many campaigns were looked through to their ends, Purged
	// how many are without their people, Partly one that was given up on its
	// way, and Left how many were never looked at.
	Searched, Purged, Left int
	Partly                 campaign.ID
}

const maxSearched = 100_000

// SearchAll looks through all campaigns, the newest first, for at most so many
// people, until over says that it has taken long enough.
func (q *Reader) SearchAll(ctx context.Context, f *Filter, most int, over func() bool) (*Search, error) {
	ids, err := q.ledger.Campaigns(ctx, maxSearched)
	if err != nil {
		return nil, err
	}
	s := new(Search)
	for i, id := range ids {
		if over() || len(s.Matches) >= most {
			s.Left = len(ids) - i
			return s, nil
		}
		info, err := q.ledger.Info(ctx, id)
		if errors.Is(err, ledger.ErrNotFound) || (err == nil && (info.Phase == campaign.Draft || !access.Caller(ctx).Owns(info.Owner, info.Spec.AccountName()))) {
			continue
		}
		if err != nil {
			return nil, err
		}
		people, next, err := q.People(ctx, info, f, campaign.Place{}, most-len(s.Matches), func(int) bool { return over() })
		switch {
		case errors.Is(err, campaign.ErrPurged):
			s.Purged++
			continue
		case err != nil:
			return nil, err
		case next > 0:
			s.Partly = id
		default:
			s.Searched++
		}
		for _, f := range people {
			s.Matches = append(s.Matches, Match{info, f})
		}
	}
	return s, nil
}

// Doubt is a campaign with people in doubt, and the first of them.
type Doubt struct {
	Info   *campaign.Info
	Count  int
	People []Found
	Unread bool // the list wasn't read to the end of what was asked for
}

// Doubts are the campaigns with people in doubt, the newest first.
type Doubts struct {
	Campaigns []Doubt
	Left      int // campaigns beyond those, with LeftCount people in doubt
	LeftCount int
}

// Doubts reads who is in doubt: of at most so many campaigns, and of each at most
// so many people. Lists are read until over reports that it took long enough.
func (q *Reader) Doubts(ctx context.Context, maxCampaigns, maxPeople int, over func() bool) (*Doubts, error) {
	ids, err := q.ledger.Campaigns(ctx, maxSearched)
	if err != nil {
		return nil, err
	}
	summaries, err := q.summaries(ctx, ids)
	if err != nil {
		return nil, err
	}
	all := new(Doubts)
	for _, s := range summaries {
		if s.InDoubt == 0 || s.Phase == campaign.Draft {
			continue
		}
		info, err := q.ledger.Info(ctx, s.ID)
		if errors.Is(err, ledger.ErrNotFound) || (err == nil && info.Gone() != nil) {
			continue // their data is gone
		}
		if err != nil {
			return nil, err
		}
		if len(all.Campaigns) == maxCampaigns {
			all.Left++
			all.LeftCount += s.InDoubt
			continue
		}
		d := Doubt{Info: info, Count: s.InDoubt, Unread: over()}
		if !d.Unread {
			filter := &Filter{State: campaign.InDoubt.String()}
			d.People, _, err = q.People(ctx, info, filter, campaign.Place{}, maxPeople, func(int) bool { return over() })
			if errors.Is(err, campaign.ErrPurged) { // just now
				continue
			}
			if err != nil {
				return nil, err
			}
			d.Unread = len(d.People) < min(s.InDoubt, maxPeople) && over()
		}
		all.Campaigns = append(all.Campaigns, d)
	}
	return all, nil
}

const sampleReaders = 8

// Sample reads the records of a campaign, of a larger one those of at most maxPeople
// people, in pages at even distances. yield is called for one record at a time.
// It returns of how many people it was, and how many could have a record.
func (q *Reader) Sample(ctx context.Context, info *campaign.Info, maxPeople int, yield func(*campaign.Record)) (read, of int, err error) {
	pages, of := sampledPages(info, maxPeople)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var group sync.WaitGroup
	for reader := range sampleReaders {
		group.Go(func() {
			for i := reader; i < len(pages) && ctx.Err() == nil; i += sampleReaders {
				records, err := q.ledger.Records(ctx, info.ID, pages[i])
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				read += info.Size(pages[i])
				for _, seen := range records {
					yield(&seen.Record)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return read, of, context.Cause(ctx)
}

// sampledPages are the pages of at most maxPeople people, at even distances. of is how
// many people all pages have together that could have a record.
func sampledPages(info *campaign.Info, maxPeople int) (pages []int, of int) {
	last := info.Pages
	if !info.Spec.ByZone() { // fed in order: after the cursor there are no records
		last = min(last, (info.Cursor+campaign.PageSize-1)/campaign.PageSize)
	}
	n := min(last, maxPeople/campaign.PageSize)
	for i := range n {
		pages = append(pages, i*last/n)
	}
	for page := range last {
		of += info.Size(page)
	}
	return pages, of
}
