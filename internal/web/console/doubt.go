package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/ledger"
)

const (
	// doubtOnPage is how many of one campaign's people in doubt the page names.
	doubtOnPage = 10
	// doubtCampaigns is how many campaigns with people in doubt it shows.
	doubtCampaigns = 20
)

// doubtPage is everyone in doubt, the newest campaigns first.
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
	ids, err := c.ledger.Campaigns(v.Context(), mostNames)
	if err != nil {
		return "", nil, err
	}
	glances, err := c.ledger.Summaries(v.Context(), ids)
	if err != nil {
		return "", nil, err
	}
	page, over := doubtPage{May: v.may(access.Control)}, overIn(searchTime)
	for _, g := range glances {
		if g.InDoubt == 0 || g.Phase == campaign.Draft {
			continue
		}
		info, err := c.ledger.Info(v.Context(), g.ID)
		if errors.Is(err, ledger.ErrNotFound) || (err == nil && info.Gone() != nil) {
			continue // nobody is there to decide about
		}
		if err != nil {
			return "", nil, err
		}
		if len(page.Campaigns) == doubtCampaigns {
			page.Left++
			page.LeftCount += g.InDoubt
			continue
		}
		row, err := c.doubtRow(v, info, g.InDoubt, over)
		if errors.Is(err, campaign.ErrPurged) { // just now
			continue
		}
		if err != nil {
			return "", nil, err
		}
		page.Campaigns = append(page.Campaigns, row)
		page.Total += row.Count
	}
	return "doubt", page, nil
}

func (c *Console) doubtRow(v *visit, info *campaign.Info, n int, over func() bool) (doubtRow, error) {
	row := doubtRow{
		ID: string(info.ID), State: string(info.Phase), Count: n, Canceled: info.Canceled,
		All: peopleAddress(info.ID, campaign.InDoubt.String(), ""),
	}
	if over() {
		row.Unread = true
		return row, nil
	}
	filter := &report.Filter{State: campaign.InDoubt.String()}
	people, _, err := c.reports.People(v.Context(), info, filter, campaign.Place{}, doubtOnPage, func(int) bool { return over() })
	if err != nil {
		return row, err
	}
	row.Unread = len(people) < min(n, doubtOnPage) && over()
	for _, f := range people {
		r := &f.Seen.Record
		row.People = append(row.People, doubtPerson{v.personRow(info.ID, f), r.DueAt, r.Attempt, r.ClaimedAt})
	}
	return row, nil
}

func (c *Console) askAcceptAll(v *visit) (string, any, error) {
	// Before the number that the person says yes to.
	began, err := c.ledger.Now(v.Context())
	if err != nil {
		return "", nil, err
	}
	s, err := c.look(v)
	if err != nil {
		return "", nil, err
	}
	if err := s.info.Gone(); err != nil {
		return "", nil, err
	}
	n := s.balance.Of(campaign.InDoubt)
	if n == 0 {
		return "", nil, refuse(http.StatusConflict, "Nobody in this campaign is in doubt.")
	}
	return "ask", question{
		ID: string(s.info.ID), Title: "Take all in doubt in " + string(s.info.ID) + " as sent?", To: "/doubt/" + string(s.info.ID) + "/accept",
		Text: []string{
			"People in doubt: " + count(n) + ". Taken as sent they are unconfirmed; receipts that still come are recorded.",
		},
		Risk: translate.AcceptRisk, Fields: []field{why}, Do: "Take " + count(n) + " as sent", Danger: true,
		Hidden: map[string]string{"expected": strconv.Itoa(n), "began": strconv.FormatInt(began.UnixMicro(), 10)},
	}, nil
}

func (c *Console) acceptAll(v *visit) (string, error) {
	n, _, err := c.decideAll(v, campaign.InDoubt, (*campaign.Info).Gone, c.ledger.AcceptAllAsSent)
	if err != nil {
		return "", err
	}
	v.flash(count(n) + " in doubt are taken as sent.")
	return "/doubt", nil
}
