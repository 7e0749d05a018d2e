package producer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

const byZone = fileThenText + "hours: {from: \"09:00\", to: \"20:00\", zone: recipient}\n"

// Numbers whose prefix tells: New York, Chicago, Berlin, many zones of North
// America, none.
var prefixes = []string{"+1201555%04d", "+1312555%04d", "+4917112%05d", "+1800555%04d", "+87077311%04d"}

// mixed has n people in as many zones as there are prefixes, in turn.
func mixed(n int) string {
	var b strings.Builder
	b.WriteString(header)
	for i := range n {
		fmt.Fprintf(&b, "p%d,%s,https://example.com/%d\n", i, fmt.Sprintf(prefixes[i%len(prefixes)], i), i)
	}
	return b.String()
}

func TestSubmit_PagesAreByZone(t *testing.T) {
	s := redistest.Start(t)
	const n = 5*230 + 2
	client, ledger := producer.New(s.Client()), ledger.New(s.Client())
	result, err := client.Submit(t.Context(), parse(t, byZone), list(mixed(n)), producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info := result.Info
	// 230 or 231 in each of five zones: two full pages and a partial one.
	if info.Total != n || info.Pages != 15 || len(info.Zones) != 5 || len(info.Partial) != 5 {
		t.Fatalf("%+v", info)
	}
	counts := map[string]int{}
	for _, z := range info.Zones {
		counts[z.Zones] = z.Recipients
	}
	many := ""
	for names := range counts {
		if strings.Contains(names, "|") {
			many = names
		}
	}
	want := map[string]int{"America/New_York": 231, "America/Chicago": 231, "Europe/Berlin": 230, many: 230, "": 230}
	if diff := cmp.Diff(want, counts); diff != "" || !strings.HasPrefix(many, "America/Adak|") {
		t.Errorf("zones (-want +got):\n%s", diff)
	}
	zones, err := ledger.PageZones(t.Context(), info)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for page := range info.Pages {
		people, err := ledger.Recipients(t.Context(), info.ID, page)
		if err != nil {
			t.Fatal(err)
		}
		if len(people) != info.Size(page) {
			t.Errorf("page %d has %d people, not %d", page, len(people), info.Size(page))
		}
		last := -1
		for _, p := range people {
			var i int
			if _, err := fmt.Sscanf(p.ID, "p%d", &i); err != nil || i <= last {
				t.Fatalf("page %d: %s after %d (%v)", page, p.ID, last, err)
			}
			last = i
			if p.Phone != fmt.Sprintf(prefixes[i%5], i) || !slices.Equal(p.Values, []string{fmt.Sprintf("https://example.com/%d", i)}) {
				t.Fatalf("%+v", p)
			}
			if got, want := info.Zones[zones.Of(page)].Zones, []string{"America/New_York", "America/Chicago", "Europe/Berlin", many, ""}[i%5]; got != want {
				t.Fatalf("%s is in a page of %q, not %q", p.ID, got, want)
			}
			seen[p.ID] = true
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d are in pages", len(seen), n)
	}
	if v, err := ledger.Verify(t.Context(), info, nil); err != nil || len(v.Faults) > 0 {
		t.Errorf("%v, %q", err, v.Faults)
	}

	again, err := client.Submit(t.Context(), parse(t, byZone), list(mixed(n)), producer.SubmitOptions{})
	if err != nil || !again.Already {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	var other *producer.OtherContentError
	if _, err := client.Submit(t.Context(), parse(t, byZone), list(mixed(n-1)), producer.SubmitOptions{}); !errors.As(err, &other) {
		t.Errorf("one fewer: %v", err)
	}
	if _, err := client.Submit(t.Context(), parse(t, fileThenText), list(mixed(n)), producer.SubmitOptions{}); !errors.As(err, &other) {
		t.Errorf("without hours: %v", err)
	}
}

// The digest is over the list and not over its pages, so that a new table of
// zones changes nothing.
func TestSubmit_TheDigestIsOverTheListsOrder(t *testing.T) {
	digest := func(src, text string) string {
		result, err := producer.New(redistest.Start(t).Client()).Submit(t.Context(), parse(t, src), list(text), producer.SubmitOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return result.Info.Digest
	}
	lines := strings.SplitAfter(mixed(250), "\n")
	base := digest(byZone, strings.Join(lines, ""))
	// These two are in different zones, so that the pages are the same.
	lines[1], lines[2] = lines[2], lines[1]
	if digest(byZone, strings.Join(lines, "")) == base {
		t.Error("another order is the same content")
	}
}

func TestSubmit_TheColumnZoneComesFirst(t *testing.T) {
	const columns = "recipient,zone,phone,url\n"
	text := columns +
		"a,Asia/Tokyo,+12015550100,https://x.example/1\n" +
		"b,,+12015550101,https://x.example/1\n" +
		"c,Europe/Berlin,+870773111632,https://x.example/1\n"
	s := redistest.Start(t)
	result, err := producer.New(s.Client()).Submit(t.Context(), parse(t, byZone), list(text), producer.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []campaign.ZoneCount{{Zones: "Asia/Tokyo", Recipients: 1}, {Zones: "America/New_York", Recipients: 1}, {Zones: "Europe/Berlin", Recipients: 1}}
	if diff := cmp.Diff(want, result.Info.Zones); diff != "" {
		t.Error(diff)
	}
	// It is an ordinary column, too.
	if all := stored(t, ledger.New(s.Client()), result.Info); !slices.Equal(all[0].Values, []string{"Asia/Tokyo", "https://x.example/1"}) {
		t.Errorf("%+v", all)
	}

	bad := strings.Replace(text, "Asia/Tokyo", "Tokio", 1)
	_, err = producer.New(redistest.Start(t).Client()).Submit(t.Context(), parse(t, byZone), list(bad), producer.SubmitOptions{})
	if err == nil || err.Error() != "list.csv:2:3: zone: not the name of a time zone such as Europe/Berlin" {
		t.Errorf("error: %v", err)
	}
	// Where hours don't depend on it, it may hold what it likes.
	for _, file := range []string{fileThenText, strings.Replace(byZone, "zone: recipient", "zone: Asia/Tokyo", 1)} {
		result, err := producer.New(redistest.Start(t).Client()).Submit(t.Context(), parse(t, file), list(bad), producer.SubmitOptions{})
		if err != nil || result.Info.Zoned() {
			t.Errorf("%+v, %v", result, err)
		}
	}
}

func TestSubmit_ZonesOfNDJSONAndOfRowsFromGo(t *testing.T) {
	for name, l := range map[string]producer.List{
		"ndjson": ndjson(`{"zone":"Asia/Tokyo","recipient":"a","phone":"+12015550100","url":"https://x.example/1"}` + "\n"),
		"rows": producer.ListRows([]string{"url", "zone"}, rows(producer.Row{
			Recipient: "a", Phone: "+12015550100", Values: []string{"https://x.example/1", "Asia/Tokyo"}})),
	} {
		result, err := producer.New(redistest.Start(t).Client()).Submit(t.Context(), parse(t, byZone), l, producer.SubmitOptions{})
		if err != nil || len(result.Info.Zones) != 1 || result.Info.Zones[0].Zones != "Asia/Tokyo" {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

func TestCheck_SaysWhoCanBeSentToWhen(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) // 10:00 in Berlin
	check := func(src, text string) *producer.DryRun {
		d, err := producer.Check(t.Context(), parse(t, src), list(text), producer.CheckOptions{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := check(byZone, mixed(503)) // 101, 101, 101, 100, 100
	var lines []string
	for _, z := range d.Hours.Zones {
		name := "unknown"
		if len(z.Zones) > 0 {
			name = z.Zones[0]
		}
		line := fmt.Sprintf("%d %s open %v", z.Recipients, name, z.Open)
		if !z.Opens.IsZero() {
			line += " " + z.Opens.Format("Mon 15:04 MST")
		}
		lines = append(lines, line)
	}
	want := []string{
		"101 America/Chicago open false Mon 09:00 CST", "101 America/New_York open false Mon 09:00 EST", "101 Europe/Berlin open true",
		"100 unknown open false", "100 America/Adak open false Mon 13:00 HST",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("zones (-want +got):\n%s", diff)
	}
	if h := d.Hours; h.Now != 101 || h.Unknown != 100 || h.Waiting != 100 || h.Apart != 0 || len(h.Opens) != 3 ||
		h.Opens[0].Recipients != 101 || h.Opens[0].At.UTC().Hour() != 14 {
		t.Errorf("%+v", h)
	}
	// The last window opens at 23:00; its 100 take ten seconds.
	if end := now.Add(d.Duration).Sub(now.Add(14 * time.Hour)); end < 10*time.Second || end > 11*time.Second {
		t.Errorf("it takes %s", d.Duration)
	}

	d = check(byZone+"unknown_zone: Europe/Berlin\n", mixed(503))
	if h := d.Hours; h.Now != 201 || h.Unknown != 100 || h.Waiting != 0 {
		t.Errorf("with an unknown_zone: %+v", h)
	}
	d = check(strings.Replace(byZone, "20:00", "10:00", 1), mixed(503))
	if h := d.Hours; h.Apart != 100 || h.Waiting != 200 {
		t.Errorf("an hour only: %+v", h)
	}
	d = check(strings.Replace(byZone, "zone: recipient", "zone: Asia/Tokyo", 1), mixed(500)) // 18:00 there
	if h := d.Hours; h.Now != 500 || len(h.Zones) != 1 || h.Zones[0].Zones[0] != "Asia/Tokyo" || h.Unknown != 0 {
		t.Errorf("one zone for all: %+v", h)
	}
	if d := check(fileThenText, mixed(5)); d.Hours != nil {
		t.Errorf("without hours: %+v", d.Hours)
	}
}

// scattered is a long list in all zones that numbers and a column can have.
type scattered struct {
	zones []string
	rows  int
}

func (g *scattered) all(yield func(producer.Row, error) bool) {
	for i := range g.rows {
		row := producer.Row{
			Recipient: fmt.Sprintf("customer-%d", i), Phone: fmt.Sprintf("+1201%07d", 2000000+i%7000000),
			Values: []string{fmt.Sprintf("https://example.com/%d", i), g.zones[i%len(g.zones)]},
		}
		if i >= 7000000 {
			row.Phone = fmt.Sprintf("+1212%07d", 2000000+i%7000000)
		}
		if !yield(row, nil) {
			return
		}
	}
}

// BenchmarkSubmit_ByZone submits a million rows in 400 zones.
func BenchmarkSubmit_ByZone(b *testing.B) {
	const rows = 1_000_000
	zones := manyZones(b)
	file := parse(b, byZone)
	for b.Loop() {
		g := &scattered{zones: zones, rows: rows}
		result, err := producer.New(redistest.Start(b).Client()).Submit(b.Context(), file,
			producer.ListRows([]string{"url", "zone"}, g.all), producer.SubmitOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if result.Info.Total != rows || len(result.Info.Zones) != len(zones) {
			b.Fatalf("%d recipients in %d zones", result.Info.Total, len(result.Info.Zones))
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(peakRSS(b), "MiB-peak")
}

// BenchmarkSubmit_ByNumber is BenchmarkSubmit with hours: zones by the numbers.
func BenchmarkSubmit_ByNumber(b *testing.B) {
	const rows = 1_000_000
	file := parse(b, byZone)
	for b.Loop() {
		result, err := producer.New(redistest.Start(b).Client()).Submit(b.Context(), file,
			producer.ListReader("list.csv", producer.CSV, &generated{rows: rows}), producer.SubmitOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if result.Info.Total != rows || !result.Info.Zoned() {
			b.Fatalf("%+v", result.Info)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(peakRSS(b), "MiB-peak")
}

// manyZones are names of zones, of every offset and more.
func manyZones(t testing.TB) []string {
	t.Helper()
	zones := []string{"America/New_York", "America/Chicago", "Europe/Berlin", "Europe/Paris", "Asia/Tokyo", "Asia/Dhaka", "Africa/Lagos", "Australia/Sydney"}
	for i := 1; i <= 14; i++ {
		zones = append(zones, fmt.Sprintf("Etc/GMT-%d", i))
	}
	for i := 1; i <= 12; i++ {
		zones = append(zones, fmt.Sprintf("Etc/GMT+%d", i))
	}
	return zones
}
