package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

func TestCreate_IsJudgedAsACampaignFileIs(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	for body, want := range map[string][]api.Fault{
		`{"id":"A b","message_type":"MKT","channels":[{"channel":"sms","template":"text","parameters":{"text":"x"}}]}`: {
			{Field: "id", Message: "a campaign ID is 1 to 48 characters of a-z, 0-9, _ and -, and begins with a letter or digit"}},
		`{"id":"a","message_type":"MKT","channels":[{"channel":"whatsapp","template":"file","fallback_time":"10s"},{"channel":"sms","template":"text"}]}`: {
			{Field: "channels[0].fallback_time", Message: "must be from 30 seconds to 1 hour"},
			{Field: "channels[1].parameters.text", Message: "missing: the template text of sms needs it"}},
		`{"id":"a","message_type":"MKT","canary_success":"80%","channels":[{"channel":"sms","template":"text","parameters":{"text":"{{.x"}}]}`: {
			{Field: "channels[0].parameters.text", Message: "*"}, {Field: "canary_success", Message: "needs canary: how many are sent to first"}},
		`{"id":"a","message_type":"MKT","max_failure_rate":2,"give_up_after":"soon","channels":[{"channel":"sms","template":"text","parameters":{"text":"x"}}]}`: {
			{Field: "give_up_after", Message: "must be a duration such as 24h or 90d, from 1m to 3650d"},
			{Field: "max_failure_rate", Message: "must be a share such as 0.3 or 30%, over 0 and at most 1"}},
		`{"id":"a","message_type":"FAX"}`: {
			{Field: "channels", Message: "missing"}, {Field: "message_type", Message: "*"}},
	} {
		p := problemOf(t, c.do(t, 422, "POST", "/campaigns", asJSON, body), "invalid")
		for i := range p.Errors {
			if i < len(want) && want[i].Message == "*" {
				p.Errors[i].Message = "*"
			}
		}
		slices.SortFunc(p.Errors, func(a, b api.Fault) int { return strings.Compare(a.Field, b.Field) })
		slices.SortFunc(want, func(a, b api.Fault) int { return strings.Compare(a.Field, b.Field) })
		if diff := cmp.Diff(want, p.Errors); diff != "" {
			t.Errorf("%s:\n%s", body, diff)
		}
	}
}

func TestCreate_WaitsForItsListAndMayBeRepeated(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	other := strings.Replace(campaignBody("spring"), "10m", "9m", 1)
	var created api.Campaign
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring")).into(t, &created)
	if created.State != "proposed" || created.File == nil || created.File.Channels[1].Parameters["text"] != "Your file: {{.url}} 😀" {
		t.Errorf("%+v", created)
	}
	c.do(t, 200, "POST", "/campaigns", asJSON, campaignBody("spring"))
	problemOf(t, c.do(t, 409, "POST", "/campaigns", asJSON, other), "other-content")
	c.do(t, 201, "POST", "/campaigns?replace=true", asJSON, other)
	c.do(t, 200, "POST", "/campaigns?replace=true", asJSON, other)
	c.do(t, 200, "GET", "/campaigns/spring", "", "").into(t, &created)
	if string(created.File.Channels[0].FallbackTime) != "540" {
		t.Errorf("replaced by %s", created.File.Channels[0].FallbackTime)
	}
	c.do(t, 200, "GET", "/campaigns/spring/history", "", "")
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, csvOf(3))
	c.do(t, 200, "POST", "/campaigns", asJSON, other)
	for _, replace := range []string{"", "?replace=true"} {
		problemOf(t, c.do(t, 409, "POST", "/campaigns"+replace, asJSON, campaignBody("spring")), "other-content")
	}
	// Without what waited: the campaign that stands is asked.
	h.rdb.Del(t.Context(), "handout:{spring}:proposed")
	c.do(t, 200, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, csvOf(3))
	if keys := h.rdb.TTL(t.Context(), "handout:{spring}:meta").Val(); keys > 0 {
		t.Errorf("the campaign expires in %s", keys)
	}
}

func TestCreate_AProposalExpires(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.all(t).do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	if left := h.rdb.TTL(t.Context(), "handout:{spring}:proposed").Val(); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("in %s", left)
	}
}

func TestList_FiltersAndGoesOn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	for i := range 7 {
		c.held(t, fmt.Sprintf("spring-%d", i), 1)
	}
	c.do(t, 200, "POST", "/campaigns/spring-3/cancel", asJSON, `{"why":"a mistake"}`)
	names := func(query string) (all []string) {
		var out struct {
			Campaigns  []api.Campaign `json:"campaigns"`
			NextCursor string         `json:"next_cursor"`
		}
		for cursor, pages := "", 0; ; pages++ {
			out.NextCursor, out.Campaigns = "", nil
			c.do(t, 200, "GET", "/campaigns?limit=2&"+query+"&cursor="+cursor, "", "").into(t, &out)
			for _, one := range out.Campaigns {
				all = append(all, one.Campaign)
			}
			if cursor = out.NextCursor; cursor == "" || pages > 9 {
				return all
			}
		}
	}
	if got := names(""); len(got) != 7 || got[0] != "spring-6" || got[6] != "spring-0" {
		t.Errorf("all: %v", got)
	}
	if got := names("state=canceled"); len(got) != 1 || got[0] != "spring-3" {
		t.Errorf("canceled: %v", got)
	}
	if got := names("text=g-5"); len(got) != 1 || got[0] != "spring-5" {
		t.Errorf("by text: %v", got)
	}
	problemOf(t, c.do(t, 422, "GET", "/campaigns?cursor=summer", "", ""), "invalid")
	problemOf(t, c.do(t, 422, "GET", "/campaigns?limit=1000", "", ""), "invalid")
	problemOf(t, c.do(t, 422, "GET", "/campaigns?state=lost", "", ""), "invalid")
}

