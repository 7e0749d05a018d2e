package process_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/telesign/simulator"
)

// house is the program as it runs for real, a process for each mode, with the
// simulator for Telesign.
type house struct {
	env                    env
	listen, simulate, work *process
}

// open starts one: a listener, a simulator and a worker.
func open(t testing.TB, e env) *house {
	t.Helper()
	h := &house{listen: serve(t, e, "listen")}
	h.env = e.with("HANDOUT_SIMULATE_CALLBACK_URL", h.listen.url+"/callbacks/telesign")
	h.simulate = serve(t, h.env, "simulate")
	h.env = h.env.with("TELESIGN_URL", h.simulate.url)
	h.work = serve(t, h.env, "work")
	return h
}

// quick are the settings of a house in a hurry.
func quick(redisURL string) env {
	return account(redisURL).with(
		"HANDOUT_RATE", "500", "HANDOUT_SIMULATE_SPEED", "1000", "HANDOUT_SEND_TIMEOUT", "5s",
		"HANDOUT_RECEIPT_DEADLINE", "8s", "HANDOUT_POLL_RATE", "100",
		"HANDOUT_LOG_LEVEL", "debug")
}

// accepted is how often the simulator took a message for each phone number.
func (h *house) accepted(t testing.TB) map[string]int {
	t.Helper()
	status, body := get(t, h.simulate.url+"/simulator/log")
	if status != 200 {
		t.Fatalf("the simulator's log: %d", status)
	}
	times := make(map[string]int)
	for line := range strings.Lines(body) {
		var message simulator.Accepted
		if err := json.Unmarshal([]byte(line), &message); err != nil {
			t.Fatal(err)
		}
		times["+"+strings.TrimPrefix(message.PhoneNumber, "+")]++
	}
	return times
}

// stats are the simulator's.
func (h *house) stats(t testing.TB) simulator.Stats {
	t.Helper()
	var stats simulator.Stats
	_, body := get(t, h.simulate.url+"/simulator/stats")
	if err := json.Unmarshal([]byte(body), &stats); err != nil {
		t.Fatal(err)
	}
	return stats
}

// reportOf is a campaign's report.
func reportOf(t testing.TB, e env, id string) report.Report {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal([]byte(done(t, e, "report", id, "--json")), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// untilDone waits for a campaign's end, in one process that follows it: a report
// asked for again and again takes a core.
func untilDone(t testing.TB, e env, id string) report.Report {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal([]byte(done(t, e, "report", id, "--follow", "--json")), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// export is what a campaign's export says of everyone, by column.
func export(t testing.TB, e env, id string) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(done(t, e, "export", id))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var people []map[string]string
	for _, row := range rows[1:] {
		person := make(map[string]string)
		for i, name := range rows[0] {
			person[name] = row[i]
		}
		people = append(people, person)
	}
	return people
}

// campaignFile writes a campaign: WhatsApp, then SMS.
func campaignFile(t testing.TB, id string) string {
	t.Helper()
	return write(t, id+".yaml", campaignText(id))
}

func campaignText(id string) string {
	return fmt.Sprintf(`id: %s
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your order history is ready for download at {{.url}}."}
`, id)
}

// listFile writes a list of people with these numbers.
func listFile(t testing.TB, phones []string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("recipient,phone,url\n")
	for i, phone := range phones {
		fmt.Fprintf(&b, "customer-%d,%s,https://files.example.com/orders/%d.xlsx\n", i+1, phone, i+1)
	}
	return write(t, "list.csv", b.String())
}

// areas have numbers that are kept free for fiction, 555-0100 to 555-0199.
var areas = strings.Fields(`201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218
	219 224 225 228 229 231 234 239 240 248 251 252 253 254 256 260`)

// numbers are n of them whose last two digits are ones that may is true for.
func numbers(n int, may func(area, digits int) bool) []string {
	var all []string
	for area, code := range areas {
		for digits := range 100 {
			if len(all) < n && may(area, digits) {
				all = append(all, fmt.Sprintf("+1%s55501%02d", code, digits))
			}
		}
	}
	return all
}

// plainly are numbers to which WhatsApp delivers at once.
func plainly(_, digits int) bool { return digits < 35 }

// storyOf is what the simulator does with a number.
func storyOf(phone string) simulator.Story {
	return simulator.StoryOf(strings.TrimPrefix(phone, "+"))
}
