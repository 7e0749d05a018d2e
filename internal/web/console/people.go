package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
)

const (
	// peopleOnPage is how many people a page shows.
	peopleOnPage = 50
	// searchTime is how long a page looks for people.
	searchTime = 5 * time.Second
	// maxText is the longest text that is looked for, in bytes.
	maxText = 200
)

// peoplePage is a search for people, in one campaign or in all.
type peoplePage struct {
	ID            string // empty: all campaigns
	Address       string
	Total         int
	Text          string
	State, By     string
	Reason, Code  string
	States        []campaign.State
	Channels      []string
	Filtered      bool
	Asked         bool // there is something to be shown
	Rows          []personRow
	Notes         []string // on what was searched, and what wasn't
	More          string   // the place to go on from; empty: that was all
	Rest          bool     // the page doesn't begin with the first
	First, Onward string   // addresses, when nothing of people stands in them
}

type personRow struct {
	Campaign, Place, Address string
	Name, Phone              string
	State, By, Why           string
	At                       time.Time
}

func (v *visit) personRow(info *campaign.Info, f report.Found) personRow {
	r := f.Seen.Record
	legs := info.Spec.Legs(&f.Recipient, &r)
	row := personRow{
		Campaign: string(info.ID), Place: f.Place.String(), Address: personAddress(info.ID, f.Place),
		Name: v.name(f.Recipient.ID, f.Recipient.Phone), Phone: v.phone(f.Recipient.Phone),
		State: r.State.String(), By: report.BroughtBy(&r, legs), Why: translate.Reason(&r, legs), At: r.SettledAt,
	}
	if row.At.IsZero() {
		row.At = r.ClaimedAt
	}
	return row
}

func personAddress(id campaign.ID, p campaign.Place) string {
	return "/campaigns/" + string(id) + "/people/" + p.String()
}

// parse reads what is looked for. The text comes only in a form's body: it may be
// a number.
func (c *Console) parse(v *visit, p *peoplePage) (*report.Filter, campaign.Place, error) {
	none := campaign.Place{}
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := badForm(v.ParseForm()); err != nil {
		return nil, none, err
	}
	if v.URL.Query().Has("q") {
		return nil, none, refuse(http.StatusBadRequest, "What is looked for may be a number, and has no place in an address: use the form.")
	}
	p.Text = strings.TrimSpace(v.PostFormValue("q"))
	p.State, p.By = v.FormValue("state"), v.FormValue("by")
	p.Reason, p.Code = strings.TrimSpace(v.FormValue("reason")), strings.TrimSpace(v.FormValue("code"))
	p.Channels = []string{"whatsapp", "sms", "both", "other"}
	p.States = campaign.States()
	f := &report.Filter{State: p.State, DeliveredBy: p.By, Reason: p.Reason}
	if _, known := campaign.ParseState(p.State); !known && p.State != "" {
		return nil, none, refuse(http.StatusBadRequest, "There is no such state.")
	}
	if len(p.Text) > maxText || len(p.Reason) > maxText {
		return nil, none, refuse(http.StatusBadRequest, "That is too long to be looked for.")
	}
	if p.Code != "" {
		code, err := strconv.Atoi(p.Code)
		if err != nil || code < 1 {
			return nil, none, refuse(http.StatusBadRequest, "The code is one of Telesign's, as in 3056.")
		}
		f.Code = code
	}
	p.Filtered = p.State != "" || p.By != "" || p.Reason != "" || p.Code != ""
	f.Who = c.whoIs(v, p)
	from := none
	if text := v.FormValue("from"); text != "" {
		ok := false
		if from, ok = campaign.ParsePlace(text); !ok {
			return nil, none, refuse(http.StatusBadRequest, "from is a place in the list, as in 12.7.")
		}
		p.Rest = true
	}
	return f, from, nil
}

// whoIs is who is meant by the text; nil for anyone.
func (c *Console) whoIs(v *visit, p *peoplePage) *report.Who {
	if p.Text == "" {
		return nil
	}
	who := &report.Who{Text: p.Text, Masked: !v.may(access.People)}
	phone, err := c.normalize(p.Text)
	digits, isNumber := digitsOf(p.Text)
	switch {
	case err != nil && !isNumber: // a name
	case who.Masked:
		p.Notes = append(p.Notes, "This key lacks the people scope: it finds no one by phone number.")
	case err == nil:
		who.Phone = phone
	case len(digits) < leastDigits:
		p.Notes = append(p.Notes, fmt.Sprintf("Of a phone number it takes the last %d digits or more.", leastDigits))
	default:
		who.Digits = digits
		p.Notes = append(p.Notes, "Found by number: those that end in "+digits+". In international form, as in +41791234567, a number is found alone.")
	}
	return who
}

// leastDigits is how many of a number's last digits are looked for, at least: of fewer
// there are too many.
const leastDigits = 4

