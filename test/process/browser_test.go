package process_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/queue"
	"github.com/handout-dev/handout/tasks"
	"github.com/handout-dev/handout/test/browsertest"
	"github.com/handout-dev/handout/test/redistest"
)

// enqueue puts a task into the bulk queue, where no worker takes it.
func enqueue(t testing.TB, server *redistest.Server) {
	t.Helper()
	task := tasks.NewSend(campaign.Attempt{Campaign: "spring", Salt: "aaaaaaaa", Number: 1})
	if err := queue.New(server.Client()).Enqueue(t.Context(), tasks.QueueBulk, task); err != nil {
		t.Fatal(err)
	}
}

// The queues' pages are asynqmon's: how they look is its own, but that they work
// under a strict policy and need no other host is ours.
func TestPages_TheQueuesInABrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	server := redistest.Start(t)
	e := account(server.URL())
	key := strings.TrimSpace(done(t, e, "key", "create", "--name", "olga", "--scopes", "read,control", "--campaigns", "all"))
	known := browsertest.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(":"+key)))
	enqueue(t, server)
	// The buttons of a queue come when the mouse is over the last cell of its row.
	const row = `document.querySelector("tbody td:last-child")`
	const over = row + `.dispatchEvent(new MouseEvent("mouseover", {bubbles: true}))`
	t.Run("to look", func(t *testing.T) {
		t.Parallel()
		url := serve(t, e, "console").url + "/queues/"
		p := b.Open(t, url, known)
		p.WaitText("bulk")
		if p.Eval(over, nil); !p.Is(`document.querySelector("tbody button") === null`) {
			t.Error("there are buttons")
		}
		p.Screenshot(t, "queues")
		for page, says := range map[string]string{
			"queues/handout:bulk?status=pending": "Pending", "servers": "Servers", "schedulers": "Scheduler", "redis": "Redis", "settings": "Settings",
		} {
			p.Go(url + page)
			p.WaitText(says)
			p.Screenshot(t, page)
		}
	})
	t.Run("to change", func(t *testing.T) {
		t.Parallel()
		p := b.Open(t, serve(t, e.with("HANDOUT_QUEUES_WRITE", "true"), "console").url+"/queues/", known)
		p.WaitText("bulk")
		for _, c := range [][2]string{{"Pause", "paused"}, {"Resume", "run"}} {
			p.Wait("the button "+c[0], over+` && document.querySelector("tbody [title=`+c[0]+`], tbody [aria-label=`+c[0]+`]")`)
			p.Eval(`document.querySelector("tbody [title=`+c[0]+`], tbody [aria-label=`+c[0]+`]").click()`, nil)
			p.WaitText(c[1])
			p.Screenshot(t, c[1])
		}
	})
}

// An open page says within 3 s that Redis, or the console, is gone, and takes it back.
func TestPages_SayThatThereIsNoNews(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	server := redistest.Start(t, redistest.AppendOnly("always"))
	e := account(server.URL())
	key := strings.TrimSpace(done(t, e, "key", "create", "--name", "olga", "--scopes", "read", "--campaigns", "all"))
	known := browsertest.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(":"+key)))
	done(t, e, "submit", campaignFile(t, "spring"), listFile(t, numbers(3, plainly)), "--hold")
	console := serve(t, e, "console")
	const gone, shown = "No news since", `!document.getElementById("gone").hidden`
	pages := map[string]*browsertest.Page{"/campaigns/spring": nil, "/campaigns": nil}
	for at := range pages {
		pages[at] = b.Open(t, console.url+at, known, browsertest.Expect(".")) // what fails is what this is about
		pages[at].WaitText("spring")
		if pages[at].Is(shown) {
			t.Errorf("%s: %s, while there is", at, gone)
		}
	}
	server.Kill()
	for at, p := range pages {
		p.Wait(at+" says that Redis is gone", shown)
		p.Screenshot(t, "gone"+strings.ReplaceAll(at, "/", "-"))
	}
	server.Restart()
	for at, p := range pages {
		p.Wait(at+" takes it back", "!("+shown+")")
	}
	console.cmd.Process.Kill()
	for at, p := range pages {
		p.Wait(at+" says that the console is gone", shown)
	}
}
