package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/api"
)

// doubt leaves people of a running campaign in doubt.
func (h *house) doubt(t testing.TB, id campaign.ID, indexes ...int) {
	t.Helper()
	for _, i := range indexes {
		h.settle(t, id, i, campaign.Event{Kind: campaign.EventClaim, Claim: 7}, campaign.Event{Kind: campaign.EventDoubt, Claim: 7, Attempt: 1, DueAt: time.Now().Add(time.Hour)})
	}
}

func TestAcceptAsSent_OneInDoubtOnce(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	h.doubt(t, "spring", 1)
	h.fail(t, "spring", 2)
	var r api.Recipient
	for range 2 { // the second changes nothing
		c.do(t, 200, "POST", "/campaigns/spring/recipients/customer-1/accept-as-sent", asJSON, `{"why":"it arrived"}`).into(t, &r)
		if r.State != "unconfirmed" || r.Place != "0.1" {
			t.Errorf("%+v", r)
		}
	}
	c.do(t, 200, "GET", "/campaigns/spring/recipients/customer-1", "", "").into(t, &r)
	var told []string
	for _, m := range r.Timeline {
		told = append(told, strings.TrimSpace(m.What+" "+m.By+" "+m.Why))
	}
	if got := strings.Join(told, ", "); !strings.HasPrefix(got, "claimed, ") || strings.Count(got, "accepted as sent billing it arrived") != 1 {
		t.Errorf("the timeline: %s", got)
	}
	for _, name := range []string{"customer-0", "customer-2"} {
		problemOf(t, c.do(t, 409, "POST", "/campaigns/spring/recipients/"+name+"/accept-as-sent", "", ""), "wrong-state")
	}
	a := c.do(t, 200, "GET", "/campaigns/spring/history", "", "")
	if strings.Count(a.body, `"by":"billing","verb":"accepted as sent","why":"it arrived","about":"recipient 0.1"`) != 1 {
		t.Error(a.body)
	}
}

func TestAcceptAllAsSent_OnlyAsManyAsTheCallerKnowsOf(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 250)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	h.doubt(t, "spring", 3, 120, 249)
	if a := c.do(t, 200, "GET", "/campaigns/spring/recipients?state=in_doubt", "", ""); strings.Count(a.body, `"state":"in_doubt"`) != 3 {
		t.Errorf("those in doubt: %s", a.body)
	}
	ask := func(status, expected int) answer {
		return c.do(t, status, "POST", "/campaigns/spring/accept-as-sent", asJSON, fmt.Sprintf(`{"expected":%d,"why":"Telesign says so"}`, expected))
	}
	counts := func(doubt, unconfirmed int) {
		t.Helper()
		want := fmt.Sprintf(`"in_doubt":%d`, doubt)
		a := c.do(t, 200, "GET", "/campaigns/spring", "", "")
		if !strings.Contains(a.body, want) || !strings.Contains(a.body, fmt.Sprintf(`"unconfirmed":%d`, unconfirmed)) {
			t.Errorf("want %s: %s", want, a.body)
		}
	}
	if p := problemOf(t, ask(409, 2), "stale"); p.Errors[0].Field != "expected" {
		t.Errorf("%+v", p)
	}
	counts(3, 0)
	if a := ask(200, 3); strings.TrimSpace(a.body) != `{"accepted":3}` {
		t.Error(a.body)
	}
	counts(0, 3)
	problemOf(t, ask(409, 3), "stale")
	if a := c.do(t, 200, "GET", "/campaigns/spring/history", "", ""); !strings.Contains(a.body, `"verb":"accepted as sent","why":"Telesign says so","about":"3 in_doubt"`) {
		t.Error(a.body)
	}
}

// Someone else's decision about many is under way: it is to be waited for.
func TestDecisionsAboutMany_OneAtATime(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	h.doubt(t, "spring", 1)
	h.fail(t, "spring", 2)
	if mine, err := h.ledger.Lease(t.Context(), "spring", "retry", "someone else", time.Hour); err != nil || !mine {
		t.Fatal(mine, err)
	}
	for path, body := range map[string]string{"retry": `{"only":"failed","expected":1}`, "accept-as-sent": `{"expected":1}`} {
		a := c.do(t, 409, "POST", "/campaigns/spring/"+path, asJSON, body)
		if problemOf(t, a, "busy"); a.header.Get("Retry-After") == "" {
			t.Errorf("%s: without Retry-After", path)
		}
	}
	if a := c.do(t, 200, "GET", "/campaigns/spring", "", ""); !strings.Contains(a.body, `"in_doubt":1`) || !strings.Contains(a.body, `"failed":1`) {
		t.Errorf("something was done: %s", a.body)
	}
}
