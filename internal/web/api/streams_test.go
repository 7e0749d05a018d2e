package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/api"
	"github.com/handout-dev/handout/test/redistest"
)

func TestSend_OncePerKey(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	body := func(phone, text string) string {
		return fmt.Sprintf(`{"recipient":"ann","phone":%q,"message_type":"ARN","channels":[{"channel":"sms","template":"text","parameters":{"text":%q}}]}`, phone, text)
	}
	var first, again api.Sent
	c.do(t, 201, "POST", "/sends", asJSON, body(phoneOf(0), "Hello"), "Idempotency-Key", "order-1").into(t, &first)
	c.do(t, 200, "POST", "/sends", asJSON, body(phoneOf(0), "Hello"), "Idempotency-Key", "order-1").into(t, &again)
	if first != again || first.Place != "0.0" {
		t.Errorf("%+v, %+v", first, again)
	}
	problemOf(t, c.do(t, 409, "POST", "/sends", asJSON, body(phoneOf(0), "Bye"), "Idempotency-Key", "order-1"), "other-content")
	c.do(t, 201, "POST", "/sends", asJSON, body(phoneOf(0), "Hello"), "Idempotency-Key", "order-2")
	p := problemOf(t, c.do(t, 422, "POST", "/sends", asJSON, body(phoneOf(0), "Hello")), "invalid")
	if p.Errors[0].Field != "Idempotency-Key" {
		t.Errorf("%+v", p)
	}
	p = problemOf(t, c.do(t, 422, "POST", "/sends", asJSON, body("+1201", "Hello"), "Idempotency-Key", "order-3"), "invalid")
	if p.Errors[0].Field != "phone" {
		t.Errorf("%+v", p)
	}
	p = problemOf(t, c.do(t, 422, "POST", "/sends", asJSON, body(phoneOf(0), "{{.name}}"), "Idempotency-Key", "order-3"), "invalid")
	if p.Errors[0].Field != "channels[0].parameters.text" {
		t.Errorf("%+v", p)
	}
	var r api.Recipient
	c.do(t, 200, "GET", "/campaigns/"+first.Campaign+"/recipients/"+first.Place, "", "").into(t, &r)
	if r.Recipient != "ann" || r.State != "planned" {
		t.Errorf("%+v", r)
	}
	if a := c.do(t, 200, "GET", "/campaigns/"+first.Campaign, "", ""); strings.Contains(a.body, `"file"`) || !strings.Contains(a.body, `"total":2`) {
		t.Error(a.body)
	}
	problemOf(t, c.do(t, 422, "PUT", "/campaigns/"+first.Campaign+"/recipients", asCSV, csvOf(1)), "invalid")
}

func TestExport_IsThatOfTheCommandLine(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c, seer := h.all(t), h.client(t, "seer", access.Read, access.People)
	c.held(t, "spring", 150)
	a := seer.do(t, 200, "GET", "/campaigns/spring/export", "", "")
	lines := strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	if len(lines) != 151 || !strings.HasPrefix(lines[0], "recipient,phone,state,") || lines[150] != "customer-149,"+phoneOf(149)+",planned,,,,,,,0,," {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	a = c.do(t, 200, "GET", "/campaigns/spring/export?format=ndjson", "", "")
	lines = strings.Split(strings.TrimSuffix(a.body, "\n"), "\n")
	var person map[string]any
	if err := json.Unmarshal([]byte(lines[149]), &person); err != nil || len(lines) != 150 || person["phone"] != "+*********49" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	a = c.do(t, 200, "GET", "/campaigns/spring/export?format=xlsx", "", "")
	book, err := excelize.OpenReader(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := book.GetRows("People 1"); err != nil || len(rows) != 151 || rows[150][1] != "+*********49" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	problemOf(t, c.do(t, 422, "GET", "/campaigns/spring/export?format=spreadsheet-csv", "", ""), "invalid")
}

// Neither takes the server's time-outs for its end: an export that is read slowly,
// and a quiet stream of events.
func TestStreams_OutliveTheServersTimeouts(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *api.Options) { o.Heartbeat, o.AnswerTime = time.Second, 3*time.Second })
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, wide())
	get := func(path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/campaigns/spring/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+c.token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	export, events := get("export"), get("events")
	time.Sleep(readTimeout + time.Second) // longer than that is what this is about
	if n, err := io.Copy(io.Discard, export.Body); err != nil || n < 15_000_000 {
		t.Errorf("the export: %d bytes, %v", n, err)
	}
	lines := bufio.NewScanner(events.Body)
	beats := 0
	for beats < 2*int(readTimeout/time.Second) && lines.Scan() {
		if lines.Text() == ": still here" {
			beats++
		}
	}
	if beats < 2*int(readTimeout/time.Second) {
		t.Errorf("the stream of events ended after %d beats: %v", beats, lines.Err())
	}
	if err := h.keys.Revoke(t.Context(), "billing"); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // until it ends
	}
	if err := lines.Err(); err != nil {
		t.Errorf("revoked: %v", err)
	}
}

