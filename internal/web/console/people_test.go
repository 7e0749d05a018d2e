package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
)

// doubts is a campaign of which the first n are in doubt, their workers lost.
func (h *house) doubts(t testing.TB, id string, people, n int) *campaign.Info {
	t.Helper()
	info := h.submit(t, id, people, true, "")
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range n {
		h.settle(t, info, i,
			campaign.Event{Kind: campaign.EventClaim, Claim: 7, At: began},
			campaign.Event{Kind: campaign.EventOverdue, At: began.Add(time.Minute)})
	}
	return info
}

func (h *house) state(t testing.TB, info *campaign.Info, index int) campaign.Record {
	t.Helper()
	seen, err := h.ledger.ReadRecord(t.Context(), info, campaign.PlaceOf(index))
	if err != nil {
		t.Fatal(err)
	}
	return seen.Record
}

// hidden is a hidden field of a form on a page.
func hidden(t testing.TB, a answer, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("there is no field %s: %s", name, a.body)
	}
	return m[1]
}

func TestPeople_SearchGoesThroughAllCampaigns(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *console.Options) { o.Region = "US" })
	h.submit(t, "old", 3, false, "")
	time.Sleep(2 * time.Millisecond) // they are listed by the millisecond
	h.submit(t, "new", 2, false, "")
	b := h.login(t, "olga", access.Read, access.People)
	b.miss(b.get(http.StatusOK, "/people"), `id="nobody"`)
	for _, q := range []string{"+12015550101", "(201) 555-0101", "201-555-0101", "0012015550101", "customer-1", "CUSTOMER-1"} {
		a := b.post(http.StatusOK, "/people", "q", q)
		b.see(a, `href="/campaigns/new/people/0.1"`, `href="/campaigns/old/people/0.1"`, phoneOf(1)[1:], "2 campaigns")
		b.miss(a, "/people/0.0", "/people/0.2")
	}
	b.see(b.post(http.StatusOK, "/people", "q", "nobody"), `id="nobody"`)
	a := b.get(http.StatusBadRequest, "/people?q=%2B12015550101")
	b.miss(a, "2015550101")
}

func TestPeople_AreFoundByLastDigitsAndNationalForms(t *testing.T) {
	t.Parallel()
	h := open(t, nil) // without a region: no national form is known
	h.submit(t, "spring", 12, true, "")
	b := h.login(t, "olga", access.Read, access.People)
	masked := h.login(t, "rita", access.Read)
	for text, want := range map[string]bool{
		"50103": true, "0103": true, "(201) 555-0103": true, "0201 555 01 03": true, "+1 201 555 0103": true, "201555": false, "103": false,
	} {
		a := b.post(http.StatusOK, "/people", "q", text)
		if found := strings.Contains(a.body, phoneOf(3)[1:]); found != want {
			t.Errorf("%q: found %v", text, found)
		}
		b.miss(a, phoneOf(4)[1:])
		if text == "103" {
			b.see(a, "the last 4 digits or more")
		}
		if want {
			a = masked.post(http.StatusOK, "/people", "q", text)
			masked.see(a, "finds no one by phone number", `id="nobody"`)
		}
	}
}

func TestPeople_MaskedForAKeyWithoutTheScope(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *console.Options) { o.Region = "US" })
	h.submit(t, "c", 3, false, "")
	b := h.login(t, "olga", access.Read)
	for _, a := range []answer{
		b.get(http.StatusOK, "/campaigns/c/people"), b.get(http.StatusOK, "/campaigns/c/people/0.1"),
		b.post(http.StatusOK, "/people", "q", "customer-1"),
	} {
		b.see(a, "*********01")
		b.miss(a, "+1201555", "files.example.com")
	}
	b.see(b.post(http.StatusOK, "/people", "q", "(201) 555-0101"), `id="nobody"`, "lacks the people scope")
	b = h.login(t, "otto", access.Read, access.People)
	b.see(b.get(http.StatusOK, "/campaigns/c/people/0.1"), phoneOf(1)[1:], "https://files.example.com/1.xlsx")
}

