package console

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
)

type campaignPage struct {
	ID       string
	Now      nowPart
	Actions  actionsPart
	Time     *timeChart // nil: there is nothing to draw yet
	Outcomes *outcomesPart
	Spec     specPart
	History  []campaign.Entry // the latest first
	Earlier  int              // lines of the history that aren't shown
	Purged   time.Time
}

// Live says whether the page still changes.
func (p campaignPage) Live() bool { return p.Now.Moves }

type nowPart struct {
	ID, State, Reason string
	Held, Moves       bool
	Total             int
	Bar               bar
	Facts             []fact
	States            []stateCount
}

type fact struct{ Name, Value string }

type stateCount struct {
	State, About, People string
	Count                int
}

// statesInWords says what each state means.
var statesInWords = map[campaign.State]string{
	campaign.Planned:     "nothing was done yet",
	campaign.Claimed:     "being sent to at this moment",
	campaign.Retrying:    "certainly not sent; tried again",
	campaign.Accepted:    "Telesign took it; no outcome yet",
	campaign.InDoubt:     "may have been sent; left alone until the receipt, or a person",
	campaign.Delivered:   "by one channel at least",
	campaign.Failed:      "no channel delivered",
	campaign.Refused:     "Telesign refused the request",
	campaign.Suppressed:  "never sent: on the suppression list",
	campaign.Canceled:    "never sent: the campaign was canceled",
	campaign.Unconfirmed: "Telesign took it; its outcome is unknown",
}

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
	page := campaignPage{ID: string(s.Info.ID), Actions: actionsOf(v, s), Purged: s.Info.PurgedAt, Spec: specOf(s.Info)}
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
		page.Outcomes = outcomesOf(s, o)
	}
	if page.Spec.Zones, err = c.zones(v, s.Info); err != nil {
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
	n := nowPart{
		ID: string(info.ID), State: string(info.Phase), Reason: reasonNow(info), Held: info.Phase == campaign.Held,
		Moves: info.Phase != campaign.Done, Total: b.Total(), Bar: barOf(b),
	}
	n.Facts = []fact{
		{"people", count(b.Total())},
		{"delivered", count(b.Of(campaign.Delivered)) + " (" + percent(b.Of(campaign.Delivered), b.Total()) + ")"},
		{"read, as far as reported", count(b.Read)},
	}
	if info.Phase == campaign.Running {
		n.Facts = append(n.Facts, fact{"rate now", strconv.FormatFloat(pace.Rate, 'f', 1, 64) + " messages/s"})
		n.Facts = append(n.Facts, fact{"bound by", boundBy(pace)})
		if pace.ETA != nil {
			n.Facts = append(n.Facts, fact{"all sent to by", when(*pace.ETA)})
		}
	} else if n.Moves {
		n.Facts = append(n.Facts, fact{"now", pace.Line()})
	}
	if canary := canaryWords(info); canary != "" {
		n.Facts = append(n.Facts, fact{"canary", canary})
	}
	for _, state := range campaign.States() {
		row := stateCount{State: state.String(), About: statesInWords[state], Count: b.Of(state)}
		if row.Count > 0 && info.Gone() == nil {
			row.People = peopleAddress(info.ID, state.String(), "")
		}
		n.States = append(n.States, row)
	}
	return n, nil
}

// reasonNow is why a campaign is in its state.
func reasonNow(info *campaign.Info) string {
	if info.Phase == campaign.Paused && !info.StartAt.IsZero() {
		return "It starts by itself at " + when(info.StartAt) + "."
	}
	return info.Reason
}

func boundBy(p *report.Pace) string {
	if p.LimitDetail != "" {
		return p.LimitDetail
	}
	return string(p.Limit)
}

func canaryWords(info *campaign.Info) string {
	if info.Spec.Canary == 0 {
		return ""
	}
	of := count(info.Spec.Canary) + " people first: "
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

type specPart struct {
	Facts    []fact
	Channels []campaign.Channel
	Zones    []zoneRow
}

func specOf(info *campaign.Info) specPart {
	s := info.Spec
	p := specPart{Channels: s.Channels}
	add := func(name, value string) {
		if value != "" {
			p.Facts = append(p.Facts, fact{name, value})
		}
	}
	add("message type", s.MessageType)
	add("lane", string(s.Lane))
	if s.Rate > 0 {
		add("rate in its file", strconv.FormatFloat(s.Rate, 'f', -1, 64)+" messages/s")
	}
	if s.OnDoubt != "" {
		add("in doubt", map[campaign.OnDoubt]string{campaign.DoubtHold: "left to the receipt, or a person", campaign.DoubtResend: "sent again"}[s.OnDoubt])
	}
	if h := s.Hours; h != nil {
		zone := h.Zone
		if zone == campaign.ZoneRecipient {
			zone = "each recipient's own zone"
		}
		days := ""
		if len(h.Days) > 0 {
			days = ", " + strings.Join(h.Days, " ")
		}
		add("hours", h.From+" to "+h.To+days+", "+zone)
	}
	add("created", when(info.CreatedAt))
	add("starts", when(info.StartAt))
	add("started", when(info.StartedAt))
	add("done", when(info.FinishedAt))
	return p
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
