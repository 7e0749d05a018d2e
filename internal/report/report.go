// Package report says what became of a campaign: the object, the table and the
// list of everyone that the command line and the API give out. It only reads.
package report

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

// Report is a campaign's outcome in numbers. Its JSON form is a contract.
type Report struct {
	Campaign    string            `json:"campaign"`
	Account     string            `json:"account,omitempty"` // left out: the default
	State       string            `json:"state"`
	Reason      string            `json:"reason"`
	Advice      string            `json:"advice,omitempty"` // what to do about a hold
	Total       int               `json:"total"`
	Balance     map[string]int    `json:"balance"` // a key for each state
	DeliveredBy DeliveredBy       `json:"delivered_by"`
	LeftOut     campaign.LeftOut  `json:"left_out"` // rows of the list
	Pace        *Pace             `json:"pace"`
	Warnings    []string          `json:"warnings,omitempty"` // what keeps outcomes from arriving
	Counts      *campaign.Balance `json:"-"`                  // what Balance and DeliveredBy show
	History     []campaign.Entry  `json:"history"`            // the earliest first
}

// DeliveredBy splits the delivered by channel.
type DeliveredBy struct {
	WhatsApp int `json:"whatsapp"`
	SMS      int `json:"sms"`
	Both     int `json:"both"`
	Other    int `json:"other"`
	Read     int `json:"read" doc:"of them, whose channel has reported that they read it"`
}

// NewDeliveredBy splits the delivered of a balance.
func NewDeliveredBy(b *campaign.Balance) DeliveredBy {
	return DeliveredBy{b.By[campaign.ByWhatsApp], b.By[campaign.BySMS], b.By[campaign.ByBoth], b.By[campaign.ByOther], b.Read}
}

func newReport(info *campaign.Info, b *campaign.Balance) *Report {
	r := &Report{
		Campaign: string(info.ID), State: string(info.Phase), Reason: info.Reason, Total: info.Total, LeftOut: info.LeftOut,
		Balance: make(map[string]int), DeliveredBy: NewDeliveredBy(b), History: []campaign.Entry{}, Counts: b,
	}
	if info.Phase == campaign.Held {
		r.Advice = translate.Advice(info)
	}
	for _, s := range campaign.States() {
		r.Balance[s.String()] = b.Of(s)
	}
	return r
}

