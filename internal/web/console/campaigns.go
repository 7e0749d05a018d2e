package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
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
	Filter          *campaignFilter
	changesByItself bool
}

// Live says whether anything on the page still changes.
func (l campaignList) Live() bool { return l.changesByItself }

type campaignRow struct {
	ID, State, Reason, Pace string
	Account                 string // empty: there is one for all
	Total                   int
	Created                 time.Time
	Bar                     bar
}

func (c *Console) campaigns(v *visit) (string, any, error) {
	var list campaignList
	var found []report.Summary
	filter, err := listFilter(v)
	filter.Accounts = c.accounts()
	list.Filter = filter
	switch {
	case err != nil:
	case filter.asks():
		found, err = c.filtered(v, filter, &list)
	default:
		found, err = c.listed(v, &list)
	}
	if err != nil {
		return "", nil, err
	}
	for i := range found {
		s := &found[i]
		row := campaignRow{
			ID: string(s.ID), State: string(s.Phase), Reason: reasonNow(&s.Info), Total: s.Total, Created: s.CreatedAt, Bar: barOf(&s.Balance),
		}
		if filter.Accounts != nil {
			row.Account = s.Account
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

// listed reads a page of all campaigns.
func (c *Console) listed(v *visit, list *campaignList) ([]report.Summary, error) {
	page := 1
	if text := v.URL.Query().Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostNames {
			return nil, refuse(http.StatusBadRequest, "page is a number from 1 on.")
		}
		page = n
	}
	from := (page - 1) * rowsOnPage
	found, all, err := c.reports.ListPage(v.Context(), from, rowsOnPage)
	list.From, list.To, list.All, list.Self = from+1, from+len(found), all, pageAddress(page)
	if page > 1 {
		list.Newer = pageAddress(page - 1)
	}
	if from+rowsOnPage < all {
		list.Older = pageAddress(page + 1)
	}
	return found, err
}

// campaignFilter is what of all campaigns is asked for.
type campaignFilter struct {
	Text, State, Since, Until string // as they stand in the address
	Account                   string // likewise
	Accounts                  []string
	States                    []campaign.Phase
	after                     string // the campaign before the first one
}

func (f *campaignFilter) asks() bool { return f.Text+f.State+f.Account+f.Since+f.Until != "" }

// Asked reports whether the page is of a search.
func (f *campaignFilter) Asked() bool { return f.asks() }

func listFilter(v *visit) (*campaignFilter, error) {
	q := v.URL.Query()
	f := &campaignFilter{
		Text: strings.TrimSpace(q.Get("text")), State: q.Get("state"), Account: q.Get("account"), Since: q.Get("since"), Until: q.Get("until"),
		States: campaign.Phases(), after: q.Get("after"),
	}
	if len(f.Text) > maxText {
		return f, refuse(http.StatusBadRequest, "That is too long to be looked for.")
	}
	return f, nil
}

// address leads to the same search from a campaign on.
func (f *campaignFilter) address(after string) string {
	q := url.Values{}
	for name, value := range map[string]string{"text": f.Text, "state": f.State, "account": f.Account, "since": f.Since, "until": f.Until, "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return "/campaigns?" + q.Encode()
}

// filtered reads a page of those campaigns that the filter takes.
func (c *Console) filtered(v *visit, f *campaignFilter, list *campaignList) ([]report.Summary, error) {
	q := report.ListQuery{Text: strings.ToLower(f.Text), Account: f.Account, After: campaign.ID(f.after), Limit: rowsOnPage}
	if f.State != "" {
		if !slices.Contains(f.States, campaign.Phase(f.State)) {
			return nil, refuse(http.StatusBadRequest, "There is no such state.")
		}
		q.States = []campaign.Phase{campaign.Phase(f.State)}
	}
	for _, day := range []struct {
		text  string
		to    *time.Time
		after int // days
	}{{f.Since, &q.Since, 0}, {f.Until, &q.Until, 1}} {
		if day.text == "" {
			continue
		}
		at, err := time.Parse(time.DateOnly, day.text)
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "A day is written as in 2026-11-22.")
		}
		*day.to = at.AddDate(0, 0, day.after) // the last day belongs to it
	}
	found, err := c.reports.List(v.Context(), q)
	if err != nil {
		return nil, err
	}
	list.Self = f.address(f.after)
	if f.after != "" {
		list.Newer = f.address("")
	}
	if found.Next != "" {
		list.Older = f.address(string(found.Next))
	}
	return found.Campaigns, nil
}

func pageAddress(n int) string {
	if n == 1 {
		return "/campaigns"
	}
	return "/campaigns?page=" + strconv.Itoa(n)
}

const (
	// silence is for how long a browser may take nothing of a stream.
	silence = time.Minute
	// newsTime is how long one look may take.
	newsTime = 2 * time.Second
	// beat is how often a quiet stream says that it lives, and asks whether the
	// visitor may still look.
	beat = 15 * time.Second
)

// watch streams what changes on a campaign's page: the event now with the
// numbers, actions with the buttons, balance with all people by state, and done as
// the last one.
func (c *Console) watch(w http.ResponseWriter, r *http.Request) {
	v, err := c.enter(w, r, access.Read)
	if err == nil {
		_, err = c.look(v)
	}
	if err != nil {
		c.fail(w, r, v, err)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &stream{w: w, control: http.NewResponseController(w), last: map[string][]byte{}}
	out.comment("watching")
	ticker, alive := time.NewTicker(c.o.Every), time.NewTicker(beat)
	defer ticker.Stop()
	defer alive.Stop()
	for out.err == nil {
		if done := c.tell(v, out); done {
			return
		}
		select {
		case <-ticker.C:
		case <-alive.C:
			if _, err := c.o.Gate.Browser(r); errors.Is(err, access.ErrRefused) {
				return
			}
			out.comment("still here")
		case <-r.Context().Done():
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// tell sends what has changed since the last time, and reports whether it was the last event.
func (c *Console) tell(v *visit, out *stream) (done bool) {
	ctx, cancel := context.WithTimeout(v.Context(), newsTime)
	defer cancel()
	at := *v
	at.Request = v.WithContext(ctx)
	v = &at
	s, err := c.look(v)
	if operations.KindOf(err) == operations.NotFound {
		return true
	}
	if err != nil {
		return false // Redis will be back; the page says that there is no news
	}
	n, err := c.now(v, s)
	if err != nil {
		return false
	}
	for _, e := range []struct {
		name string
		data any
	}{{"now", n}, {"actions", actionsOf(v, s)}, {"balance", n}} {
		text, err := c.text(v, "campaign#"+e.name, e.data)
		if err != nil {
			c.o.Logger.Error("an event can't be made", "event", e.name, "error", err)
			return true
		}
		out.event(e.name, text)
	}
	out.event("beat", []byte(strconv.FormatInt(time.Now().UnixMilli(), 36))) // there is news of Redis, if of nothing else
	if s.Info.Phase == campaign.Done {
		out.event("done", []byte("done"))
		return true
	}
	return false
}

// stream is an answer of server-sent events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    map[string][]byte // by event
	err     error
}

// event sends one, if it says anything new.
func (s *stream) event(name string, text []byte) {
	if bytes.Equal(text, s.last[name]) {
		return
	}
	s.last[name] = bytes.Clone(text)
	s.write("event: " + name + "\ndata: " + strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\ndata: ") + "\n\n")
}

func (s *stream) comment(text string) { s.write(": " + text + "\n\n") }

func (s *stream) write(text string) {
	if s.err == nil {
		s.err = s.control.SetWriteDeadline(time.Now().Add(silence))
	}
	if s.err == nil {
		_, s.err = fmt.Fprint(s.w, text)
	}
	if s.err == nil {
		s.err = s.control.Flush()
	}
}
