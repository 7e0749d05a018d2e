package process_test

import (
	"cmp"
	"encoding/base64"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/browsertest"
	"github.com/handout-dev/handout/test/redistest"
)

// pictures is where TestPages_AreReadable leaves pictures of them, see make
// pictures.
var pictures = flag.String("pictures", "", "write pictures of the console's pages into this directory")

// sight is a page, and how one comes to it.
type sight struct {
	name, path string
	who        string // whose key; empty: olga's, who may do everything
	empty      bool   // of the console that has nothing to show yet
	refused    string // how the browser is refused
	says       string // what it shows when it is there
	steps      func(p *browsertest.Page)
	whole      bool // its picture is the whole page
	phone      bool // there is a picture of it on a phone, too
	hidden     bool // there is no picture of it
	foreign    bool // the page isn't ours, and is for desks
}

// sights are all of them; webhook is one that there is.
func sights(t *testing.T, webhook string) []sight {
	good, spoilt := campaignText("price-list-2026-11"), strings.ReplaceAll(campaignText("price-list-2026-11"), "{{.url}}", "{{.link}}")
	phones := numbers(1200, plainly)
	list := listText(phones) + listText(phones[:2])[len("recipient,phone,name,url\n"):] + "customer-1203,+1 201 55,Ada,https://files.example.com/orders/1203.xlsx\ncustomer-1204,,Bruno,https://files.example.com/orders/1204.xlsx\n"
	campaign, wrong, people := write(t, "campaign.yaml", good), write(t, "campaign.yaml", spoilt), write(t, "list.csv", list)
	upload := func(file string) func(*browsertest.Page) {
		return func(p *browsertest.Page) {
			p.Upload("#campaign", file)
			p.Upload("#list", people)
			p.Click("#check")
		}
	}
	of := func(id string) string { return "/campaigns/" + id }
	return []sight{
		{name: "campaigns", path: "/campaigns", says: brokenOff, phone: true},
		{name: "campaign", path: of(goesOn), says: "History", whole: true, phone: true},
		{name: "campaign-done", path: of(finished), says: "Permanent phone error", whole: true},
		{name: "campaign-held", path: of(heldBack), says: "Held by handout"},
		{name: "campaign-paused", path: of(putOff), says: "Who waits for which clock", hidden: true},
		{name: "campaign-canceled", path: of(brokenOff), says: "wrong price list", hidden: true},
		{name: "campaign-purged", path: of(emptied), says: "purged on", hidden: true},
		{name: "campaign-to-look", path: of(goesOn), who: "rita", says: "lacks the control scope", hidden: true},
		{name: "people", path: of(finished) + "/people?state=failed", says: "customer-"},
		{name: "people-masked", path: of(finished) + "/people", who: "rita", says: "********", hidden: true},
		{name: "people-of-all", path: "/people", says: "Searched:", hidden: true, steps: func(p *browsertest.Page) {
			p.Type("#q", "customer-0042")
			p.Click("#search button")
			p.WaitText("Searched:")
		}},
		{name: "person", path: of(finished) + "/people/0.68", says: "Timeline"},
		{name: "person-in-doubt", path: of(inDoubts) + "/people/0.93", says: "Accept as sent", hidden: true},
		{name: "new", path: "/new", says: "Campaign file"},
		{name: "new-dry-run", path: "/new", steps: upload(campaign), says: "Confirm", whole: true},
		{name: "new-faults", path: "/new", steps: upload(wrong), says: "can't be submitted", hidden: true},
		{name: "doubt", path: "/doubt", says: "Accept all"},
		{name: "ask-cancel", path: of(goesOn) + "/cancel", says: "Back, change nothing", hidden: true},
		{name: "ask-rate", path: of(goesOn) + "/rate", says: "Back, change nothing", hidden: true},
		{name: "ask-later", path: of(goesOn) + "/reschedule", says: "Back, change nothing", hidden: true},
		{name: "ask-resume", path: of(heldBack) + "/resume", says: "Back, change nothing", hidden: true},
		{name: "ask-retry", path: of(finished) + "/retry?only=failed", says: "Back, change nothing"},
		{name: "ask-purge", path: of(finished) + "/purge?sure=1", says: "Back, change nothing", hidden: true},
		{name: "ask-resend", path: of(inDoubts) + "/people/0.93/resend", says: "Back, change nothing", hidden: true},
		{name: "ask-accept", path: of(inDoubts) + "/people/0.93/accept", says: "Back, change nothing", hidden: true},
		{name: "ask-accept-all", path: "/doubt/" + inDoubts + "/accept", says: "Back, change nothing", hidden: true},
		{name: "suppression", path: "/suppression", says: "account closed"},
		{name: "unsuppress", path: "/suppression", says: "Back, change nothing", hidden: true, steps: func(p *browsertest.Page) {
			p.Type("#remove-phone", "+12015550162")
			p.Click("#remove button")
		}},
		{name: "ask-rate-wrong", path: of(goesOn) + "/rate", refused: "422", says: "must be a number over 0", hidden: true, steps: func(p *browsertest.Page) {
			p.Eval(`document.querySelector("#ask").noValidate = true`, nil) // as a browser that doesn't check
			p.Type("#field-rate", "0")
			p.Click("#do")
		}},
		{name: "unsuppress-wrong", path: "/suppression", refused: "422", says: "Remove", hidden: true, steps: func(p *browsertest.Page) {
			p.Type("#remove-phone", "Ada")
			p.Click("#remove button")
			p.Wait("the fault beside the field", `document.querySelector("#remove-phone[aria-invalid]")`)
		}},
		{name: "webhooks", path: "/webhooks", says: "Add a webhook"},
		{name: "webhook", path: "/webhooks/" + webhook, says: "Deliveries", hidden: true},
		{name: "webhooks-wrong", path: "/webhooks", refused: "422", says: "https", hidden: true, steps: func(p *browsertest.Page) {
			p.Type("#url", "shop.example/handout")
			p.Click("#add button")
		}},
		{name: "webhook-remove", path: "/webhooks/" + webhook + "/remove", says: "Back, change nothing", hidden: true},
		{name: "audit", path: "/audit", says: "create key olga", hidden: true},
		{name: "keys-wrong", path: "/keys", refused: "422", says: "key's name is", hidden: true, steps: func(p *browsertest.Page) {
			p.Eval(`document.querySelector("#create").noValidate = true`, nil)
			p.Type("#name", "Warehouse 1")
			p.Click("#create button")
		}},
		{name: "campaigns-found", path: "/campaigns?state=held", says: "Made from", hidden: true},
		{name: "templates", path: "/templates", says: "order_ready", hidden: true},
		{name: "empty-templates", path: "/templates", empty: true, says: "aren't known", hidden: true},
		{name: "keys", path: "/keys", says: "shown this once", steps: func(p *browsertest.Page) {
			p.Type("#name", "warehouse")
			p.Click("#create button")
		}},
		{name: "revoke", path: "/keys/rita/revoke", says: "Back, change nothing", hidden: true},
		{name: "not-found", path: "/campaigns/nowhere", refused: "404", says: "It isn't here", hidden: true},
		{name: "forbidden", path: "/keys", who: "rita", refused: "403", says: "may not do this", hidden: true},
		{name: "conflict", path: of(brokenOff) + "/retry?only=failed", refused: "409", says: "Nothing was done", hidden: true},
		{name: "login", path: "/login", who: "nobody", says: "Your key"},
		{name: "api", path: "/api/v1/docs", says: "Put a file's numbers on the list"},
		{name: "queues", path: "/queues/", says: "bulk", foreign: true},
		{name: "empty-campaigns", path: "/campaigns", empty: true, says: "no campaigns", hidden: true},
		{name: "empty-people", path: "/people", empty: true, says: "all campaigns", hidden: true},
		{name: "empty-doubt", path: "/doubt", empty: true, says: "Nobody is in doubt", hidden: true},
		{name: "empty-suppression", path: "/suppression", empty: true, says: "The list: 0", hidden: true},
	}
}

