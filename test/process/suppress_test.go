package process_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"os/user"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/test/redistest"
)

// suppressed is what suppress list says of every number, by number.
func suppressed(t testing.TB, e env) map[string]map[string]string {
	t.Helper()
	out := done(t, e, "suppress", "list")
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rows[0], ","); got != "phone,since,why,campaign,by" {
		t.Fatalf("header %q", got)
	}
	all, objects := make(map[string]map[string]string), make(map[string]map[string]string)
	for _, row := range rows[1:] {
		entry := make(map[string]string)
		for i, name := range rows[0] {
			entry[name] = row[i]
		}
		if at, err := time.Parse(time.RFC3339, entry["since"]); err != nil || time.Since(at) > time.Hour {
			t.Errorf("since %q", entry["since"])
		}
		all[row[0]] = entry
	}
	for line := range strings.Lines(done(t, e, "suppress", "list", "--json")) {
		var object map[string]string
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatal(err)
		}
		objects[object["phone"]] = object
	}
	if diff := cmp.Diff(all, objects); diff != "" {
		t.Errorf("CSV and JSON differ:\n%s", diff)
	}
	return all
}

// reasons are those of suppressed, with the campaign and who did it.
func reasons(t testing.TB, e env) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for phone, entry := range suppressed(t, e) {
		all[phone] = entry["why"] + "|" + entry["campaign"] + "|" + entry["by"]
	}
	return all
}

func TestSuppress_AddCheckListRemove(t *testing.T) {
	t.Parallel()
	e := bare().with("REDIS_URL", redistest.Start(t).URL(), "HANDOUT_REGION", "US")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says string }{
		{"check +12015550100", "the number isn't on the list"},
		{"remove +12015550100", "the number wasn't on the list"},
		{"add +12015550100", "the number is on the list: nothing is sent to it any more"},
		{"add (201)555-0100 --why again --by ann", "was on the list already, since 20..-..-..T..:..:..Z: by hand, by " + me.Username},
		{"add 2015550101 --why asked,by_letter --by ann", "the number is on the list: nothing is sent to it any more"},
		{"check +1-201-555-0101", "is on the list, since 20..-..-..T..:..:..Z: by hand: asked,by_letter, by ann"},
	} {
		r := handout(t, e, append([]string{"suppress"}, strings.Fields(c.args)...)...)
		pattern := regexp.MustCompile(c.says)
		if r.code != 0 || r.stderr != "" || !pattern.MatchString(r.stdout) || strings.Contains(r.stdout, "555") {
			t.Errorf("%s: exit status %d: %s%s", c.args, r.code, r.stdout, r.stderr)
		}
	}
	want := map[string]string{"+12015550100": "by hand||" + me.Username, "+12015550101": "by hand: asked,by_letter||ann"}
	if diff := cmp.Diff(want, reasons(t, e)); diff != "" {
		t.Error(diff)
	}
	if out := done(t, e, "suppress", "remove", "+12015550100"); !strings.Contains(out, "off the list") {
		t.Error(out)
	}
	delete(want, "+12015550100")
	if diff := cmp.Diff(want, reasons(t, e)); diff != "" {
		t.Error(diff)
	}
}