// Read reads a campaign, its balance, history and pace.
func (q *Reader) Read(ctx context.Context, id campaign.ID) (*Report, *campaign.Info, error) {
	info, b, err := q.Campaign(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	r := newReport(info, b)
	r.Account = info.Spec.Account
	if r.History, err = q.ledger.History(ctx, id); err != nil {
		return nil, nil, err
	}
	if r.Warnings, err = q.Warnings(ctx, b); err != nil {
		return nil, nil, err
	}
	r.Pace, err = q.Pace(ctx, info, b)
	return r, info, err
}

// Pace reads how fast a campaign with this balance goes.
func (q *Reader) Pace(ctx context.Context, info *campaign.Info, b *campaign.Balance) (*Pace, error) {
	account := info.Spec.AccountName()
	s := &Situation{
		Phase: info.Phase, Reason: info.Reason, StartAt: info.StartAt, Balance: b, Cursor: info.Cursor,
		AccountRate: q.rates[account], CampaignRate: info.Spec.Rate, Canary: info.Spec.Canary,
	}
	if info.Phase != campaign.Running { // the phase says it all
		return NewPace(s, nil, time.Now()), nil
	}
	rates, err := q.ledger.Rates(ctx)
	if err != nil {
		return nil, err
	}
	s.AccountRate, s.CampaignRate = rates.Account(account, q.rates[account]), rates.Campaign(info)
	live, err := q.ledger.Live(ctx, info.ID, account)
	if err != nil {
		return nil, err
	}
	s.Granted, s.GrantedSince = live.Pace.Granted, live.Pace.GrantedSince
	if live.Pace.BlockedUntil.Sub(live.Now) > time.Second { // the rest of its second is nothing to report
		s.BlockedUntil = live.Pace.BlockedUntil
	}
	s.CanaryPassed = live.Canary == "passed"
	s.ChecksFiles = info.Spec.CheckFiles != campaign.CheckNone && live.Files != ledger.FilesPassed
	s.Unattended = live.Now.Sub(latest(info.StartedAt, live.Looked))
	if s.Others, err = q.othersThan(ctx, info.ID, account, live.Now); err != nil {
		return nil, err
	}
	if err := s.readHours(ctx, q.ledger, info, live.Now); err != nil {
		return nil, err
	}
	return NewPace(s, live.Samples, live.Now), nil
}

// Closes says whether the balance closes: the states add up to the total.
func (r *Report) Closes() bool {
	n := 0
	for _, people := range r.Balance {
		n += people
	}
	return n == r.Total
}

// WriteJSON writes the report as one object on one line.
func (r *Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Outcome is a state, how it was reached and why, and for how many people.
type Outcome struct {
	State campaign.State
	By    campaign.DeliveredBy
	// Channels are the names of those that delivered, where By says only other.
	Channels string
	Reason   string
	Count    int
}

// Outcomes reads all records and counts them by state, channels and reason, the
// most frequent first within a state.
func (q *Reader) Outcomes(ctx context.Context, info *campaign.Info) ([]Outcome, error) {
	counts := make(map[Outcome]int)
	err := q.ledger.EachPage(ctx, info, func(p *ledger.Page) error {
		for i := range p.Recipients {
			r := p.Record(i)
			legs := info.Spec.Legs(&p.Recipients[i], &r)
			o := Outcome{State: r.State, By: r.DeliveredBy(), Reason: translate.Reason(&r, legs)}
			if o.By == campaign.ByOther {
				o.Channels = strings.Join(campaign.DeliveredChannels(legs), " and ")
			}
			counts[o]++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := make([]Outcome, 0, len(counts))
	for o, n := range counts {
		o.Count = n
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b Outcome) int {
		return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.By, b.By), cmp.Compare(a.Channels, b.Channels), cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return all, nil
}

// writeRows writes rows in aligned columns, those named in right to the right. wide keeps
// how wide the columns are, and may come from the rows before.
func writeRows(w io.Writer, indent string, wide []int, rows [][]string, right ...int) error {
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	b := bufio.NewWriter(w)
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			width := -wide[i] // to the left
			if slices.Contains(right, i) {
				width = wide[i]
			}
			line += fmt.Sprintf("%*s  ", width, cell)
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
	return b.Flush()
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	rows := [][]string{{"state", "people"}}
	row := func(name string, n int) {
		share := ""
		if r.Total > 0 {
			share = fmt.Sprintf("%.1f %%", 100*float64(n)/float64(r.Total))
		}
		rows = append(rows, []string{name, campaign.Number(n), share})
	}
	by := r.DeliveredBy
	for _, s := range campaign.States() {
		if n := r.Balance[s.String()]; n > 0 {
			row(s.String(), n)
		}
		if s != campaign.Delivered {
			continue
		}
		for i, n := range []int{by.WhatsApp, by.SMS, by.Both, by.Other, by.Read} { // those who have read it are among the others
			if n > 0 {
				row([]string{"  by WhatsApp", "  by SMS", "  by both", "  by another channel", "  and read"}[i], n)
			}
		}
	}
	row("total", r.Total)
	head := fmt.Sprintf("campaign %s: %s", r.Campaign, r.State)
	if r.Account != "" {
		head = fmt.Sprintf("campaign %s of account %s: %s", r.Campaign, r.Account, r.State)
	}
	if r.Reason != "" {
		head += " (" + r.Reason + ")"
	}
	if r.Advice != "" {
		head += "\n\n  " + strings.Join(wrap(r.Advice, reasonWidth), "\n  ")
	}
	if r.Pace != nil && r.State != string(campaign.Draft) && r.State != string(campaign.Done) {
		head += fmt.Sprintf("\n\n  %-13s  %s", "now", r.Pace.Line())
	}
	for _, warning := range r.Warnings {
		head += "\n\n  " + strings.Join(wrap("warning: "+warning, reasonWidth), "\n  ")
	}
	fmt.Fprintln(w, head+"\n")
	if err := writeRows(w, "  ", make([]int, 3), rows, 1, 2); err != nil || r.LeftOut.String() == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "\n  left out of the list: %s\n", r.LeftOut)
	return err
}

// reasonWidth is where a long reason goes on to the next line: with the columns
// before it, it fits a terminal of 120.
const reasonWidth = 76

// WriteOutcomes writes outcomes as a table.
func WriteOutcomes(w io.Writer, outcomes []Outcome) error {
	rows := [][]string{{"people", "outcome", "why"}}
	for _, o := range outcomes {
		people, name := campaign.Number(o.Count), o.State.String()
		if o.By != campaign.ByNone {
			name += " by " + cmp.Or(o.Channels, o.By.String())
		}
		for _, reason := range wrap(o.Reason, reasonWidth) {
			rows = append(rows, []string{people, name, reason})
			people, name = "", ""
		}
	}
	return writeRows(w, "  ", make([]int, 3), rows, 0)
}

// wrap breaks a reason between its parts and, where one is too long, between its
// words; what follows is indented. There is always one line.
func wrap(reason string, width int) []string {
	var lines []string
	for part := range strings.SplitSeq(reason, "; ") {
		line := ""
		for _, word := range strings.Fields(part) {
			switch {
			case line == "":
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
				lines, line = append(lines, line), "  "+word
			default:
				line += " " + word
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// WriteHistory writes the latest lines of the history for people, at most so many:
// when, who, what and why. Without a history it writes nothing.
func (r *Report) WriteHistory(w io.Writer, maxLines int) error {
	if len(r.History) == 0 {
		return nil
	}
	earlier := max(0, len(r.History)-maxLines)
	rows := [][]string{{"when", "who", "what", "why"}}
	for _, e := range r.History[earlier:] {
		rows = append(rows, []string{
			e.At.UTC().Format("2006-01-02 15:04:05Z"), Printable(e.By), Printable(strings.TrimSpace(e.Verb + " " + e.About)), Printable(e.Why),
		})
	}
	fmt.Fprintln(w)
	if earlier > 0 {
		fmt.Fprintf(w, "  (%s of the history: --history shows all)\n", campaign.Count(earlier, "earlier line"))
	}
	return writeRows(w, "  ", make([]int, 4), rows)
}

// Printable is a text on one line, without what a terminal takes for a command.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
