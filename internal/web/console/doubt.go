package console

import (
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
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
			row.People = append(row.People, doubtPerson{v.personRow(d.Info.ID, f), r.DueAt, r.Attempt, r.ClaimedAt})
		}
		page.Campaigns = append(page.Campaigns, row)
		page.Total += row.Count
	}
	return "doubt", page, nil
}
