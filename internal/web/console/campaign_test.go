package console_test

import (
	"bufio"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/unverified"
	"github.com/handout-dev/handout/internal/web/access"
)

// hostile is what an attacker might hope that a page runs.
const hostile = `<script>alert("1")</script>`

func TestCampaigns_AreListedWithWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read)
	b.see(b.get(http.StatusOK, "/campaigns"), `id="none"`)
	info := h.submit(t, "spring", 6, true, "")
	h.submit(t, "autumn", 2, false, "")
	h.outcome(t, info, 0, 2*time.Second, whatsAppDelivers)
	h.outcome(t, info, 1, 700*time.Second, whatsAppFails, smsDelivers)
	h.outcome(t, info, 2, 700*time.Second, smsDelivers, whatsAppDelivers)
	h.outcome(t, info, 3, 2*time.Second, whatsAppFails)
	if err := h.ledger.Hold(t.Context(), "spring", "Telesign: 3206 "+hostile, time.Now()); err != nil {
		t.Fatal(err)
	}
	a := b.get(http.StatusOK, "/campaigns")
	b.see(a, `id="campaign-spring"`, `id="campaign-autumn"`, "campaign-held", "state-held", "state-paused", "&lt;script&gt;",
		`aria-label="Of 6 people: WhatsApp 1, SMS 1, both 1, failed or refused 1, planned 2"`, `hx-get="/campaigns"`, `http-equiv="refresh"`)
	b.miss(a, hostile, "customer-", "12015550")
	if strings.Index(a.body, `id="campaign-autumn"`) > strings.Index(a.body, `id="campaign-spring"`) {
		t.Error("the newest isn't the first")
	}
	b.header.Set("HX-Request", "true")
	a = b.get(http.StatusOK, "/campaigns")
	b.miss(a, "<html", "<nav")
	b.see(a, `id="campaigns"`)
}

func TestCampaigns_AreFoundByStateNameAndTime(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring-1", 1, false, "")
	h.submit(t, "autumn-1", 1, false, "")
	for i := range 22 {
		h.submit(t, fmt.Sprintf("winter-%d", i), 1, true, "")
	}
	b := h.login(t, "olga", access.Read)
	today := time.Now().UTC().Format(time.DateOnly)
	tomorrow := time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
	for query, want := range map[string]string{
		"text=SPRING":                          "spring-1",
		"state=paused":                         "autumn-1 spring-1",
		"state=paused&text=aut":                "autumn-1",
		"text=-1&state=running&until=" + today: "winter-19 winter-18 winter-17 winter-16 winter-15 winter-14 winter-13 winter-12 winter-11 winter-10 winter-1",
		"since=" + tomorrow:                    "",
		"until=2020-01-01":                     "",
		"state=held":                           "",
	} {
		a := b.get(http.StatusOK, "/campaigns?"+query)
		var found []string
		for _, m := range regexp.MustCompile(`<li id="campaign-([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
			found = append(found, m[1])
		}
		if got := strings.Join(found, " "); got != want || (want == "") != strings.Contains(a.body, `id="none"`) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	a := b.get(http.StatusOK, "/campaigns?text=winter")
	older := regexp.MustCompile(`id="older"[^>]* href="([^"]+)"`).FindStringSubmatch(a.body)
	if older == nil {
		t.Fatal(a.body)
	}
	a = b.get(http.StatusOK, html.UnescapeString(older[1]))
	b.see(a, `id="campaign-winter-1"`, `id="campaign-winter-0"`)
	b.miss(a, `id="campaign-winter-2"`, `id="older"`)
	for _, wrong := range []string{"state=nonsense", "since=yesterday"} {
		b.get(http.StatusBadRequest, "/campaigns?"+wrong)
	}
}

func TestCampaigns_ComeInPages(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	for i := range 25 {
		h.submit(t, fmt.Sprintf("c-%d", i), 1, false, "")
	}
	b := h.login(t, "olga", access.Read)
	first, second := b.get(http.StatusOK, "/campaigns"), b.get(http.StatusOK, "/campaigns?page=2")
	b.see(first, `id="campaign-c-24"`, `href="/campaigns?page=2"`, "1 to 20 of 25")
	b.miss(first, `id="campaign-c-4"`, `id="newer"`)
	b.see(second, `id="campaign-c-4"`, `id="campaign-c-0"`, "21 to 25 of 25", `id="newer"`)
	b.miss(second, `id="campaign-c-5"`, `id="older"`)
	b.see(b.get(http.StatusOK, "/campaigns?page=9"), `id="none"`)
}

