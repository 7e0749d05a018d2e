package console

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
)

type campaignPage struct {
	ID       string
	Account  string // empty: there is one for all
	Now      nowPart
	Actions  actionsPart
	Time     *timeChart // nil: there is nothing to draw yet
	Outcomes *outcomesPart
	Info     *campaign.Info
	Zones    []zoneRow
	History  []campaign.Entry // the latest first
	Earlier  int              // lines of the history that aren't shown
	Purged   time.Time
	Exports  bool // its people can be exported
}

// Live says whether the page still changes.
func (p campaignPage) Live() bool { return p.Now.Moves }

type nowPart struct {
	ID, State, Reason, Canary  string
	Advice                     string // what to do about a hold
	Running, Held, Moves, Gone bool
	Total, Delivered, Read     int
	Balance                    *campaign.Balance
	Pace                       *report.Pace
	Warnings                   []string // what keeps outcomes from arriving
	Bar                        bar
}

type fact struct{ Name, Value string }

// look reads the campaign of the path, a draft too.
func (c *Console) look(v *visit) (*operations.Standing, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	info, b, err := c.reports.Campaign(v.Context(), id)
	return &operations.Standing{Info: info, Balance: b}, err
}

func (c *Console) campaign(v *visit) (string, any, error) {
	s, err := c.look(v)
	if err != nil {
		return "", nil, err
	}
	page := campaignPage{ID: string(s.Info.ID), Actions: actionsOf(v, s), Purged: s.Info.PurgedAt, Info: s.Info}
	if c.accounts() != nil {
		page.Account = s.Info.Spec.AccountName()
	}
	if page.Now, err = c.now(v, s); err != nil {
		return "", nil, err
	}
	if page.Time, err = c.timeChart(v.Context(), s); err != nil {
		return "", nil, err
	}
	if s.Info.Phase != campaign.Draft && s.Info.Gone() == nil {
		o, err := c.outcomes(v.Context(), s)
		if err != nil && !errors.Is(err, campaign.ErrPurged) { // it was purged a moment ago
			return "", nil, err
		}
		page.Outcomes, page.Exports = outcomesOf(s, o), true
	}
	if page.Zones, err = c.zones(v, s.Info); err != nil {
		return "", nil, err
	}
	history, err := c.reports.History(v.Context(), s.Info.ID)
	if err != nil {
		return "", nil, err
	}
	slices.Reverse(history)
	for i := range history {
		history[i].About = spaced(history[i].About)
	}
	page.History = history
	if most := historyShown; len(history) > most && v.URL.Query().Get("history") != "all" {
		page.History, page.Earlier = history[:most], len(history)-most
	}
	return "campaign", page, nil
}

// historyShown is how many lines of a history a page shows unless it is asked
// for all.
const historyShown = 30

// picture is the chart over time alone, which is loaded anew now and then.
func (c *Console) picture(v *visit) (string, any, error) {
	s, err := c.look(v)
	if err != nil {
		return "", nil, err
	}
	chart, err := c.timeChart(v.Context(), s)
	return "campaign#picture", chart, err
}

// now is what a campaign's stream tells, and the page to begin with.
func (c *Console) now(v *visit, s *operations.Standing) (nowPart, error) {
	pace, err := c.reports.Pace(v.Context(), s.Info, s.Balance)
	if err != nil {
		return nowPart{}, err
	}
	info, b := s.Info, s.Balance
	warnings, err := c.reports.Warnings(v.Context(), b)
	if err != nil {
		return nowPart{}, err
	}
	for i := range warnings {
		warnings[i] = sentence(warnings[i])
	}
	return nowPart{
		Warnings: warnings, Advice: adviceNow(info),

		ID: string(info.ID), State: string(info.Phase), Reason: reasonNow(info), Canary: canaryWords(info),
		Running: info.Phase == campaign.Running, Held: info.Phase == campaign.Held, Moves: info.Phase != campaign.Done, Gone: info.Gone() != nil,
		Total: b.Total(), Delivered: b.Of(campaign.Delivered), Read: b.Read, Balance: b, Pace: pace, Bar: barOf(b),
	}, nil
}

// reasonNow is why a campaign is in its state.
func reasonNow(info *campaign.Info) string {
	if info.Phase == campaign.Paused && !info.StartAt.IsZero() {
		return "It starts by itself at " + when(info.StartAt) + "."
	}
	return info.Reason
}

// adviceNow is what to do about a hold; empty for none.
func adviceNow(info *campaign.Info) string {
	if info.Phase != campaign.Held {
		return ""
	}
	return translate.Advice(info)
}

func canaryWords(info *campaign.Info) string {
	if info.Spec.Canary == 0 {
		return ""
	}
	of := campaign.Count(info.Spec.Canary, "person") + " first: "
	switch info.Canary {
	case campaign.CanaryPassed:
		return of + "passed"
	case campaign.CanaryFailed:
		return of + "failed"
	}
	return of + "not decided yet"
}

// peopleAddress leads to people of a campaign.
func peopleAddress(id campaign.ID, state, reason string) string {
	q := url.Values{"state": {state}}
	if reason != "" {
		q.Set("reason", reason)
	}
	return "/campaigns/" + string(id) + "/people?" + q.Encode()
}

type zoneRow struct {
	Zone, Opens string
	Left        int
}

// zones is who waits for which clock.
func (c *Console) zones(v *visit, info *campaign.Info) ([]zoneRow, error) {
	if info.Spec.Hours == nil || info.Phase == campaign.Draft || info.Phase == campaign.Done || info.Gone() != nil {
		return nil, nil
	}
	left, err := c.reports.ZonesLeft(v.Context(), info)
	if err != nil {
		return nil, err
	}
	var rows []zoneRow
	now := time.Now()
	for _, z := range left {
		if z.Recipients == 0 {
			continue
		}
		name := strings.Join(campaign.SplitZones(z.Zones), ", ")
		if name == "" {
			name = "unknown"
		}
		row := zoneRow{Zone: name, Left: z.Recipients, Opens: "never"}
		switch next, ever := info.Spec.NextOpen(z.Zones, now, campaign.RequestMargin); {
		case ever && next.Equal(now):
			row.Opens = "open now"
		case ever:
			row.Opens = when(next)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