// digitsOf are the digits of what is written as a number; false for what is none.
func digitsOf(text string) (string, bool) {
	var digits strings.Builder
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
		case !strings.ContainsRune(" \u00a0()-./+…", r):
			return "", false
		}
	}
	return digits.String(), digits.Len() > 0
}

func (c *Console) campaignPeople(v *visit) (string, any, error) {
	s, err := c.standing(v)
	if err != nil {
		return "", nil, err
	}
	p := peoplePage{ID: string(s.Info.ID), Address: "/campaigns/" + string(s.Info.ID) + "/people", Total: s.Info.Total, Asked: true}
	filter, from, err := c.parse(v, &p)
	if err != nil {
		return "", nil, err
	}
	if s.Info.Gone() == nil && filter.TakesNone(s.Balance) { // a list of a million isn't read for that
		return "people", p, nil
	}
	over := overIn(searchTime)
	people, next, err := c.reports.People(v.Context(), s.Info, filter, from, peopleOnPage, func(int) bool { return over() })
	if err != nil {
		return "", nil, err
	}
	for _, f := range people {
		p.Rows = append(p.Rows, v.personRow(s.Info, f))
	}
	if next > 0 {
		p.More = campaign.PlaceOf(next).String()
		if len(people) < peopleOnPage {
			p.Notes = append(p.Notes, "The list is long: it was looked through up to "+p.More+". Go on for the others.")
		}
	}
	if p.Text == "" {
		p.First, p.Onward = p.address(""), p.address(p.More)
	}
	return "people", p, nil
}

// address leads to the same filters from a place on.
func (p *peoplePage) address(from string) string {
	q := url.Values{}
	for name, value := range map[string]string{"state": p.State, "by": p.By, "reason": p.Reason, "code": p.Code, "from": from} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return p.Address
	}
	return p.Address + "?" + q.Encode()
}

// overIn says whether so much time has passed.
func overIn(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().After(end) }
}

func (c *Console) people(v *visit) (string, any, error) {
	p := peoplePage{Address: "/people"}
	filter, _, err := c.parse(v, &p)
	if err != nil {
		return "", nil, err
	}
	if filter.Who == nil {
		return "people", p, nil
	}
	p.Asked = true
	s, err := c.reports.SearchAll(v.Context(), filter, peopleOnPage, overIn(searchTime))
	if err != nil {
		return "", nil, err
	}
	for _, m := range s.Matches {
		p.Rows = append(p.Rows, v.personRow(m.Campaign, m.Found))
	}
	p.Notes = append(p.Notes, "Searched: "+campaign.Count(s.Searched, "campaign")+", the newest first.")
	if s.Partly != "" {
		p.Notes = append(p.Notes, "Campaign "+string(s.Partly)+" was searched only in part: search in it alone.")
	}
	if s.Left > 0 {
		p.Notes = append(p.Notes, "Not searched: "+campaign.Count(s.Left, "older campaign")+". Search in a campaign alone.")
	}
	if s.Purged > 0 {
		p.Notes = append(p.Notes, "Purged, and without people: "+campaign.Count(s.Purged, "campaign")+".")
	}
	return "people", p, nil
}

const (
	// doubtOnPage is how many of one campaign's people in doubt the page names.
	doubtOnPage = 10
	// doubtCampaigns is how many campaigns with people in doubt it shows.
	doubtCampaigns = 20
)

type doubtPage struct {
	Campaigns []doubtRow
	Total     int // in the campaigns that are shown
	Left      int // campaigns with people in doubt that aren't shown
	LeftCount int // and how many people these are
	May       bool
}

type doubtRow struct {
	ID, State string
	Count     int
	Canceled  bool
	People    []doubtPerson
	Unread    bool // there was no time to look for them
	All       string
}

type doubtPerson struct {
	personRow
	Waits   time.Time // until when a receipt is waited for; zero: none is any more
	Attempt int
	Claimed time.Time
}

func (c *Console) doubt(v *visit) (string, any, error) {
	all, err := c.reports.Doubts(v.Context(), doubtCampaigns, doubtOnPage, overIn(searchTime))
	if err != nil {
		return "", nil, err
	}
	page := doubtPage{May: v.may(access.Control), Left: all.Left, LeftCount: all.LeftCount}
	for _, d := range all.Campaigns {
		row := doubtRow{
			ID: string(d.Info.ID), State: string(d.Info.Phase), Count: d.Count, Canceled: d.Info.Canceled, Unread: d.Unread,
			All: peopleAddress(d.Info.ID, campaign.InDoubt.String(), ""),
		}
		for _, f := range d.People {
			r := &f.Seen.Record
			row.People = append(row.People, doubtPerson{v.personRow(d.Info, f), r.DueAt, r.Attempt, r.ClaimedAt})
		}
		page.Campaigns = append(page.Campaigns, row)
		page.Total += row.Count
	}
	return "doubt", page, nil
}
