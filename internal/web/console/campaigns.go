package console

import (
	"net/http"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
)

const (
	// rowsOnPage is how many campaigns a page shows.
	rowsOnPage = 20
	// mostNames is how many campaigns are known to the list.
	mostNames = 100_000
)

// campaignList is a page of all campaigns, the newest first.
type campaignList struct {
	Rows            []campaignRow
	From, To, All   int
	Newer, Older    string // addresses; empty: there are none
	Self            string
	changesByItself bool
}

// Live says whether anything on the page still changes.
func (l campaignList) Live() bool { return l.changesByItself }

type campaignRow struct {
	ID, State, Reason, Pace string
	Total                   int
	Created                 time.Time
	Bar                     bar
}

func (c *Console) campaigns(v *visit) (string, any, error) {
	page := 1
	if text := v.URL.Query().Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostNames {
			return "", nil, refuse(http.StatusBadRequest, "page is a number from 1 on.")
		}
		page = n
	}
	from := (page - 1) * rowsOnPage
	found, all, err := c.reports.ListPage(v.Context(), from, rowsOnPage)
	if err != nil {
		return "", nil, err
	}
	list := campaignList{From: from + 1, To: from + len(found), All: all, Self: pageAddress(page)}
	if page > 1 {
		list.Newer = pageAddress(page - 1)
	}
	if from+rowsOnPage < all {
		list.Older = pageAddress(page + 1)
	}
	for i := range found {
		s := &found[i]
		row := campaignRow{
			ID: string(s.ID), State: string(s.Phase), Reason: reasonNow(&s.Info), Total: s.Total, Created: s.CreatedAt, Bar: barOf(&s.Balance),
		}
		if s.Phase != campaign.Done {
			pace, err := c.reports.PaceOf(v.Context(), s)
			if err != nil {
				return "", nil, err
			}
			row.Pace, list.changesByItself = pace.Line(), true
		}
		list.Rows = append(list.Rows, row)
	}
	if v.partial() {
		return "campaigns#live", list, nil
	}
	return "campaigns", list, nil
}

func pageAddress(n int) string {
	if n == 1 {
		return "/campaigns"
	}
	return "/campaigns?page=" + strconv.Itoa(n)
}
