package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
)

func TestKeys_AWrongOneIsToldFromNone(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	good := h.client(t, "billing", access.Read)
	ended, err := h.keys.Create(t.Context(), access.Key{Name: "old", Scopes: []access.Scope{access.Read}, EndsAt: time.Now().Add(-time.Hour)}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ authorization, says, challenge string }{
		"none":           {"", "there is no key in the request", `Bearer realm="handout"`},
		"Basic":          {"Basic YTpi", "isn't of the form Bearer", `Bearer realm="handout", error="invalid_token"`},
		"no key of ours": {"Bearer sk_live_1", "those begin with ho_", `Bearer realm="handout", error="invalid_token"`},
		"wrong secret":   {"Bearer " + good.token + "0", "the key is wrong, or was revoked", `Bearer realm="handout", error="invalid_token"`},
		"no such name":   {"Bearer ho_other_abc", "the key is wrong, or was revoked", `Bearer realm="handout", error="invalid_token"`},
		"ended":          {"Bearer " + ended, "ended at", `Bearer realm="handout", error="invalid_token"`},
	} {
		var header []string
		if c.authorization != "" {
			header = []string{"Authorization", c.authorization}
		}
		a := (&client{h: h}).do(t, 401, "GET", "/campaigns", "", "", header...)
		if p := problemOf(t, a, "unauthorized"); !strings.Contains(p.Detail, c.says) || a.header.Get("WWW-Authenticate") != c.challenge {
			t.Errorf("%s: %q, %s", name, p.Detail, a.header.Get("WWW-Authenticate"))
		}
	}
}

func TestFaults_NameTheirFieldInOurWords(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 1)
	const time = "must be a time as in 2026-11-23T09:00:00+01:00 or 2026-11-23T08:00:00Z (RFC 3339)"
	for _, r := range []struct {
		method, path, body string
		want               []api.Fault
	}{
		{"POST", "/campaigns/spring/reschedule", `{"at":"tomorrow at nine"}`, []api.Fault{{Field: "at", Message: time}}},
		{"POST", "/campaigns/spring/reschedule", `{}`, []api.Fault{{Field: "at", Message: "missing"}}},
		{"PUT", "/campaigns/spring/recipients?start_at=tomorrow", "", []api.Fault{{Field: "start_at", Message: time}}},
		{"PUT", "/campaigns/spring/recipients?columns=phone", "", []api.Fault{{Field: "columns", Message: "columns must be pairs such as recipient=Kundennummer,phone=Mobil, each name once"}}},
		{"POST", "/campaigns/spring/retry", `{"only":"all","expected":0,"now":true}`, []api.Fault{
			{Field: "only", Message: "must be one of: failed, refused, unconfirmed, in_doubt"}, {Field: "expected", Message: "must be at least 1"}, {Field: "now", Message: "there is no such field"}}},
		{"GET", "/campaigns?limit=1000", "", []api.Fault{{Field: "limit", Message: "must be at most 100"}}},
		{"GET", "/campaigns?stat=held", "", []api.Fault{{Field: "stat", Message: "there is no such query parameter"}}},
		{"GET", "/campaigns?limit=ten", "", []api.Fault{{Field: "limit", Message: "must be a whole number"}}},
		{"PUT", "/account/rate", `{"rate":"fast"}`, []api.Fault{{Field: "rate", Message: "must be a number"}}},
		{"PUT", "/account/rate", `{"rate":0}`, []api.Fault{{Field: "rate", Message: `"0" must be a number over 0 and at most 100,000, in messages per second`}}},
		{"POST", "/sends", `{"recipient":"a","phone":"+12015550100","message_type":"ARN","channels":[]}`, []api.Fault{{Field: "Idempotency-Key", Message: "missing"}, {Field: "channels", Message: "must not be empty"}}},
		{"GET", "/campaigns/Spring", "", []api.Fault{{Field: "id", Message: "must be made of a-z, 0-9, _ and -, and begin with a letter or digit"}}},
	} {
		media := asJSON
		if strings.Contains(r.path, "/recipients") {
			media = asCSV
		}
		p := problemOf(t, c.do(t, 422, r.method, r.path, media, r.body), "invalid")
		less := func(all []api.Fault) map[string]string {
			byField := make(map[string]string)
			for _, f := range all {
				byField[f.Field] = f.Message
			}
			return byField
		}
		if diff := cmp.Diff(less(r.want), less(p.Errors)); diff != "" {
			t.Errorf("%s %s:\n%s", r.method, r.path, diff)
		}
	}
}

