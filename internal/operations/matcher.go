package operations

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/vendorreport"
	"github.com/handout-dev/handout/ledger"
)

// may reports whether a phone number in the report may name a recipient: one who may have
// been sent to since the copy.
func (m *matcher) may(r *campaign.Record) bool {
	switch r.State {
	case campaign.Planned, campaign.Retrying, campaign.Claimed, campaign.InDoubt:
		return true
	}
	return !r.ClaimedAt.Before(m.match.Since.Add(-clockMargin))
}

// matcher finds the recipients of a report's rows.
type matcher struct {
	o     *Operations
	match *ReportMatch
	known map[campaign.ID]*MatchedCampaign // nil: it isn't there

	byReference map[string][]*vendorreport.Row // without an external ID of ours
	byPhone     map[string][]*vendorreport.Row
	found       map[*vendorreport.Row]bool // by their references
	candidates  map[string][]candidate     // by phone number
	states      map[subject]campaign.State // of those who are, or may be, in the report
}

// candidate is one whom a phone number may name.
type candidate struct {
	subject
	attempt   int
	reference string // of that attempt; empty: it isn't known here
}

// choose reads the campaigns that are looked through.
func (m *matcher) choose(ctx context.Context, named []campaign.ID, r *Recovery) error {
	ids, err := m.o.ledger.Active(ctx)
	if err != nil {
		return err
	}
	for _, id := range named {
		c, err := m.campaign(ctx, id)
		if err != nil {
			return about(id, err)
		}
		if c == nil {
			return refusef(NotFound, "", "there is no campaign %s with its recipients", id)
		}
		c.byPhone = true
	}
	for _, a := range r.Held {
		ids = append(ids, a.Info.ID)
	}
	for _, id := range ids {
		c, err := m.campaign(ctx, id)
		if err != nil {
			return about(id, err)
		}
		if c != nil && len(named) == 0 {
			c.byPhone = heldForRestore(c.info)
		}
	}
	return nil
}