func TestSuppress_WrongUseNamesNoNumber(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := bare().with("REDIS_URL", server.URL())
	lost := `suppress: a command is missing: add, remove, check, list, import, unresolved or settle; see handout suppress --help`
	cases := []refusal{
		{name: "no command", args: []string{"suppress"}, stderr: lost},
		{name: "a number for a command", args: []string{"suppress", "+12015550100"}, stderr: lost},
		{name: "no number", args: []string{"suppress", "add"}, stderr: `suppress add: PHONE is missing; usage: handout suppress add PHONE \[flags\]`},
		{name: "a number in parts", args: []string{"suppress", "check", "+1201", "5550100"}, stderr: `suppress check takes one number; one with blanks needs quotes`},
		{name: "no region", args: []string{"suppress", "add", "2015550100"}, stderr: `suppress add: PHONE: not in international form, .*`},
		{name: "no number at all", args: []string{"suppress", "remove", "+1201555010012015550100"}, stderr: `suppress remove: PHONE: .*`},
		{name: "a long reason", args: []string{"suppress", "add", "+12015550100", "--why", strings.Repeat("x", 201)}, stderr: `suppress add: --why: the reason must be one line of at most 200 bytes`},
		{name: "two lines", args: []string{"suppress", "add", "+12015550100", "--by", "a\nb"}, stderr: `suppress add: --by: the name must be one line of at most 64 bytes`},
		{name: "no file", args: []string{"suppress", "import"}, stderr: `suppress import: FILE.csv is missing; .*`},
		{name: "a flag that isn't there", args: []string{"suppress", "list", "--csv"}, stderr: `unknown flag: --csv; see handout suppress list --help`},
		{name: "help for a number", args: []string{"help", "suppress", "+12015550100"}, stderr: `help: suppress has no such command; see handout suppress --help`},
		{name: "no Redis", args: []string{"suppress", "list"}, env: []string{"REDIS_URL", ""}, stderr: `REDIS_URL is not set.*`},
	}
	for i := range cases {
		cases[i].code = 2
	}
	cases = append(cases,
		refusal{name: "no such file", args: []string{"suppress", "import", "nowhere.csv"}, code: 1, stderr: `open nowhere.csv: no such file or directory`},
		refusal{name: "an empty file", args: []string{"suppress", "import", write(t, "e.csv", "")}, code: 1, stderr: `\S+e.csv: the file is empty`},
		refusal{name: "no column phone", args: []string{"suppress", "import", write(t, "h.csv", "+12015550100\n")}, code: 1, stderr: `\S+h.csv:1: header: there is no column phone; .*`},
		refusal{
			name: "bad rows", args: []string{"suppress", "import", write(t, "b.csv", "name,phone,why\na,+12015550100,x\nb,2015550101,\n\"c,+12015550102\nd\n\ne,+12015550103,"+strings.Repeat("x", 201)+"\n"+strings.Repeat("12015550", 10_000)+"\nf,,\n")},
			code: 1, stderr: `nothing was imported; bad: 6 of 7 rows; correct them, or set bad rows aside`,
			before: `\S+b.csv:3: phone: not in [^\n]*\n\S+b.csv:4: its quotes can't be read\n\S+b.csv:5: phone: empty\n\S+b.csv:7: why: [^\n]*\n\S+b.csv:8: longer than 65,536 bytes\n\S+b.csv:9: phone: empty\n`,
		})
	t.Run("all", func(t *testing.T) { checkAll(t, e, cases) })
	keys := slices.DeleteFunc(server.Client().Keys(t.Context(), "*").Val(), func(k string) bool {
		return k == "handout:installation" || k == "handout:audit" // no list
	})
	if len(keys) > 0 {
		t.Errorf("there stand in Redis: %v", keys)
	}
}

func TestSuppress_ImportIsIdempotentAndNamesBadRows(t *testing.T) {
	t.Parallel()
	e := bare().with("REDIS_URL", redistest.Start(t).URL())
	file := write(t, "numbers.csv", "\ufeffid, phone ,why,by\r\n1,+12015550100,\"wrote, twice\",x\r\n\r\n2,+1 (201) 555-0101,,\r\n3,12,,\r\n4,+12015550100,other,\r\n5,+12015550102")
	done(t, e, "suppress", "add", "+12015550101", "--by", "ann")
	for i, says := range []string{
		"5 rows: 2 numbers added, 2 on the list already, 1 bad row set aside\n",
		"5 rows: 0 numbers added, 4 on the list already, 1 bad row set aside\n",
	} {
		r := handout(t, e, "suppress", "import", file, "--set-aside-bad-rows", "--by", "bob", "--why", "old system")
		if r.code != 0 || r.stdout != says || !strings.HasSuffix(r.stderr, "numbers.csv:5: phone: not in international form, which begins with + and a calling code\n") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%d: exit status %d: %s%s", i, r.code, r.stdout, r.stderr)
		}
		want := map[string]string{
			"+12015550100": "by hand: wrote, twice||bob", "+12015550101": "by hand||ann", "+12015550102": "by hand: old system||bob",
		}
		if diff := cmp.Diff(want, reasons(t, e)); diff != "" {
			t.Error(diff)
		}
	}
	// What list writes, import reads, with who put each number there.
	other := bare().with("REDIS_URL", redistest.Start(t).URL())
	done(t, other, "suppress", "import", write(t, "list.csv", done(t, e, "suppress", "list")), "--by", "carl")
	if diff := cmp.Diff(reasons(t, e), reasons(t, other)); diff != "" {
		t.Error(diff)
	}
}