func TestFaults_AMissingBodyIsNamed(t *testing.T) {
	t.Parallel()
	c := open(t, nil).all(t)
	if p := problemOf(t, c.do(t, 400, "PUT", "/account/rate", asJSON, ""), "malformed"); p.Detail != "a JSON body is needed" {
		t.Errorf("%+v", p)
	}
}

func TestFaults_ATypeThatCurlChoseIsNamed(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	const form = "application/x-www-form-urlencoded"
	for path, takes := range map[string]string{
		"POST /campaigns": "application/json", "PUT /campaigns/spring/recipients": "text/csv", "POST /suppression": "text/csv",
	} {
		method, path, _ := strings.Cut(path, " ")
		p := problemOf(t, c.do(t, http.StatusUnsupportedMediaType, method, path, form, "a=b"), "media-type")
		if len(p.Errors) != 1 || p.Errors[0].Field != "Content-Type" || !strings.Contains(p.Errors[0].Message, takes) || !strings.Contains(p.Detail, "-H 'Content-Type") {
			t.Errorf("%s: %+v", path, p)
		}
	}
}

func TestList_ThatLostItsLineEndsSaysDataBinary(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	for list, path := range map[string]string{
		strings.ReplaceAll(csvOf(3), "\n", ""): "PUT /campaigns/spring/recipients", // as by curl -d @list.csv
		strings.ReplaceAll(csvOf(4), "\n", ""): "POST /campaigns/spring/dry-run",
		"phone,why+12025550102,left us":        "POST /suppression",
		"phone+12025550102+12025550103":        "POST /suppression",
	} {
		method, path, _ := strings.Cut(path, " ")
		p := problemOf(t, c.do(t, 422, method, path, asCSV, list), "invalid")
		if len(p.Errors) != 1 || !strings.Contains(p.Errors[0].Message, "--data-binary") || p.Errors[0].Line != 1 {
			t.Errorf("%s: %+v", path, p)
		}
	}
	// What is a single line by right, and what is wrong in another way.
	c.do(t, 200, "POST", "/suppression", asCSV, "phone,why")
	if p := problemOf(t, c.do(t, 422, "PUT", "/campaigns/spring/recipients", asCSV, "recipient,phone,url"), "invalid"); strings.Contains(p.Errors[0].Message, "--data-binary") {
		t.Errorf("a header alone: %+v", p)
	}
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?hold=true", asNDJSON, `{"recipient":"a","phone":"+12015550100","url":"https://files.example.com/1.xlsx"}`)
}

func TestProposed_IsListedAndWithdrawn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	shop, ops := h.client(t, "shop", access.Submit, access.Read), h.client(t, "ops", access.Submit, access.Read, access.Control)
	thief := h.client(t, "thief", access.Submit, access.Read)
	shop.held(t, "standing", 1)
	shop.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	shop.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("summer"))
	listed := func(query string) string {
		var out api.Campaigns
		shop.do(t, 200, "GET", "/campaigns?"+query, "", "").into(t, &out)
		var all []string
		for _, one := range out.Campaigns {
			all = append(all, one.Campaign+" "+one.State)
		}
		return strings.Join(all, ", ")
	}
	for query, want := range map[string]string{
		"": "summer proposed, spring proposed, standing paused", "state=proposed": "summer proposed, spring proposed", "state=paused": "standing paused",
		"text=pri": "spring proposed", "cursor=standing": "",
	} {
		if got := listed(query); got != want && got != strings.Replace(want, "summer proposed, spring proposed", "spring proposed, summer proposed", 1) {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	p := problemOf(t, shop.do(t, 409, "POST", "/campaigns", asJSON, other("spring", "Pay here")), "other-content")
	if !strings.Contains(p.Detail, "?replace=true") || !strings.Contains(p.Detail, "shop's") || p.Errors[0].Field != "id" {
		t.Errorf("%+v", p)
	}
	p = problemOf(t, shop.do(t, 409, "POST", "/campaigns", asJSON, other("standing", "Pay here")), "other-content")
	if strings.Contains(p.Detail, "?replace=true") || !strings.Contains(p.Detail, "shop's") {
		t.Errorf("one that stands: %+v", p)
	}

	problemOf(t, thief.do(t, 403, "DELETE", "/campaigns/spring", "", ""), "forbidden")
	shop.do(t, 200, "DELETE", "/campaigns/spring", "", "")
	ops.do(t, 200, "DELETE", "/campaigns/summer", "", "")
	problemOf(t, shop.do(t, 404, "DELETE", "/campaigns/spring", "", ""), "not-found")
	problemOf(t, ops.do(t, 409, "DELETE", "/campaigns/standing", "", ""), "wrong-state")
	if got := listed(""); got != "standing paused" {
		t.Errorf("after: %s", got)
	}
}