// campaign reads a campaign once; nil: it isn't there, or has no recipients.
func (m *matcher) campaign(ctx context.Context, id campaign.ID) (*MatchedCampaign, error) {
	if c, ok := m.known[id]; ok {
		return c, nil
	}
	info, err := m.o.ledger.Info(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && (info.Phase == campaign.Draft || info.Gone() != nil) {
		m.known[id] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &MatchedCampaign{ID: id, info: info}
	m.known[id] = c
	return c, nil
}

// read sorts the rows by what finds their recipients.
func (m *matcher) read(ctx context.Context, rows []vendorreport.Row) error {
	m.byReference, m.byPhone = make(map[string][]*vendorreport.Row), make(map[string][]*vendorreport.Row)
	m.found, m.candidates, m.states = make(map[*vendorreport.Row]bool), make(map[string][]candidate), make(map[subject]campaign.State)
	all := m.match
	all.moves, all.doubts = make(map[subject][]move), make(map[subject]struct{})
	for i := range rows {
		row := &rows[i]
		if !row.At.IsZero() {
			if all.First.IsZero() || row.At.Before(all.First) {
				all.First = row.At
			}
			if row.At.After(all.Last) {
				all.Last = row.At
			}
		}
		if row.Unknown != "" {
			count(&all.UnknownWords, row.Unknown)
		}
		switch {
		case row.NotSent:
			all.NotSent++
		case row.ExternalID != "":
			if err := m.readExternalID(ctx, row); err != nil {
				return err
			}
		case row.Reference == "" && row.Phone == "":
			all.Unmatched++
		default:
			if row.Reference != "" {
				m.byReference[row.Reference] = append(m.byReference[row.Reference], row)
			}
			if row.Phone != "" {
				m.byPhone[row.Phone] = append(m.byPhone[row.Phone], row)
			}
		}
	}
	return nil
}

func count[K comparable](in *map[K]int, of K) {
	if *in == nil {
		*in = make(map[K]int)
	}
	(*in)[of]++
}

func (m *matcher) readExternalID(ctx context.Context, row *vendorreport.Row) error {
	a, err := campaign.ParseExternalID(row.ExternalID)
	if err != nil {
		m.match.Foreign++
		return nil
	}
	c, err := m.campaign(ctx, a.Campaign)
	switch {
	case err != nil:
		return about(a.Campaign, err)
	case c == nil:
		m.match.Unknown++
		count(&m.match.UnknownCampaigns, a.Campaign)
	case c.info.Salt != a.Salt || !c.info.Has(a.Place):
		m.match.Foreign++
	default:
		m.match.ByExternalID++
		m.add(subject{c, a.Place}, move{row, a.Number})
	}
	return nil
}

func (m *matcher) add(s subject, of move) { m.match.moves[s] = append(m.match.moves[s], of) }

// finish reads the lists, and decides about the rows without an external ID.
func (m *matcher) finish(ctx context.Context) (*ReportMatch, error) {
	for _, c := range m.known {
		if c == nil {
			continue
		}
		err := m.o.ledger.EachPage(ctx, c.info, func(p *ledger.Page) error { m.look(c, p); return nil })
		if c.Purged = errors.Is(err, sealed.ErrDestroyed); err != nil && !c.Purged {
			return nil, about(c.ID, err)
		}
	}
	for _, rows := range m.byReference {
		for _, row := range rows {
			switch {
			case m.found[row]:
				m.match.ByReference++
			case row.Phone == "":
				m.match.Unmatched++
			}
		}
	}
	for number, rows := range m.byPhone {
		m.decide(m.candidates[number], slices.DeleteFunc(rows, func(row *vendorreport.Row) bool { return m.found[row] }))
	}
	slices.Sort(m.match.AmbiguousLines)
	m.match.AmbiguousLines = m.match.AmbiguousLines[:min(len(m.match.AmbiguousLines), maxLines)]
	m.count()
	return m.match, nil
}

// look looks through a page for those whom the report may be about.
func (m *matcher) look(c *MatchedCampaign, p *ledger.Page) {
	for i := range p.Recipients {
		r, at := p.Record(i), subject{c, campaign.Place{Page: p.Number, Index: i}}
		switch {
		case open(r.State):
			c.Open++
		case mayBeSent(r.State):
			c.InDoubt++
		}
		_, reported := m.match.moves[at] // by an external ID
		if r.Reference != "" {
			for _, row := range m.byReference[r.Reference] {
				m.add(at, move{row, r.Attempt})
				m.found[row], reported = true, true
			}
		}
		if number := p.Recipients[i].Phone; c.byPhone && len(m.byPhone[number]) > 0 && m.may(&r) {
			one := candidate{at, r.Attempt, r.Reference}
			if open(r.State) { // of the attempt that may have been made
				one.attempt, one.reference = r.Attempt+1, ""
			}
			m.candidates[number] = append(m.candidates[number], one)
			reported = true
		}
		if reported {
			m.states[at] = r.State
		}
	}
}

// mayBeSent reports whether a recipient in this state may have been sent to.
func mayBeSent(s campaign.State) bool { return s == campaign.Claimed || s == campaign.InDoubt }

// decide says whose the rows of one phone number are.
func (m *matcher) decide(among []candidate, rows []*vendorreport.Row) {
	all, reference, messages := len(rows), "", 0
	rows = slices.DeleteFunc(rows, func(row *vendorreport.Row) bool {
		return row.At.Before(m.match.Since.Add(-clockMargin)) || row.At.After(m.match.Until)
	})
	m.match.Outside += all - len(rows)
	for _, row := range rows {
		if row.Reference != "" && row.Reference != reference {
			reference = row.Reference
			messages++
		}
	}
	if messages < 2 && reference != "" {
		among = slices.DeleteFunc(among, func(c candidate) bool { return c.reference != "" && c.reference != reference })
	}
	switch {
	case len(among) == 0:
		m.match.Unmatched += len(rows)
	case len(among) == 1 && messages < 2:
		m.match.ByPhone += len(rows)
		for _, row := range rows {
			m.add(among[0].subject, move{row, among[0].attempt})
		}
	default:
		m.match.Ambiguous += len(rows)
		for _, row := range rows {
			m.match.AmbiguousLines = append(m.match.AmbiguousLines, row.Line)
		}
		for _, c := range among {
			if open(m.states[c.subject]) && len(rows) > 0 {
				m.match.doubts[c.subject] = struct{}{}
			}
		}
	}
}

// count counts the recipients of each campaign, and orders what is to be recorded.
func (m *matcher) count() {
	for s, moves := range m.match.moves {
		delete(m.match.doubts, s)
		slices.SortStableFunc(moves, func(a, b move) int { return a.attempt - b.attempt })
		s.campaign.Recipients++
		switch state := m.states[s]; {
		case open(state):
			s.campaign.WereOpen++
			s.campaign.Open--
		case mayBeSent(state):
			s.campaign.InDoubt--
		}
	}
	for s := range m.match.doubts {
		s.campaign.Ambiguous++
		s.campaign.Open--
	}
	for _, c := range m.known {
		if c != nil && (c.byPhone || c.Recipients > 0) {
			m.match.Campaigns = append(m.match.Campaigns, c)
		}
	}
	slices.SortFunc(m.match.Campaigns, func(a, b *MatchedCampaign) int { return strings.Compare(string(a.ID), string(b.ID)) })
}