func TestCampaignPeople_FiltersAndPages(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "c", 60, true, "max_failure_rate: 1")
	h.outcome(t, info, 4, time.Minute, whatsAppDelivers)
	h.outcome(t, info, 5, time.Minute, whatsAppFails, smsDelivers)
	h.settle(t, info, 55, campaign.Event{Kind: campaign.EventRefuse, Reason: campaign.ReasonRefused, Code: 3101})
	b := h.login(t, "olga", access.Read)
	a := b.get(http.StatusOK, "/campaigns/c/people")
	b.see(a, "/people/0.49\"", "from=0.50")
	b.miss(a, "/people/0.50\"")
	a = b.get(http.StatusOK, "/campaigns/c/people?from=0.50")
	b.see(a, "/people/0.50\"", "/people/0.59\"", `id="first"`)
	b.miss(a, "/people/0.49\"", `id="more"`)
	for query, at := range map[string]string{
		"state=refused": "0.55", "by=whatsapp": "0.4", "by=sms": "0.5", "code=3056": "0.5", "code=3101": "0.55", "reason=REFUSED": "0.55",
		"state=delivered&by=sms": "0.5",
	} {
		a := b.get(http.StatusOK, "/campaigns/c/people?"+query)
		if n := strings.Count(a.body, `data-label="Place"`); n != 1 || !strings.Contains(a.body, "/people/"+at+`"`) {
			t.Errorf("%s: %d people: %s", query, n, a.body)
		}
	}
	for _, query := range []string{"state=lost", "code=x", "from=12", "from=0.100"} {
		b.get(http.StatusBadRequest, "/campaigns/c/people?"+query)
	}
	// A search goes on by a form: what is looked for has no place in an address.
	a = b.post(http.StatusOK, "/campaigns/c/people", "q", "customer")
	if from := hidden(t, a, "from"); from != "0.50" {
		t.Errorf("it goes on from %s", from)
	}
	b.see(b.post(http.StatusOK, "/campaigns/c/people", "q", "customer", "from", "0.50"), "/people/0.59\"")
	b.get(http.StatusNotFound, "/campaigns/nowhere/people")
	b.get(http.StatusNotFound, "/campaigns/c/people/0.60")
	b.get(http.StatusNotFound, "/campaigns/c/people/x")
}

func TestPerson_ShowsWhatIsKnown(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "c", 3, true, "")
	h.outcome(t, info, 1, time.Minute, whatsAppFails, smsDelivers)
	b := h.login(t, "olga", access.Read, access.Control)
	a := b.get(http.StatusOK, "/campaigns/c/people/0.1")
	b.see(a, "state-delivered", "by SMS", "3056", info.ExternalID(campaign.Place{Index: 1}, 1), fmt.Sprintf("%032X", 2), "attempt 1 began", "put on the list", "WhatsApp failed", "SMS delivered")
	b.miss(a, `id="resend"`, `id="accept"`)
	if _, err := h.suppressions.Add(t.Context(), phoneOf(2), suppression.Entry{At: time.Now(), Why: suppression.WhyStop}); err != nil {
		t.Fatal(err)
	}
	b.see(b.get(http.StatusOK, "/campaigns/c/people/0.2"), `id="suppressed"`, "stop")
}

func TestPerson_IsSentToAgainOnceAndOnlyAsAsked(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.doubts(t, "c", 3, 2)
	b := h.login(t, "olga", access.Read, access.Control)
	at := "/campaigns/c/people/0.1"
	b.see(b.get(http.StatusOK, at), `id="resend"`, `id="accept"`, "worker lost")
	a := b.get(http.StatusOK, at+"/resend")
	b.see(a, `id="risk"`, "arrive twice")
	if r := h.state(t, info, 1); r.State != campaign.InDoubt {
		t.Fatalf("the question alone made them %s", r.State)
	}
	state, attempt := hidden(t, a, "state"), hidden(t, a, "attempt")
	b.post(http.StatusConflict, at+"/resend", "state", state, "attempt", "2")
	b.post(http.StatusConflict, at+"/resend")
	if r := h.state(t, info, 1); r.State != campaign.InDoubt {
		t.Fatalf("a stale answer made them %s", r.State)
	}
	b.post(http.StatusSeeOther, at+"/resend", "state", state, "attempt", attempt, "why", "she asked")
	b.post(http.StatusConflict, at+"/resend", "state", state, "attempt", attempt) // a double click
	if r := h.state(t, info, 1); r.State != campaign.Retrying {
		t.Errorf("%s", r.State)
	}
	a = b.get(http.StatusOK, at)
	b.see(a, "by olga", "she asked", "waits for another attempt", "in doubt: the answer to this request isn&#39;t known")
	b.miss(a, "certainly not sent")
	h.settle(t, info, 1, campaign.Event{Kind: campaign.EventClaim, Claim: 8, At: time.Now()})
	b.see(b.get(http.StatusOK, at), "attempt 1 began", "attempt 2 began", "worker lost", info.ExternalID(campaign.Place{Index: 1}, 2))
	b.get(http.StatusConflict, at+"/resend")
	b.get(http.StatusConflict, at+"/accept")
	b.get(http.StatusConflict, "/campaigns/c/people/0.2/accept") // who isn't in doubt
}