func TestCampaign_SaysWhatBecameOfEveryoneAndWhy(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "spring", 6, true, "canary: 2\nhours: {from: \"00:00\", to: \"24:00\", zone: UTC}\n")
	h.outcome(t, info, 0, 2*time.Second, whatsAppDelivers)
	h.outcome(t, info, 1, 700*time.Second, whatsAppFails, smsDelivers)
	h.outcome(t, info, 2, 700*time.Second, smsDelivers, whatsAppDelivers)
	h.outcome(t, info, 3, 2*time.Second, whatsAppFails)
	h.fed(t, info)
	b := h.login(t, "olga", access.Read)
	a := b.get(http.StatusOK, "/campaigns/spring")
	b.see(a, `href="/campaigns/spring/people?state=delivered"`, `sse-connect="/campaigns/spring/live"`, `<td data-label="who">shop</td>`,
		"2 people first: not decided yet", "00:00 to 24:00, UTC", "{{.url}}", `id="percentiles"`,
		"Today's fallback_time of 10 min covers 50.0 %", "2 people whom WhatsApp reached", "1 of them got the SMS, too")
	reason := regexp.MustCompile(`data-label="reason"><a href="(/campaigns/spring/people\?[^"]*state=failed[^"]*)">([^<]+)<`).FindStringSubmatch(a.body)
	if reason == nil {
		t.Fatalf("the failed have no reason that leads to them: %s", a.body)
	}
	to, err := url.Parse(html.UnescapeString(reason[1]))
	if err != nil || !strings.Contains(to.Query().Get("reason"), "fallback") || to.Query().Get("state") != "failed" {
		t.Errorf("%s leads to %s", reason[2], reason[1])
	}
	b.miss(a, `id="pause"`, `id="retry-failed"`, `id="cancel"`, "customer-", "12015550")
	b.see(a, "lacks the control scope")
}

// fed notes that everyone has been handed to the queue.
func (h *house) fed(t testing.TB, info *campaign.Info) {
	t.Helper()
	if ok, err := h.ledger.Advance(t.Context(), info.ID, 0, []int{info.Total}, nil, time.Now().Add(time.Hour)); err != nil || !ok {
		t.Fatalf("%t, %v", ok, err)
	}
}

func TestCampaign_ButtonsAreForWhoMaySteer(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 3, true, "")
	reader, steerer := h.login(t, "eve", access.Read, access.Submit, access.People), h.login(t, "olga", access.Read, access.Control)
	for _, path := range []string{"pause", "resume", "cancel", "reschedule", "rate", "retry", "purge"} {
		reader.see(reader.post(http.StatusForbidden, "/campaigns/spring/"+path, "rate", "3", "name", "spring"), "lacks the scope control")
		if path != "pause" {
			reader.get(http.StatusForbidden, "/campaigns/spring/"+path)
		}
	}
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || info.Phase != campaign.Running {
		t.Fatalf("%v, %v", info, err)
	}
	steerer.see(steerer.get(http.StatusOK, "/campaigns/spring"), `id="pause"`, `id="cancel"`, `id="rate"`, `id="reschedule"`)
	a := steerer.post(http.StatusSeeOther, "/campaigns/spring/pause", "why", " "+hostile+"\n ")
	if a.header.Get("Location") != "/campaigns/spring" {
		t.Errorf("it goes to %q", a.header.Get("Location"))
	}
	a = steerer.get(http.StatusOK, "/campaigns/spring")
	steerer.see(a, `id="flash"`, "The campaign is paused: 3 people are still to be sent to.", "state-paused", `id="resume"`, "<td data-label=\"who\">olga</td>", "&lt;script&gt;")
	steerer.miss(a, hostile, `id="pause"`)
	steerer.miss(steerer.get(http.StatusOK, "/campaigns/spring"), `id="flash"`)
	steerer.see(steerer.get(http.StatusOK, "/campaigns/spring/resume"), "3 people are still to be sent to", `method="post"`)
	steerer.confirm(http.StatusSeeOther, "/campaigns/spring/resume")
	steerer.see(steerer.get(http.StatusOK, "/campaigns/spring/cancel"), "3 of 3 people", `method="post"`)
	steerer.post(http.StatusConflict, "/campaigns/spring/cancel", "phase", "paused", "reason", "seen before")
	steerer.confirm(http.StatusSeeOther, "/campaigns/spring/cancel", "why", "wrong file")
	steerer.see(steerer.confirm(http.StatusConflict, "/campaigns/spring/resume"), "can&#39;t be resumed")
	history, err := h.ledger.History(t.Context(), "spring")
	if last := history[len(history)-1]; err != nil || last.By != "olga" || last.Verb != "canceled" || last.Why != "wrong file" {
		t.Errorf("%+v, %v", last, err)
	}
}

