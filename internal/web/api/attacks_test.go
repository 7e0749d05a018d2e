package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/producer"
)

// limited makes a key with limits.
func (h *house) limited(t testing.TB, name string, limits access.Limits, scopes ...access.Scope) *client {
	t.Helper()
	token, err := h.keys.Create(t.Context(), access.Key{Name: name, Scopes: scopes, Limits: limits}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &client{h, token}
}

// other is a campaign file under an ID with other content.
func other(id, text string) string { return strings.Replace(campaignBody(id), "Your file", text, 1) }

func TestProposal_AnotherKeyCannotSwapItsText(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	shop, thief := h.client(t, "shop", access.Submit, access.Read), h.client(t, "thief", access.Submit, access.Read)
	first := shop.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	etag := first.header.Get("ETag")

	// The thief puts other words between the file and its list.
	problemOf(t, thief.do(t, 403, "POST", "/campaigns?replace=true", asJSON, other("spring", "Pay here")), "forbidden")
	problemOf(t, thief.do(t, 403, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(3)), "forbidden")
	problemOf(t, thief.do(t, 403, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(3), "If-Match", etag), "forbidden")
	problemOf(t, thief.do(t, 403, "POST", "/campaigns/spring/dry-run", asCSV, csvOf(3)), "forbidden")

	if again := shop.do(t, 200, "GET", "/campaigns/spring", "", ""); again.header.Get("ETag") != etag || etag == "" || strings.Contains(again.body, "Pay here") {
		t.Errorf("%q, then %q: %s", etag, again.header.Get("ETag"), again.body)
	}
	shop.do(t, 201, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(3), "If-Match", etag)
	info, err := h.ledger.Info(t.Context(), "spring")
	if err != nil || info.Owner != "shop" {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestProposal_AKeyWithControlReplacesItAndTheHistoryNamesBoth(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	shop, ops := h.client(t, "shop", access.Submit, access.Read), h.client(t, "ops", access.Submit, access.Read, access.Control)
	etag := shop.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring")).header.Get("ETag")
	// Another's list needs to say which file it has read.
	problemOf(t, ops.do(t, 412, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(3)), "changed")
	problemOf(t, ops.do(t, 412, "POST", "/campaigns/spring/dry-run", asCSV, csvOf(3)), "changed")
	changed := ops.do(t, 201, "POST", "/campaigns?replace=true", asJSON, other("spring", "Better words")).header.Get("ETag")
	if changed == etag {
		t.Error("two files have one digest")
	}
	problemOf(t, shop.do(t, 403, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(3)), "forbidden")
	problemOf(t, ops.do(t, 412, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(3), "If-Match", etag), "changed")
	ops.do(t, 201, "PUT", "/campaigns/spring/recipients", asCSV, csvOf(3), "If-Match", changed)
	history, err := h.ledger.History(t.Context(), "spring")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range history {
		said = append(said, e.By+" "+e.Verb)
	}
	if got := strings.Join(said, ", "); got != "shop proposed, ops replaced, ops submitted" {
		t.Error(got)
	}
}

func sendBody(phone, text string) string {
	return fmt.Sprintf(`{"recipient":"a","phone":%q,"message_type":"ARN","channels":[{"channel":"sms","template":"text","parameters":{"text":%q}}]}`, phone, text)
}

func TestSends_AnIdempotencyKeyIsItsCallersOwn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	shop, thief := h.client(t, "shop", access.Submit), h.client(t, "thief", access.Submit)
	var places []api.Sent
	for _, c := range []*client{thief, shop} {
		var sent api.Sent
		c.do(t, 201, "POST", "/sends", asJSON, sendBody("+12015550100", "Order 4711"), "Idempotency-Key", "order-4711").into(t, &sent)
		places = append(places, sent)
		c.do(t, 200, "POST", "/sends", asJSON, sendBody("+12015550100", "Order 4711"), "Idempotency-Key", "order-4711")
		problemOf(t, c.do(t, 409, "POST", "/sends", asJSON, sendBody("+12015550100", "Another"), "Idempotency-Key", "order-4711"), "other-content")
	}
	if places[0] == places[1] {
		t.Errorf("the second key got the first one's send: %+v", places)
	}
	// A Go program's own keys are others, too.
	sent, err := producer.New(h.rdb).Send(t.Context(), producer.OneOff{
		Key: "order-4711", Recipient: "a", Phone: "+12015550100", MessageType: "ARN",
		Channels: []campaign.Channel{{Channel: "sms", Template: "text", Parameters: map[string]string{"text": "Hello"}}},
	})
	if err != nil || sent.Already {
		t.Errorf("%+v, %v", sent, err)
	}
}

func TestLimits_AKeySeesAndSteersItsOwnCampaignsAlone(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	shop := h.client(t, "shop", access.Submit, access.Read, access.Control)
	shop.held(t, "spring", 3)
	shop.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("waiting"))
	var sent api.Sent
	shop.do(t, 201, "POST", "/sends", asJSON, sendBody("+12015550100", "Hello"), "Idempotency-Key", "k").into(t, &sent)

	own := h.limited(t, "own", access.Limits{Own: true}, access.Read, access.Submit, access.Control, access.People)
	for _, c := range h.calls(t) {
		path := strings.NewReplacer("{id}", "spring", "{recipient}", "0.0", "{phone}", "+12015550100").Replace(c.path)
		switch {
		case strings.Contains(c.path, "{id}"):
			problemOf(t, own.do(t, 403, c.method, path, c.media, c.body, c.header...), "forbidden")
			if c.media != asCSV {
				problemOf(t, own.do(t, 403, c.method, strings.Replace(path, "spring", sent.Campaign, 1), c.media, c.body, c.header...), "forbidden")
			}
		case strings.HasSuffix(c.op.OperationID, "-account-rate") && c.method != "GET":
			problemOf(t, own.do(t, 403, c.method, path, c.media, c.body, c.header...), "forbidden")
		}
	}
	problemOf(t, own.do(t, 403, "GET", "/campaigns/waiting", "", ""), "forbidden")
	problemOf(t, own.do(t, 403, "GET", "/audit", "", ""), "forbidden")
	own.held(t, "mine", 2)
	var list api.Campaigns
	own.do(t, 200, "GET", "/campaigns", "", "").into(t, &list)
	if len(list.Campaigns) != 1 || list.Campaigns[0].Campaign != "mine" {
		t.Errorf("%+v", list)
	}
	own.do(t, 200, "POST", "/campaigns/mine/cancel", asJSON, "{}")
	own.do(t, 201, "POST", "/sends", asJSON, sendBody("+12015550101", "Hello"), "Idempotency-Key", "k").into(t, &sent)
	own.do(t, 200, "GET", "/campaigns/"+sent.Campaign+"/recipients/"+sent.Place, "", "")
}

func TestLimits_CountriesBoundListsAndSends(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	us := h.limited(t, "us", access.Limits{Countries: []string{"US"}}, access.Submit, access.Read)
	for phone, words := range map[string]string{
		"+4915123456789": "country DE", "+14165550123": "country CA", "+881612345678": "no country", "+19002345678": "premium",
	} {
		p := problemOf(t, us.do(t, 403, "POST", "/sends", asJSON, sendBody(phone, "Hello"), "Idempotency-Key", phone), "forbidden")
		if !strings.Contains(p.Detail, words) || strings.Contains(p.Detail, phone[3:]) {
			t.Errorf("%s: %+v", phone, p)
		}
	}
	us.do(t, 201, "POST", "/sends", asJSON, sendBody("+12015550100", "Hello"), "Idempotency-Key", "k")
	us.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("c"))
	p := problemOf(t, us.do(t, 422, "PUT", "/campaigns/c/recipients", asCSV, csvOf(1)+"abroad,+4915123456789,https://files.example.com/a\n"), "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Line != 3 || !strings.Contains(p.Errors[0].Message, "the key us may send to US only") {
		t.Errorf("%+v", p)
	}
}