// A long file goes through in seconds, in memory that doesn't grow with it.
func TestSuppress_ALongImportTakesSecondsAndLittleMemory(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := bare().with("REDIS_URL", server.URL(), "GOMEMLIMIT", "64MiB")
	const n = 300_000
	var b strings.Builder
	b.WriteString("phone\n")
	for i := range n {
		fmt.Fprintf(&b, "+4179%07d\n", i)
	}
	start := time.Now()
	if out := done(t, e, "suppress", "import", write(t, "many.csv", b.String())); out != "300,000 rows: 300,000 numbers added, 0 on the list already\n" {
		t.Error(out)
	}
	t.Logf("%v for %d", time.Since(start), n)
	if got := server.Client().HLen(t.Context(), "handout:suppressed").Val(); got != n {
		t.Errorf("%d numbers on the list", got)
	}
	if lines := strings.Count(done(t, e, "suppress", "list"), "\n"); lines != n+1 {
		t.Errorf("%d lines", lines)
	}
}

// The whole way: who is on the list isn't sent to, says the report, and nothing
// on the way shows a number.
func TestSuppress_HoldsInEveryCampaign(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	h := open(t, quick(server.URL()))
	const delivered, byHand, blocked, writes = "+12015550100", "+12015550101", "+12015550193", "+12015550102"
	phones := []string{delivered, byHand, blocked, writes}
	done(t, h.env, "suppress", "add", byHand, "--why", "asked by letter", "--by", "ann")
	submit := func(id string) map[string]map[string]string {
		t.Helper()
		done(t, h.env, "submit", campaignFile(t, id), listFile(t, phones))
		untilDone(t, h.env, id)
		done(t, h.env, "verify", id)
		people := make(map[string]map[string]string)
		for _, p := range export(t, h.env, id) {
			people[p["phone"]] = p
		}
		return people
	}
	states := func(people map[string]map[string]string) map[string]string {
		all := make(map[string]string)
		for phone, p := range people {
			all[phone] = p["state"]
		}
		return all
	}
	first := submit("first")
	want := map[string]string{delivered: "delivered", byHand: "suppressed", blocked: "failed", writes: "delivered"}
	if diff := cmp.Diff(want, states(first)); diff != "" {
		t.Error(diff)
	}
	if p := first[byHand]; p["reason"] != "suppressed" || p["attempts"] != "0" {
		t.Errorf("%v", p)
	}
	h.writes(t, writes, "stop", "whatsapp", first[writes]["reference_id"])
	wantReasons := map[string]string{byHand: "by hand: asked by letter||ann", blocked: "blocked (3046)|first|", writes: "stop|first|"}
	if diff := cmp.Diff(wantReasons, reasons(t, h.env)); diff != "" {
		t.Error(diff)
	}
	second := submit("second")
	want = map[string]string{delivered: "delivered", byHand: "suppressed", blocked: "suppressed", writes: "suppressed"}
	if diff := cmp.Diff(want, states(second)); diff != "" {
		t.Error(diff)
	}
	if r := reportOf(t, h.env, "second"); r.Balance["suppressed"] != 3 || r.Balance["delivered"] != 1 {
		t.Errorf("%+v", r)
	}
	// A resend is a send: it is refused for a number on the list.
	if r := handout(t, h.env, "resend", "first", blocked, "--yes"); r.code != 1 || !strings.Contains(r.stderr, "suppressed") {
		t.Errorf("%d, %s", r.code, r.stderr)
	}
	h.writes(t, writes, "start", "sms", "")
	done(t, h.env, "suppress", "remove", byHand)
	third := submit("third")
	want = map[string]string{delivered: "delivered", byHand: "delivered", blocked: "suppressed", writes: "delivered"}
	if diff := cmp.Diff(want, states(third)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{delivered: 3, byHand: 1, blocked: 1, writes: 2}, h.accepted(t)); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	leaks := newLeaks(phones)
	for _, p := range []*process{h.listen, h.work} {
		page := p.metrics(t)
		leaks.look(t, "handout "+p.name+"'s /metrics", page)
		if p == h.listen && (!strings.Contains(page, `handout_receipts_total{result="stop"} 1`) || !strings.Contains(page, `handout_receipts_total{result="start"} 1`)) {
			t.Error("the listener hasn't counted STOP and START")
		}
		p.stop()
		leaks.look(t, "handout "+p.name+"'s output", p.out.String())
	}
}

// writes lets a person write to us.
func (h *house) writes(t testing.TB, phone, action, channel, answering string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"phone_number": phone, "action": action, "channel": channel, "original_reference_id": answering})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(h.simulate.url+"/simulator/inbound", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s by %s: %d", action, channel, resp.StatusCode)
	}
}