func TestResume_OfAHeldOneIsAskedWithTheReason(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 3, true, "")
	b := h.login(t, "olga", access.Read, access.Control)
	hold := func(reason string) {
		if err := h.ledger.Hold(t.Context(), "spring", reason, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	hold("Telesign: no money")
	b.see(b.get(http.StatusOK, "/campaigns/spring"), `href="/campaigns/spring/resume"`, "Held by handout")
	b.see(b.get(http.StatusOK, "/campaigns/spring/resume"), "no money", `name="reason" value="Telesign: no money"`)
	b.post(http.StatusConflict, "/campaigns/spring/resume")
	b.post(http.StatusConflict, "/campaigns/spring/resume", "phase", "held", "reason", "another")
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || info.Phase != campaign.Held {
		t.Fatalf("%v, %v", info, err)
	}
	b.confirm(http.StatusSeeOther, "/campaigns/spring/resume")
	b.post(http.StatusConflict, "/campaigns/spring/resume", "phase", "held", "reason", "Telesign: no money")
	hold(campaign.RestoredReason(time.Now(), true))
	b.see(b.get(http.StatusOK, "/campaigns/spring/resume"), `id="risk"`)
}

func TestRate_IsSetAndGoesBack(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "spring", 3, true, "rate: 7\n")
	b := h.login(t, "olga", access.Read, access.Control)
	b.see(b.get(http.StatusOK, "/campaigns/spring/rate"), `value="7"`, `<label for="field-rate">`)
	for _, wrong := range []string{"", "0", "-1", "NaN", "Inf", "100001", "fast"} {
		b.post(http.StatusUnprocessableEntity, "/campaigns/spring/rate", "rate", wrong)
	}
	b.post(http.StatusSeeOther, "/campaigns/spring/rate", "rate", "2.5", "why", "slowly")
	rate := func() float64 {
		rates, err := h.ledger.Rates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return rates.Campaign(info)
	}
	if rate() != 2.5 {
		t.Errorf("the rate is %v", rate())
	}
	b.see(b.get(http.StatusOK, "/campaigns/spring/rate"), `value="2.5"`, "set by olga", "slowly", `id="reset"`)
	b.post(http.StatusSeeOther, "/campaigns/spring/rate", "rate", "2.5", "reset", "1")
	if rate() != 7 {
		t.Errorf("the rate is %v", rate())
	}
}

func TestReschedule_ReadsATimeInItsZone(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 3, false, "")
	b := h.login(t, "olga", access.Read, access.Control)
	for _, wrong := range [][]string{{"at", "2000-01-01T10:00", "zone", "UTC"}, {"at", "soon", "zone", "UTC"}, {"at", "2099-01-01T10:00", "zone", "Mars"}, {"zone", "UTC"}} {
		b.confirm(http.StatusUnprocessableEntity, "/campaigns/spring/reschedule", wrong...)
	}
	b.confirm(http.StatusSeeOther, "/campaigns/spring/reschedule", "at", "2099-07-01T10:00", "zone", "Europe/Berlin")
	info, err := h.ledger.Info(t.Context(), "spring")
	if err != nil || !info.StartAt.Equal(time.Date(2099, 7, 1, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", info.StartAt, err)
	}
	b.see(b.get(http.StatusOK, "/campaigns/spring/reschedule"), `value="2099-07-01T08:00"`, `value="UTC"`)
}

