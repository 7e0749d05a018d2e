package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

func TestRates_OfACampaign(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	looker := h.client(t, "looker", access.Read)
	c.do(t, 201, "POST", "/campaigns", asJSON, strings.Replace(campaignBody("spring"), `"MKT"`, `"MKT","rate":7`, 1))
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, csvOf(3))
	const path = "/campaigns/spring/rate"
	read := func() (r report.Rate) {
		t.Helper()
		looker.do(t, 200, "GET", path, "", "").into(t, &r)
		return r
	}
	if r := read(); r.Campaign != "spring" || r.Rate != 7 || r.Own != 7 || r.Account != 10 || r.Set != nil {
		t.Errorf("of the file: %+v", r)
	}
	var r report.Rate
	c.do(t, 200, "PUT", path, asJSON, `{"rate":5,"why":"a complaint"}`).into(t, &r)
	if r.Rate != 5 || r.Own != 7 || r.Set == nil || r.Set.By != "billing" || r.Set.Why != "a complaint" || r.Set.Rate != 5 || time.Since(r.Set.At) > time.Hour {
		t.Errorf("set: %+v", r)
	}
	c.do(t, 200, "PUT", path, asJSON, `{"rate":5}`)
	if r := read(); r.Set == nil || r.Set.Why != "a complaint" {
		t.Errorf("said twice: %+v", r)
	}
	for _, body := range []string{`{"rate":0}`, `{"rate":-1}`, `{"rate":100001}`, `{}`, `{"rate":"5"}`} {
		p := problemOf(t, c.do(t, 422, "PUT", path, asJSON, body), "invalid")
		if len(p.Errors) != 1 || (p.Errors[0].Field != "rate" && body != "{}") {
			t.Errorf("%s: %+v", body, p)
		}
	}
	problemOf(t, looker.do(t, 403, "PUT", path, asJSON, `{"rate":1}`), "forbidden")
	c.do(t, 200, "DELETE", path, "", "")
	c.do(t, 200, "DELETE", path, "", "")
	if r := read(); r.Rate != 7 || r.Set != nil {
		t.Errorf("back: %+v", r)
	}
	var got api.Campaign
	c.do(t, 200, "GET", "/campaigns/spring", "", "").into(t, &got)
	var lines []string
	for _, l := range got.History {
		if l.By != "billing" {
			t.Errorf("%+v", l)
		}
		lines = append(lines, strings.TrimSpace(l.Verb+" "+l.About+" "+l.Why))
	}
	if said := strings.Join(lines[1:], ", "); said != "rate set 5/s a complaint, rate set back to the file's" {
		t.Errorf("the history says %q", said)
	}
}

func TestRates_OfTheAccount(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	var r report.Rate
	c.do(t, 200, "GET", "/account/rate", "", "").into(t, &r)
	if r.Campaign != "" || r.Rate != 10 || r.Own != 10 || r.Set != nil {
		t.Errorf("of the environment: %+v", r)
	}
	c.do(t, 200, "PUT", "/account/rate", asJSON, `{"rate":20,"why":"raised"}`).into(t, &r)
	if r.Rate != 20 || r.Own != 10 || r.Set == nil || r.Set.By != "billing" || r.Set.Why != "raised" {
		t.Errorf("set: %+v", r)
	}
	rates, err := h.ledger.Rates(t.Context())
	if err != nil || rates.Account("default", 10) != 20 {
		t.Errorf("the workers' is %v, %v", rates.Account("default", 10), err)
	}
	r = report.Rate{}
	c.do(t, 200, "GET", "/campaigns/spring/rate", "", "").into(t, &r)
	if r.Rate != 20 || r.Account != 20 || r.Own != 0 {
		t.Errorf("a campaign without a rate of its own: %+v", r)
	}
	c.do(t, 200, "DELETE", "/account/rate", "", "").into(t, &r)
	if r.Rate != 10 {
		t.Errorf("back: %+v", r)
	}
	c.do(t, 404, "GET", "/account/rate?account=us", "", "")
	c.do(t, 422, "PUT", "/account/rate?account=us", asJSON, `{"rate":20}`)
}

// finished makes a campaign of two that is done.
func (h *house) finished(t *testing.T, c *client, id string) {
	t.Helper()
	c.held(t, id, 2)
	c.do(t, 200, "POST", "/campaigns/"+id+"/start", "", "")
	for i := range 2 {
		h.settle(t, campaign.ID(id), i, campaign.Event{Kind: campaign.EventClaim}, campaign.Event{Kind: campaign.EventRefuse, Code: 10033})
	}
	now := time.Now()
	for _, step := range []func() error{
		func() error { return h.ledger.Settle(t.Context(), campaign.ID(id)) },
		func() error { return h.ledger.Finish(t.Context(), campaign.ID(id), now) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPurge_AsksForTheIDAgain(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	h.finished(t, c, "spring")
	c.held(t, "running", 2)
	const path = "/campaigns/spring/purge"
	for _, body := range []string{`{"id":"running"}`, `{"id":""}`, `{}`} {
		p := problemOf(t, c.do(t, 422, "POST", path, asJSON, body), "invalid")
		if body != "{}" && (len(p.Errors) != 1 || p.Errors[0].Field != "id") {
			t.Errorf("%s: %+v", body, p)
		}
	}
	problemOf(t, h.client(t, "shop", access.Read, access.Submit, access.People).do(t, 403, "POST", path, asJSON, `{"id":"spring"}`), "forbidden")
	problemOf(t, c.do(t, 409, "POST", "/campaigns/running/purge", asJSON, `{"id":"running"}`), "wrong-state")
	c.do(t, 200, "GET", "/campaigns/spring/recipients/customer-1", "", "")
	var got api.Campaign
	c.do(t, 200, "POST", path, asJSON, `{"id":"spring","why":"asked to"}`).into(t, &got)
	if got.Total != 2 || got.Balance.Refused != 2 || !strings.Contains(got.Reason, "purged") {
		t.Errorf("%+v", got)
	}
	if last := got.History[len(got.History)-1]; last.By != "billing" || last.Verb != "purged" || last.Why != "asked to" {
		t.Errorf("%+v", last)
	}
	problemOf(t, c.do(t, 409, "GET", "/campaigns/spring/recipients/customer-1", "", ""), "wrong-state")
	problemOf(t, c.do(t, 409, "PUT", "/campaigns/spring/rate", asJSON, `{"rate":1}`), "wrong-state")
	c.do(t, 200, "POST", path, asJSON, `{"id":"spring"}`) // again
	if keys := h.rdb.Keys(t.Context(), "handout:{spring}:page:*").Val(); len(keys) > 0 {
		t.Errorf("left: %v", keys)
	}
}

func TestReschedule_PausesUntilATime(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 2)
	at := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	body := `{"at":"` + at.Format(time.RFC3339) + `","why":"tomorrow"}`
	var got api.Campaign
	for range 2 {
		c.do(t, 200, "POST", "/campaigns/spring/reschedule", asJSON, body).into(t, &got)
		if got.State != "paused" || got.StartAt == nil || !got.StartAt.Equal(at) {
			t.Errorf("%+v", got)
		}
	}
	if last := got.History[len(got.History)-1]; len(got.History) != 2 || last.Verb != "rescheduled" || last.By != "billing" || last.Why != "tomorrow" {
		t.Errorf("%+v", got.History)
	}
	p := problemOf(t, c.do(t, 422, "POST", "/campaigns/spring/reschedule", asJSON, `{"at":"2026-01-01T00:00:00Z"}`), "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Field != "at" {
		t.Errorf("%+v", p)
	}
}
