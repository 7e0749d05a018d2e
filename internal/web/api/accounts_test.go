package api_test

import (
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

// through is a campaign file, or a send, of an account.
func through(account, body string) string {
	return strings.Replace(body, "{", `{"account":"`+account+`",`, 1)
}

// see fails the test unless an answer has these texts.
func (a answer) see(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%q isn't in %s", text, a.body)
		}
	}
}

func TestAccounts_AKeyIsBoundToThoseItNames(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *api.Options) {
		o.Accounts = map[string]operations.Account{"us": {Rate: 40}, "at": {Rate: 20}}
	})
	all := h.all(t)
	for _, account := range []string{"default", "us", "at"} {
		all.do(t, 201, "POST", "/campaigns", asJSON, through(account, campaignBody("of-"+account)))
		all.do(t, 201, "PUT", "/campaigns/of-"+account+"/recipients?hold=true", asCSV, csvOf(2))
	}
	token, err := h.keys.Create(t.Context(), access.Key{
		Name: "american", Scopes: []access.Scope{access.Read, access.Submit, access.Control}, Limits: access.Limits{Accounts: []string{"us"}},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	us := &client{h, token}
	us.do(t, 200, "GET", "/campaigns/of-us", "", "").see(t, `"account":"us"`)
	us.do(t, 200, "POST", "/campaigns/of-us/start", "", "")
	us.do(t, 201, "POST", "/sends", asJSON, through("us", sendBody("+12015550100", "Hello")), "Idempotency-Key", "k").see(t, `"campaign":"sends-`, `-us"`)
	us.do(t, 200, "PUT", "/account/rate?account=us", asJSON, `{"rate":5}`).see(t, `"of":"us"`, `"rate":5`)
	us.do(t, 200, "GET", "/templates?account=us", "", "")
	for _, refused := range [][3]string{
		{"GET", "/campaigns/of-at", ""}, {"POST", "/campaigns/of-default/start", ""}, {"POST", "/campaigns", through("at", campaignBody("x"))},
		{"POST", "/campaigns", campaignBody("x")}, {"POST", "/sends", sendBody("+12015550100", "Hello")}, {"PUT", "/account/rate", `{"rate":5}`},
		{"GET", "/account/rate?account=at", ""}, {"DELETE", "/suppression/+12015550100", ""}, {"GET", "/templates", ""},
	} {
		mime := ""
		if refused[2] != "" {
			mime = asJSON
		}
		us.do(t, 403, refused[0], refused[1], mime, refused[2], "Idempotency-Key", "other")
	}
	var seen api.Campaigns
	us.do(t, 200, "GET", "/campaigns", "", "").into(t, &seen)
	for _, c := range seen.Campaigns {
		if c.Account != "us" {
			t.Errorf("a key of us sees %s of %q", c.Campaign, c.Account)
		}
	}
	if len(seen.Campaigns) != 2 { // and the standing one
		t.Errorf("it sees %d campaigns", len(seen.Campaigns))
	}
	var r report.Rate
	all.do(t, 200, "GET", "/campaigns/of-us/rate", "", "").into(t, &r)
	if r.Account != 5 || r.Of != "us" {
		t.Errorf("the rate of a campaign of us is under %+v", r)
	}
	for account, want := range map[string]string{"us": "of-us", "at": "of-at", "default": "of-default"} {
		all.do(t, 200, "GET", "/campaigns?text=of-&account="+account, "", "").into(t, &seen)
		if len(seen.Campaigns) != 1 || seen.Campaigns[0].Campaign != want {
			t.Errorf("of %s: %+v", account, seen.Campaigns)
		}
	}
}

func TestAccounts_OneThatIsNotThereIsAFaultOfTheCampaignFile(t *testing.T) {
	t.Parallel()
	c := open(t, nil).all(t)
	a := c.do(t, 422, "POST", "/campaigns", asJSON, through("eu", campaignBody("spring")))
	a.see(t, "there is no account eu here", `"field":"account"`)
	if strings.Contains(a.body, `"line"`) {
		t.Errorf("a place in a text of ours: %s", a.body)
	}
	c.do(t, 422, "POST", "/sends", asJSON, through("eu", sendBody("+12015550100", "Hello")), "Idempotency-Key", "k").see(t, "there is no account eu here")
	c.do(t, 422, "POST", "/campaigns", asJSON, through("No Name", campaignBody("spring")))
	c.do(t, 404, "GET", "/campaigns/spring", "", "")
}