func TestLimits_ALeakedKeyDoesNotFloodANumber(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	leaked := h.limited(t, "leaked", access.Limits{Hourly: 3}, access.Submit)
	accepted := 0
	for i := range 200 {
		a := leaked.send(t, "POST", "/sends", asJSON, strings.NewReader(sendBody("+1 (201) 555-0100", "Your code is 123456")), "Idempotency-Key", fmt.Sprint(i))
		switch {
		case a.status == 201:
			accepted++
		case a.status != 429 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "may go on at"):
			t.Fatalf("%d: %s", a.status, a.body)
		}
	}
	if accepted != 3 {
		t.Errorf("%d were accepted", accepted)
	}
	// Asked for again, one that was sent is no other one; and another number is free.
	leaked.do(t, 200, "POST", "/sends", asJSON, sendBody("+12015550100", "Your code is 123456"), "Idempotency-Key", "1")
	leaked.do(t, 201, "POST", "/sends", asJSON, sendBody("+12015550101", "Your code is 123456"), "Idempotency-Key", "other")
	// Of 197 refusals of one address in a few seconds the trail has some, with their count.
	entries, _, err := audit.New(h.rdb, audit.Options{}).Latest(t.Context(), "", 1000)
	if err != nil || len(entries) < 10 || len(entries) > 40 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestLimits_RecipientsADayAreCountedOnceForACampaign(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	key := h.limited(t, "shop", access.Limits{Daily: 5}, access.Submit, access.Read)
	put := func(want int, id string, people int) answer {
		key.send(t, "POST", "/campaigns", asJSON, strings.NewReader(campaignBody(id)))
		return key.do(t, want, "PUT", "/campaigns/"+id+"/recipients?hold=true", asCSV, csvOf(people))
	}
	problemOf(t, put(403, "huge", 6), "forbidden") // never, however long it waits
	put(201, "one", 3)
	put(200, "one", 3)
	p := problemOf(t, put(429, "two", 3), "limited")
	if !strings.Contains(p.Detail, "3 are used, and 3 were asked for") {
		t.Error(p.Detail)
	}
	if _, err := h.ledger.Info(t.Context(), "two"); err == nil {
		t.Error("a draft of it is left")
	}
	put(201, "three", 2)
	a := key.do(t, 429, "POST", "/sends", asJSON, sendBody("+12015550100", "Hello"), "Idempotency-Key", "k")
	if problemOf(t, a, "limited"); a.header.Get("Retry-After") == "" {
		t.Error("it doesn't say until when")
	}
}

