package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
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
	Unread                  bool // its data are damaged; the others are shown
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
	ids, err := c.ledger.Campaigns(v.Context(), mostNames)
	if err != nil {
		return "", nil, err
	}
	from := min((page-1)*rowsOnPage, len(ids))
	to := min(from+rowsOnPage, len(ids))
	list := campaignList{From: from + 1, To: to, All: len(ids), Self: pageAddress(page)}
	if page > 1 {
		list.Newer = pageAddress(page - 1)
	}
	if to < len(ids) {
		list.Older = pageAddress(page + 1)
	}
	for _, id := range ids[from:to] {
		row, live, err := c.row(v, id)
		switch {
		case errors.Is(err, ledger.ErrNotFound): // it is gone since
			continue
		case err != nil:
			return "", nil, err
		}
		list.Rows = append(list.Rows, row)
		list.changesByItself = list.changesByItself || live
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

// row is a campaign in the list.
func (c *Console) row(v *visit, id campaign.ID) (row campaignRow, live bool, err error) {
	info, err := c.ledger.Info(v.Context(), id)
	if err != nil {
		return row, false, err
	}
	b, err := c.ledger.Balance(v.Context(), id)
	if err != nil {
		return row, false, err
	}
	pace, err := c.reports.Pace(v.Context(), info, b)
	if err != nil {
		return row, false, err
	}
	row = campaignRow{
		ID: string(id), State: string(info.Phase), Reason: reasonNow(info), Total: info.Total, Created: info.CreatedAt, Bar: barOf(b),
	}
	if info.Phase != campaign.Done {
		row.Pace = pace.Line()
	}
	return row, info.Phase != campaign.Done, nil
}