// confirm answers the question at a path as a browser does: with its hidden fields.
func (b *browser) confirm(want int, path string, fields ...string) answer {
	b.t.Helper()
	return b.post(want, path, append(formOf(b.get(http.StatusOK, path)), fields...)...)
}

// formOf are the hidden fields of a page's form.
func formOf(a answer) (fields []string) {
	for _, m := range regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		fields = append(fields, m[1], html.UnescapeString(m[2]))
	}
	return fields
}

func TestRetry_IsForTheNumberThatWasAsked(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "spring", 6, true, "")
	h.outcome(t, info, 0, time.Second, whatsAppFails)
	h.outcome(t, info, 1, time.Second, whatsAppFails)
	b := h.login(t, "olga", access.Read, access.Control)
	b.see(b.get(http.StatusOK, "/campaigns/spring"), `id="retry-failed"`)
	asked := b.get(http.StatusOK, "/campaigns/spring/retry?only=failed")
	b.see(asked, "Failed: 2 people.", "may arrive twice", "Send again to 2 people")
	h.outcome(t, info, 2, time.Second, whatsAppFails)
	b.see(b.post(http.StatusConflict, "/campaigns/spring/retry", formOf(asked)...), "3 are failed by now")
	if balance, err := h.ledger.Balance(t.Context(), "spring"); err != nil || balance.Of(campaign.Failed) != 3 {
		t.Fatalf("%v, %v", balance, err)
	}
	asked = b.get(http.StatusOK, "/campaigns/spring/retry?only=failed")
	b.post(http.StatusSeeOther, "/campaigns/spring/retry", formOf(asked)...)
	b.see(b.get(http.StatusOK, "/campaigns/spring"), "To be sent to again: 3 people")
	if balance, err := h.ledger.Balance(t.Context(), "spring"); err != nil || balance.Of(campaign.Retrying) != 3 {
		t.Fatalf("%v, %v", balance, err)
	}
	// The same form once more, as of a button that was pressed twice.
	b.post(http.StatusConflict, "/campaigns/spring/retry", formOf(asked)...)
	b.get(http.StatusConflict, "/campaigns/spring/retry?only=failed")
	for _, only := range []string{"", "delivered", "planned"} {
		b.get(http.StatusUnprocessableEntity, "/campaigns/spring/retry?only="+only)
		b.post(http.StatusUnprocessableEntity, "/campaigns/spring/retry", "only", only, "expected", "3", "began", "1")
	}
	b.post(http.StatusBadRequest, "/campaigns/spring/retry", "only", "failed")
}

func TestRetry_OfAnOldQuestionIsRefused(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "spring", 2, true, "")
	h.outcome(t, info, 0, time.Second, whatsAppFails)
	b := h.login(t, "olga", access.Read, access.Control)
	for _, began := range []time.Time{time.Now().Add(-2 * time.Hour), time.Now().Add(time.Hour)} {
		b.post(http.StatusConflict, "/campaigns/spring/retry", "only", "failed", "expected", "1", "began", fmt.Sprint(began.UnixMicro()))
	}
}

func TestPurge_IsAskedTwice(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "spring", 2, true, "")
	b := h.login(t, "olga", access.Read, access.Control)
	b.get(http.StatusConflict, "/campaigns/spring/purge")
	b.see(b.post(http.StatusConflict, "/campaigns/spring/purge", "name", "spring", "in_doubt", "0"), "can be purged when it is done")
	h.outcome(t, info, 0, time.Second, whatsAppDelivers)
	h.outcome(t, info, 1, time.Second, whatsAppDelivers)
	if err := h.ledger.Settle(t.Context(), "spring"); err != nil {
		t.Fatal(err)
	}
	if err := h.ledger.Finish(t.Context(), "spring", time.Now()); err != nil {
		t.Fatal(err)
	}
	b.see(b.get(http.StatusOK, "/campaigns/spring"), `id="purge"`)
	first := b.get(http.StatusOK, "/campaigns/spring/purge")
	b.see(first, `method="get"`, "2 people")
	second := b.get(http.StatusOK, "/campaigns/spring/purge?sure=1")
	b.see(second, `method="post"`, `name="name"`)
	b.post(http.StatusUnprocessableEntity, "/campaigns/spring/purge", formOf(second)...)
	b.post(http.StatusUnprocessableEntity, "/campaigns/spring/purge", append(formOf(second), "name", "autumn")...)
	b.post(http.StatusSeeOther, "/campaigns/spring/purge", append(formOf(second), "name", "spring")...)
	a := b.get(http.StatusOK, "/campaigns/spring")
	b.see(a, `id="purged"`, "<td class=\"n\">2</td>")
	b.miss(a, `id="percentiles"`, "people?state", `id="purge"`, `sse-connect`)
	if _, err := h.ledger.Recipients(t.Context(), "spring", 0); err == nil {
		t.Error("its people are still there")
	}
}