func TestAudit_ShowsWhoDidWhatAndWhoWasRefused(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	admin, shop := h.client(t, "admin", access.Scopes()...), h.client(t, "shop", access.Submit, access.Read)
	shop.held(t, "spring", 3)
	admin.do(t, 200, "POST", "/campaigns/spring/cancel", asJSON, `{"why":"ask Ann at +1 201 555 0142"}`)
	problemOf(t, shop.do(t, 403, "POST", "/campaigns/spring/resume", asJSON, "{}"), "forbidden")
	admin.do(t, 200, "GET", "/campaigns/spring/export", "", "")
	shop.do(t, 200, "GET", "/campaigns/spring/export", "", "") // masked
	problemOf(t, admin.do(t, 422, "GET", "/audit?cursor=x", "", ""), "invalid")
	var trail api.Trail
	a := admin.do(t, 200, "GET", "/audit?limit=4", "", "")
	a.into(t, &trail)
	if strings.Contains(a.body, "0142") {
		t.Errorf("a phone number stands in it: %s", a.body)
	}
	var said []string
	for _, e := range trail.Entries {
		said = append(said, strings.Join([]string{e.Who, e.Via, e.From, e.Verb, e.Object, e.Result, e.Why}, "|"))
	}
	want := []string{
		"admin|key|127.0.0.1|export|campaign spring|begun|",
		"shop|key|127.0.0.1|resume-campaign||refused|the key shop lacks the scope control",
		"admin|key|127.0.0.1|cancel|campaign spring|begun|ask Ann at [number]",
		"shop|key|127.0.0.1|submit|campaign spring|begun|",
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s", strings.Join(said, "\n"))
	}
	var rest api.Trail
	admin.do(t, 200, "GET", "/audit?cursor="+trail.NextCursor, "", "").into(t, &rest)
	if len(rest.Entries) != 1 || rest.Entries[0].Verb != "propose" || rest.NextCursor != "" {
		t.Errorf("%+v", rest)
	}
}
