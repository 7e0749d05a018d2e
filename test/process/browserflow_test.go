package process_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/test/browsertest"
	"github.com/handout-dev/handout/test/redistest"
)

// keyOf makes a key.
func keyOf(t testing.TB, e env, name, scopes string) string {
	t.Helper()
	return strings.TrimSpace(done(t, e, "key", "create", "--name", name, "--scopes", scopes, "--campaigns", "all"))
}

// enter opens a page in a tab of its own, and logs in with a key on the way.
func enter(t testing.TB, url, key string, how ...browsertest.Option) *browsertest.Page {
	t.Helper()
	p := browsertest.Start(t).Open(t, url, how...)
	p.Type("#key", key)
	p.Click("#login button")
	p.Wait("the login lets in", `!document.querySelector("#login") && document.querySelector("#logout")`)
	return p
}

// shown is the number in a cell of the page.
func shown(p *browsertest.Page, state string) int {
	var n int
	p.Eval(cell(state), &n)
	return n
}

func cell(state string) string {
	return fmt.Sprintf(`Number(document.querySelector("#state-%s .n").textContent.replace(/\D/g, ""))`, state)
}

// mark is gone when the page is loaded anew.
const (
	mark   = `window.stays = "since then"`
	marked = `window.stays === "since then"`
)

// A whole campaign by hand, in the browser alone: only numbers that move by
// themselves are waited for.
func TestBrowser_ACampaignFromItsUploadToItsEnd(t *testing.T) {
	t.Parallel()
	const id, total = "by-hand", 600
	h := open(t, slow(redistest.Start(t).URL()))
	console := serve(t, h.env, "console").url
	p := enter(t, console+"/", keyOf(t, h.env, "olga", "read,submit,control,people"))
	p.WaitText("There are no campaigns yet")

	p.Click("#first")
	phones := numbers(total, plainly)
	good := listText(phones)
	choose := func(list string) {
		p.Upload("#campaign", campaignFile(t, id))
		p.Upload("#list", write(t, "list.csv", list))
		p.Click("#check")
		p.WaitText("What would be sent")
	}
	choose(good + "customer-601,+1 201 55,Ada,https://files.example.com/601.xlsx\n")
	if text := p.Text(); !strings.Contains(text, "602") || !strings.Contains(text, "too short for country +1") || !strings.Contains(text, "Leave the 1 bad row out") {
		t.Errorf("the bad row isn't shown: %s", text)
	}
	p.Click("#confirm a")
	choose(good)
	if p.Is(`document.querySelector("#bad, #aside")`) || !p.Is(`document.querySelector("#submit").textContent.includes("600 people")`) {
		t.Errorf("the corrected list has bad rows: %s", p.Text())
	}
	p.Click(`#confirm [name=start][value=now]`)
	p.Type("#why", "the shop's evening")
	p.Click("#submit")
	p.WaitText("The balance")
	if at := p.URL(); at != console+"/campaigns/"+id {
		t.Fatalf("the confirmation leads to %s", at)
	}

	p.Eval(mark, nil)
	p.Wait("people are delivered to", cell("delivered")+" > 0")
	n := shown(p, "delivered")
	p.Wait("the numbers move", fmt.Sprintf("%s > %d", cell("delivered"), n))
	if !p.Is(marked) {
		t.Error("the page was loaded anew to show what has moved")
	}

	p.Click("#pause")
	p.WaitText("The campaign is paused: ")
	p.Wait("nothing is under way", cell("claimed")+" + "+cell("accepted")+" === 0")
	n = shown(p, "delivered")
	sent := h.stats(t).Accepted
	time.Sleep(3 * time.Second) // over the time of an event: nothing tells that nothing happens
	if now := shown(p, "delivered"); now != n || h.stats(t).Accepted != sent || n == total {
		t.Errorf("%d were delivered to when it was paused, and %d now", n, now)
	}

	p.Click("#resume")
	p.WaitText(fmt.Sprintf("%d people are still to be sent to", total-n))
	p.Click("#do")
	p.WaitText("The campaign goes on: ")
	p.Eval(mark, nil)
	p.Wait("the campaign is done", `document.querySelector("#now .state-done")`)
	p.Wait("all are delivered to", fmt.Sprintf("%s === %d", cell("delivered"), total))
	if !p.Is(marked) || !strings.Contains(p.Text(), "the shop's evening") {
		t.Errorf("the page at the end: %s", p.Text())
	}
	for phone, times := range h.accepted(t) {
		if times != 1 {
			t.Errorf("somebody was sent %d messages (…%s)", times, phone[len(phone)-2:])
		}
	}
}