// Every page is for everybody: on a desk and on a phone, in the light and in the
// dark, for who sees little and for who hears it read.
func TestPages_AreReadable(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	server := redistest.Start(t)
	e := account(server.URL()).with("HANDOUT_WEBHOOK_ALLOW_PRIVATE", "true")
	consoles := map[bool]string{false: serve(t, e, "console").url, true: ""}
	keys := map[string]string{}
	for name, scopes := range map[string]string{"olga": "read,submit,control,people", "rita": "read", "shop": "submit,read"} {
		keys[name] = strings.TrimSpace(done(t, e, "key", "create", "--name", name, "--scopes", scopes, "--campaigns", "all"))
	}
	nothing := e.with("REDIS_URL", redistest.Start(t).URL())
	consoles[true] = serve(t, nothing, "console").url
	emptyKey := strings.TrimSpace(done(t, nothing, "key", "create", "--name", "olga", "--scopes", "read,submit,control,people", "--campaigns", "all"))
	all := sights(t, hooks(t, e))
	fill(t, server)
	enqueue(t, server)
	tabs := map[string]*browsertest.Page{}
	for _, s := range all {
		if *pictures != "" && s.hidden {
			continue
		}
		who := cmp.Or(s.who, "olga")
		url, token := consoles[s.empty]+s.path, keys[who]
		if s.empty {
			token = emptyKey
		}
		var how []browsertest.Option
		if token != "" {
			how = append(how, browsertest.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(":"+token))))
		}
		p := tabs[consoles[s.empty]+who]
		switch {
		case s.refused != "":
			p = b.Open(t, url, append(how, browsertest.Expect(s.refused))...)
		case p == nil:
			p = b.Open(t, url, how...)
			tabs[consoles[s.empty]+who] = p
		default:
			p.Go(url)
		}
		if s.steps != nil {
			s.steps(p)
		}
		p.WaitText(s.says)
		if *pictures != "" {
			keep(t, p, s)
			continue
		}
		p.FitsWidth(t)
		if s.foreign {
			continue
		}
		p.Axe(t)
		p.Screenshot(t, s.name)
		p.Darken(true)
		p.Contrast(t)
		p.Screenshot(t, s.name+"-dark")
		p.Phone(true)
		p.FitsWidth(t)
		p.Structure(t)
		p.Screenshot(t, s.name+"-dark-phone")
		p.Phone(false)
		p.Darken(false)
	}
}