func TestLive_TellsWhatChangesAndEnds(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "spring", 2, true, "")
	b := h.login(t, "olga", access.Read, access.Control)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/campaigns/spring/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%v", resp.Header)
	}
	lines := bufio.NewScanner(resp.Body)
	until := func(want string) string {
		var read strings.Builder
		for lines.Scan() {
			read.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), want) {
				return read.String()
			}
		}
		t.Fatalf("the stream ended without %q: %s", want, read.String())
		return ""
	}
	if text := until(`id="pause"`); !strings.Contains(text, "event: now") || !strings.Contains(text, "event: actions") {
		t.Error(text)
	}
	h.outcome(t, info, 0, time.Second, whatsAppDelivers)
	until("WhatsApp 1")
	if err := h.ledger.Pause(t.Context(), "spring", campaign.Actor{Name: "shop"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if text := until(`id="resume"`); strings.Contains(text, `id="pause"`) {
		t.Error("the buttons were told again, and hadn't changed")
	}
	if err := h.ledger.Cancel(t.Context(), "spring", campaign.Actor{Name: "shop"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	h.settle(t, info, 1, campaign.Event{Kind: campaign.EventCancel})
	if err := h.ledger.Settle(t.Context(), "spring"); err != nil {
		t.Fatal(err)
	}
	if err := h.ledger.Finish(t.Context(), "spring", time.Now()); err != nil {
		t.Fatal(err)
	}
	until("event: done")
	for lines.Scan() {
	}
}

func TestLive_IsForWhoMayRead(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 2, true, "")
	h.browser(t).get(http.StatusSeeOther, "/campaigns/spring/live")
	h.login(t, "shop", access.Submit).get(http.StatusForbidden, "/campaigns/spring/live")
	h.login(t, "olga", access.Read).get(http.StatusNotFound, "/campaigns/autumn/live")
}

func TestCampaign_WarnsOfAListenerThatRefusesReceipts(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	info := h.submit(t, "spring", 2, true, "")
	b := h.login(t, "olga", access.Read)
	if err := unverified.Add(t.Context(), h.rdb, 12, unverified.WrongSignature, time.Now()); err != nil {
		t.Fatal(err)
	}
	b.miss(b.get(http.StatusOK, "/campaigns/spring"), "receipts were refused") // there is no one whom it concerns
	h.settle(t, info, 0, campaign.Event{Kind: campaign.EventClaim, At: time.Now()}, campaign.Event{Kind: campaign.EventAccept, At: time.Now(), Attempt: 1, DueAt: time.Now().Add(time.Hour)})
	b.see(b.get(http.StatusOK, "/campaigns/spring"), "12 receipts were refused", "correct TELESIGN_API_KEY of handout listen")
}

func TestCampaign_SaysWhatToDoAboutAHold(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 2, true, "")
	if err := h.ledger.Hold(t.Context(), "spring", "Telesign: 3411 Invalid API Key", time.Now()); err != nil {
		t.Fatal(err)
	}
	b := h.login(t, "olga", access.Read, access.Control)
	for _, at := range []string{"/campaigns/spring", "/campaigns/spring/resume"} {
		b.see(b.get(http.StatusOK, at), "3411 Invalid API Key", "Correct TELESIGN_API_KEY, restart the workers, then resume.")
	}
}