// Who is in doubt is decided about by a person: sent again, and in doubt again,
// since Telesign never answers for this number; then taken as sent.
func TestBrowser_SomebodyInDoubt(t *testing.T) {
	t.Parallel()
	const id, total = "doubted", 5
	e := quick(redistest.Start(t).URL()).with("HANDOUT_RECEIPT_DEADLINE", "1s", "HANDOUT_REGION", "US")
	h := open(t, e)
	console := serve(t, h.env, "console").url
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, []string{"+12015550100", "+12015550188", "+12025550188", "+12035550188", "+12015550169"}))
	untilDone(t, h.env, id)
	p := enter(t, console+"/doubt", keyOf(t, h.env, "olga", "read,control,people"))
	p.WaitText("3 in doubt")
	p.Click(`#doubt-doubted a[href$="/people/0.1/resend"]`)
	p.WaitText("it may arrive twice")
	if text := p.Text(); !strings.Contains(text, "customer-2, +12015550188, is in doubt: connection reset") {
		t.Errorf("the question: %s", text)
	}
	p.Type("#field-why", "she didn't get it")
	p.Click("#do")
	p.WaitText("is to be sent to again")
	await(t, "another message is taken", func() bool { return h.accepted(t)["+12015550188"] == 2 })
	untilDone(t, h.env, id)
	p.Go(console + "/campaigns/doubted/people/0.1")
	p.WaitText("attempt 2 began")
	p.Click("#accept")
	p.WaitText("gets nothing")
	p.Type("#field-why", "he called")
	p.Click("#do")
	p.WaitText("is taken as sent")

	// Found, by the number as people write it, and by the name.
	for _, q := range []string{"(201) 555-0188", "customer-2"} {
		p.Click(`#nav a[href="/people"]`)
		p.Type("#q", q)
		p.Click("#search button")
		p.WaitText("Searched: 1 campaign")
		if !p.Is(`document.querySelectorAll("#people tbody tr").length === 1`) {
			t.Errorf("%s finds: %s", q, p.Text())
		}
		p.Click("#people tbody a[href$='/people/0.1']")
		p.WaitText("Timeline")
	}
	var story []string
	p.Eval(`[...document.querySelectorAll("#timeline span")].map(e => e.innerText)`, &story)
	slices.Sort(story) // what happened within one second has no order
	want := []string{"accepted as sent by olga: he called", "attempt 1 began", "attempt 2 began",
		"in doubt: the answer to this request isn't known", "in doubt: the answer to this request isn't known: connection reset", "put on the list", "resent by olga: she didn't get it", "unconfirmed: taken as sent"}
	if diff := cmp.Diff(want, story); diff != "" {
		t.Errorf("the timeline (-want +got):\n%s", diff)
	}

	p.Go(console + "/doubt")
	p.WaitText("2 in doubt")
	p.Click("#accept-" + id)
	p.WaitText("People in doubt: 2.")
	p.Click("#do")
	p.WaitText("Nobody is in doubt")
	if r := reportOf(t, h.env, id); r.Balance["unconfirmed"] != 3 || sum(r) != total {
		t.Errorf("%+v", r)
	}
	if got := h.accepted(t); got["+12025550188"] != 1 || got["+12035550188"] != 1 {
		t.Error("who was taken as sent was sent to")
	}
}

// The same pages for a key that may not see numbers: nowhere is one, and nobody
// is found by one.
func TestBrowser_NumbersAreMaskedWithoutTheScopePeople(t *testing.T) {
	t.Parallel()
	const id = "masked"
	h := open(t, quick(redistest.Start(t).URL()).with("HANDOUT_RECEIPT_DEADLINE", "1s", "HANDOUT_REGION", "US"))
	console := serve(t, h.env, "console").url
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, []string{"+12015550100", "+12015550188", "+12015550169"}))
	done(t, h.env, "suppress", "add", "+12015550123", "--why", "asked by letter")
	untilDone(t, h.env, id)
	full, masked := enter(t, console+"/doubt", keyOf(t, h.env, "olga", "read,people")), enter(t, console+"/doubt", keyOf(t, h.env, "rita", "read"))
	for page, last := range map[string]string{
		"/doubt": "88", "/campaigns/masked/people": "69", "/campaigns/masked/people/0.1": "88", "/suppression": "23",
	} {
		full.Go(console + page)
		full.WaitText("+120155501" + last)
		masked.Go(console + page)
		masked.WaitText("*********" + last)
		if strings.Contains(masked.Text(), "2015550") || masked.Is(`document.documentElement.outerHTML.includes("2015550")`) {
			t.Errorf("%s shows a number", page)
		}
	}
	for _, p := range []*browsertest.Page{full, masked} {
		p.Go(console + "/campaigns/masked/people")
		p.Type("#q", "201-555-0188")
		p.Click("#search button")
	}
	full.WaitText("customer-2")
	masked.WaitText("it finds no one by phone number")
	masked.WaitText("Nobody was found")
}