// hooks adds two webhooks, one that takes a test and one that doesn't, whose ID it
// returns.
func hooks(t *testing.T, e env) string {
	t.Helper()
	answers := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		id := regexp.MustCompile(`webhook (\w+) is added`).FindStringSubmatch(handout(t, e, "webhook", "add", server.URL+"/handout").stderr)
		if id == nil {
			t.Fatal("webhook add names no ID")
		}
		return id[1]
	}
	good, bad := answers(http.StatusOK), answers(http.StatusServiceUnavailable)
	done(t, e, "webhook", "test", good)
	if r := handout(t, e, "webhook", "test", bad); r.code != 1 {
		t.Errorf("the test of a webhook that answers 503: %+v", r)
	}
	return bad
}

// keep writes pictures for the documentation: light on a desk, dark on a phone.
func keep(t *testing.T, p *browsertest.Page, s sight) {
	t.Helper()
	write := func(name string, picture []byte) {
		if err := os.WriteFile(filepath.Join(*pictures, name+".png"), fewColours(t, picture), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if s.whole {
		write(s.name, p.Picture())
	} else {
		write(s.name, p.View())
	}
	if s.phone {
		p.Phone(true)
		p.Darken(true)
		write(s.name+"-dark-phone", p.View())
		p.Darken(false)
		p.Phone(false)
	}
}
