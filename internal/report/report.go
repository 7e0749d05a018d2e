// Package report says what became of a campaign: the object, the table and the
// list of everyone that the command line and the API give out. It only reads.
package report

import (
	"context"
	"encoding/json"
	"io"
	"sort"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/ledger"
)

// Report is a campaign's outcome in numbers. Its JSON form is a contract.
type Report struct {
	Campaign    string         `json:"campaign"`
	State       string         `json:"state"`
	Reason      string         `json:"reason"`
	Total       int            `json:"total"`
	Balance     map[string]int `json:"balance"` // a key for each state
	DeliveredBy DeliveredBy    `json:"delivered_by"`
	Pace        *Pace          `json:"pace"`
	// Counts are what Balance and DeliveredBy show.
	Counts *campaign.Balance `json:"-"`
	// History is what was done to the campaign, the earliest first.
	History []campaign.Entry `json:"history"`
}

// DeliveredBy splits the delivered by channel. Read counts those of them whose
// channel has reported that they read it.
type DeliveredBy struct {
	WhatsApp int `json:"whatsapp"`
	SMS      int `json:"sms"`
	Both     int `json:"both"`
	Other    int `json:"other"`
	Read     int `json:"read"`
}

// newReport is the report of a campaign with this balance.
func newReport(info *campaign.Info, b *campaign.Balance) *Report {
	r := &Report{
		Campaign: string(info.ID), State: string(info.Phase), Reason: info.Reason, Total: info.Total,
		Balance: make(map[string]int), History: []campaign.Entry{}, Counts: b,
		DeliveredBy: DeliveredBy{
			WhatsApp: b.By[campaign.ByWhatsApp], SMS: b.By[campaign.BySMS],
			Both: b.By[campaign.ByBoth], Other: b.By[campaign.ByOther], Read: b.Read,
		},
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
	if r.History, err = q.ledger.History(ctx, id); err != nil {
		return nil, nil, err
	}
	r.Pace, err = q.Pace(ctx, info, b)
	return r, info, err
}

// Pace reads how fast a campaign with this balance goes.
func (q *Reader) Pace(ctx context.Context, info *campaign.Info, b *campaign.Balance) (*Pace, error) {
	s := &Situation{
		Phase: info.Phase, Reason: info.Reason, Balance: b, Cursor: info.Cursor,
		AccountRate: q.accountRate, CampaignRate: info.Spec.Rate, Canary: info.Spec.Canary,
	}
	if info.Phase != campaign.Running { // the phase says it all
		return NewPace(s, nil, time.Now()), nil
	}
	rates, err := q.ledger.Rates(ctx)
	if err != nil {
		return nil, err
	}
	s.AccountRate, s.CampaignRate = rates.Account(q.accountRate), rates.Campaign(info)
	live, err := q.ledger.Live(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	s.Granted, s.GrantedSince = live.Pace.Granted, live.Pace.GrantedSince
	if live.Pace.BlockedUntil.Sub(live.Now) > time.Second { // the rest of its second is nothing to report
		s.BlockedUntil = live.Pace.BlockedUntil
	}
	s.CanaryPassed = live.Canary == "passed"
	s.ChecksFiles = info.Spec.CheckFiles != campaign.CheckNone && live.Files != ledger.FilesPassed
	seen := info.StartedAt
	if n := len(live.Samples); n > 0 {
		seen = latest(seen, live.Samples[n-1].At)
	}
	s.Unattended = live.Now.Sub(seen)
	if err := s.readHours(ctx, q.ledger, info, live.Now); err != nil {
		return nil, err
	}
	return NewPace(s, live.Samples, live.Now), nil
}

// Closes says whether the balance closes: the states add up to the total.
func (r *Report) Closes() bool {
	n := 0
	for _, c := range r.Balance {
		n += c
	}
	return n == r.Total
}

// WriteJSON writes the report as one object on one line.
func (r *Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// Outcome is a state, how it was reached and why, and for how many people.
type Outcome struct {
	State  campaign.State
	By     campaign.DeliveredBy
	Reason string
	Count  int
}

// Outcomes reads all records and counts them by state, channels and reason, the
// most frequent first within a state.
func (q *Reader) Outcomes(ctx context.Context, info *campaign.Info) ([]Outcome, error) {
	counts := make(map[Outcome]int)
	err := q.ledger.EachPage(ctx, info, func(p *ledger.Page) error {
		for i := range p.Recipients {
			r := p.Record(i)
			counts[Outcome{State: r.State, By: r.DeliveredBy(), Reason: translate.Reason(&r)}]++
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
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		switch {
		case a.State != b.State:
			return a.State < b.State
		case a.By != b.By:
			return a.By < b.By
		case a.Count != b.Count:
			return a.Count > b.Count
		}
		return a.Reason < b.Reason
	})
	return all, nil
}