func TestPerson_ARefusalIsNotOnItsWay(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "c", 1, true, "")
	h.settle(t, info, 0, campaign.Event{Kind: campaign.EventClaim, At: time.Now()},
		campaign.Event{Kind: campaign.EventRefuse, At: time.Now(), Attempt: 1, Reason: campaign.ReasonRefused, Code: 3113})
	b := h.login(t, "olga", access.Read)
	a := b.get(http.StatusOK, "/campaigns/c/people/0.0")
	b.see(a, "the request was refused", "Invalid value for parameter channel")
	b.miss(a, "on its way", "{channels}")
}

func TestPerson_IsTakenAsSent(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.doubts(t, "c", 2, 1)
	b := h.login(t, "olga", access.Read, access.Control)
	at := "/campaigns/c/people/0.0"
	a := b.get(http.StatusOK, at+"/accept")
	b.see(a, "gets nothing")
	b.post(http.StatusSeeOther, at+"/accept", "state", hidden(t, a, "state"), "attempt", hidden(t, a, "attempt"))
	if r := h.state(t, info, 0); r.State != campaign.Unconfirmed || r.Reason != campaign.ReasonTakenAsSent {
		t.Errorf("%+v", r)
	}
	a = b.get(http.StatusOK, at)
	b.see(a, "taken as sent; whether it arrived isn&#39;t known", `id="resend"`, "accepted as sent")
	b.miss(a, `id="accept"`, "Telesign took it")
}

func TestPeople_WhoMayOnlyLookChangesNothing(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.doubts(t, "c", 2, 1)
	b := h.login(t, "olga", access.Read)
	at := "/campaigns/c/people/0.0"
	for _, path := range []string{at, "/doubt"} {
		b.miss(b.get(http.StatusOK, path), "/resend", "/accept", "/retry")
	}
	for _, path := range []string{at + "/resend", at + "/accept", "/doubt/c/accept"} {
		b.get(http.StatusForbidden, path)
		b.post(http.StatusForbidden, path, "state", "in_doubt", "attempt", "1", "expected", "1", "began", fmt.Sprint(time.Now().UnixMicro()))
	}
	if r := h.state(t, info, 0); r.State != campaign.InDoubt {
		t.Errorf("%s", r.State)
	}
}

func TestDoubt_ShowsAllWhoAreInDoubtAndDecides(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read, access.Control)
	b.see(b.get(http.StatusOK, "/doubt"), `id="nobody"`)
	many := h.doubts(t, "many", 20, 12)
	few := h.doubts(t, "few", 3, 1)
	h.submit(t, "clear", 3, true, "")
	a := b.get(http.StatusOK, "/doubt")
	b.see(a, `id="doubt-many"`, `id="doubt-few"`, "/campaigns/few/people/0.0", "worker lost", "Accept all 12 as sent", "/campaigns/many/people?state=in_doubt")
	b.miss(a, `id="doubt-clear"`)

	a = b.get(http.StatusOK, "/doubt/many/accept")
	expected, began := hidden(t, a, "expected"), hidden(t, a, "began")
	b.post(http.StatusConflict, "/doubt/many/accept", "expected", "11", "began", began)
	b.post(http.StatusConflict, "/doubt/many/accept", "expected", expected, "began", fmt.Sprint(time.Now().Add(-2*time.Hour).UnixMicro()))
	b.post(http.StatusBadRequest, "/doubt/many/accept", "expected", expected)
	if n := h.inDoubt(t, many); n != 12 {
		t.Fatalf("%d are left in doubt", n)
	}
	b.post(http.StatusSeeOther, "/doubt/many/accept", "expected", expected, "began", began, "why", "seen in the portal")
	b.post(http.StatusConflict, "/doubt/many/accept", "expected", expected, "began", began) // a double click
	if n, m := h.inDoubt(t, many), h.inDoubt(t, few); n != 0 || m != 1 {
		t.Errorf("%d and %d are in doubt", n, m)
	}
	b.get(http.StatusConflict, "/doubt/many/accept")
	b.miss(b.get(http.StatusOK, "/doubt"), `id="doubt-many"`)
}

func (h *house) inDoubt(t testing.TB, info *campaign.Info) int {
	t.Helper()
	b, err := h.ledger.Balance(t.Context(), info.ID)
	if err != nil {
		t.Fatal(err)
	}
	return b.Of(campaign.InDoubt)
}