// wide is a list of 30,000 whose export has over 15 MB: more than sockets hold.
func wide() string {
	var list strings.Builder
	list.WriteString("recipient,phone,url\n")
	for i := range 30_000 {
		fmt.Fprintf(&list, "%s-%d,+1201%07d,https://files.example.com/x.xlsx\n", strings.Repeat("n", 500), i, 2_000_000+i)
	}
	return list.String()
}

// An export that can't go on ends in a broken connection: no one takes half of it
// for the whole.
func TestExport_BreaksOffWithTheConnection(t *testing.T) {
	t.Parallel()
	h := open(t, nil, redistest.AppendOnly("always"))
	c := h.all(t)
	c.do(t, 201, "POST", "/campaigns", asJSON, campaignBody("spring"))
	c.do(t, 201, "PUT", "/campaigns/spring/recipients?hold=true", asCSV, wide())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/campaigns/spring/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h.redis.Kill()
	n, err := io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != 200 || err == nil {
		t.Errorf("%d, %d bytes, %v", resp.StatusCode, n, err)
	}
}

// events reads a campaign's events until the last one.
func (c *client) events(t *testing.T, id string, tell func(name string, one api.Campaign)) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.h.url+"/campaigns/"+id+"/events", nil)
	if err != nil {
		t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return
	}
	defer resp.Body.Close()
	c.h.judge(t, http.MethodGet, "/campaigns/"+id+"/events", answer{status: resp.StatusCode, header: resp.Header})
	name := ""
	for scanner := bufio.NewScanner(resp.Body); scanner.Scan(); {
		if rest, ok := strings.CutPrefix(scanner.Text(), "event: "); ok {
			name = rest
		}
		if data, ok := strings.CutPrefix(scanner.Text(), "data: "); ok {
			var one api.Campaign
			if err := json.Unmarshal([]byte(data), &one); err != nil {
				t.Error(err)
			}
			tell(name, one)
		}
	}
}

func TestEvents_FollowACampaignToItsEndWithOneReader(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	const watchers = 20
	type event struct {
		name, state string
		failed      int
	}
	first, last := make(chan event, watchers), make(chan event, watchers)
	for range watchers {
		go func() {
			var latest event
			told := false
			c.events(t, "spring", func(name string, one api.Campaign) {
				latest = event{name, one.State, one.Balance.Failed}
				if !told {
					told = true
					first <- latest
				}
			})
			last <- latest
		}()
	}
	for range watchers {
		if e := <-first; e.name != "progress" || e.state != "paused" {
			t.Errorf("at first: %+v", e)
		}
	}
	h.redis.ResetCommandStats()
	time.Sleep(3 * time.Second) // what is measured is what happens in a time
	if n := h.redis.CommandStats()["hgetall"]; n < 1 || n > 5 {
		t.Errorf("%d watchers read %d times in 3 s", watchers, n)
	}
	c.do(t, 200, "POST", "/campaigns/spring/start", "", "")
	for i := range 3 {
		h.fail(t, "spring", i)
	}
	if err := h.ledger.Settle(t.Context(), "spring"); err != nil {
		t.Fatal(err)
	}
	if err := h.ledger.Finish(t.Context(), "spring", time.Now()); err != nil {
		t.Fatal(err)
	}
	for range watchers {
		if e := <-last; e != (event{"done", string(campaign.Done), 3}) {
			t.Errorf("at last: %+v", e)
		}
	}
	c.events(t, "spring", func(name string, one api.Campaign) {
		if name != "done" || one.State != "done" {
			t.Errorf("of a done one: %s %+v", name, one)
		}
	})
}

func TestClose_EndsStreams(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	c := h.all(t)
	c.held(t, "spring", 3)
	ended, began := make(chan struct{}), make(chan struct{}, 9)
	go func() {
		defer close(ended)
		c.events(t, "spring", func(string, api.Campaign) { began <- struct{}{} })
	}()
	<-began
	h.api.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("a watcher is still there")
	}
}