func TestSteering_IsInTheHistoryUnderTheKeysName(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.client(t, "shop", access.Scopes()...)
	c.held(t, "spring", 3)
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for _, step := range []struct{ verb, body, state string }{
		{"start", fmt.Sprintf(`{"at":%q}`, later), "paused"}, {"start", `{"why":"now"}`, "running"}, {"start", "", "running"},
		{"pause", `{"why":"wrong file"}`, "paused"}, {"pause", "", "paused"}, {"resume", "{}", "running"}, {"cancel", "", "canceled"}, {"cancel", "", "canceled"},
	} {
		media := ""
		if step.body != "" {
			media = asJSON
		}
		var got api.Campaign
		c.do(t, 200, "POST", "/campaigns/spring/"+step.verb, media, step.body).into(t, &got)
		if got.State != step.state || (step.state == "running") != (got.Reason == "") {
			t.Errorf("after %s %s: %s %s", step.verb, step.body, got.State, got.Reason)
		}
	}
	for _, verb := range []string{"start", "resume", "pause"} {
		problemOf(t, c.do(t, 409, "POST", "/campaigns/spring/"+verb, "", ""), "wrong-state")
	}
	problemOf(t, c.do(t, 422, "POST", "/campaigns/spring/start", asJSON, `{"at":"2020-01-01T00:00:00Z"}`), "invalid")
	problemOf(t, c.do(t, 409, "POST", "/campaigns/spring/retry", asJSON, `{"only":"failed","expected":1}`), "wrong-state")
	var out struct {
		History []campaign.Entry `json:"history"`
	}
	c.do(t, 200, "GET", "/campaigns/spring/history", "", "").into(t, &out)
	var verbs []string
	for _, line := range out.History {
		verbs = append(verbs, line.Verb)
		if line.By != "shop" || line.At.IsZero() {
			t.Errorf("%+v", line)
		}
	}
	if got, want := strings.Join(verbs, " "), "submitted rescheduled resumed paused resumed canceled"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRetry_OnlyAsManyAsTheCallerKnowsOf(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 5)
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	for i := range 3 {
		h.fail(t, "spring", i)
	}
	p := problemOf(t, c.do(t, 409, "POST", "/campaigns/spring/retry", asJSON, `{"only":"failed","expected":2}`), "stale")
	if p.Errors[0].Field != "expected" {
		t.Errorf("%+v", p)
	}
	if a := c.do(t, 200, "GET", "/campaigns/spring", "", ""); !strings.Contains(a.body, `"failed":3`) {
		t.Errorf("a stale retry did something: %s", a.body)
	}
	a := c.do(t, 200, "POST", "/campaigns/spring/retry", asJSON, `{"only":"failed","expected":3,"why":"the file was missing"}`)
	if strings.TrimSpace(a.body) != `{"retried":3}` {
		t.Error(a.body)
	}
	problemOf(t, c.do(t, 409, "POST", "/campaigns/spring/retry", asJSON, `{"only":"failed","expected":3}`), "stale")
	if a := c.do(t, 200, "GET", "/campaigns/spring", "", ""); !strings.Contains(a.body, `"failed":0`) || !strings.Contains(a.body, `"retrying":3`) {
		t.Error(a.body)
	}
	if a := c.do(t, 200, "GET", "/campaigns/spring/history", "", ""); !strings.Contains(a.body, `"why":"the file was missing"`) {
		t.Error(a.body)
	}
}

// fail has a person be sent to, and every channel fail.
func (h *house) fail(t testing.TB, id campaign.ID, index int) {
	t.Helper()
	reference := fmt.Sprintf("%032X", index+1)
	h.settle(t, id, index,
		campaign.Event{Kind: campaign.EventClaim, Claim: 7},
		campaign.Event{Kind: campaign.EventAccept, Claim: 7, Attempt: 1, Reference: reference, DueAt: time.Now().Add(time.Hour)},
		campaign.Event{
			Kind: campaign.EventReceipt, Attempt: 1, Reference: reference, Final: true, Status: campaign.Leg{Rank: campaign.RankFailed, Code: 3056},
			Legs: []campaign.ChannelLeg{{Channel: "whatsapp", Leg: campaign.Leg{Rank: campaign.RankFailed, Code: 3056}}},
		})
}
