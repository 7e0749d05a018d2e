package process_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/test/redistest"
)

// sample is one value of a metric of ours: its name, and its labels.
var sample = regexp.MustCompile(`^(handout_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? `)

// exposed are our metrics by name: their types, by which modes, and their labels, of those
// that have a value.
func exposed(t *testing.T, processes ...*process) (types map[string]string, modes map[string][]string, labels map[string]string) {
	t.Helper()
	types, modes, labels = make(map[string]string), make(map[string][]string), make(map[string]string)
	for _, p := range processes {
		for line := range strings.Lines(p.metrics(t)) {
			if m := sample.FindStringSubmatch(line); m != nil {
				var names []string
				for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
					if l[1] != "le" { // a histogram's own
						names = append(names, l[1])
					}
				}
				slices.Sort(names)
				labels[m[1]] = strings.Join(names, ", ")
			}
			if f := strings.Fields(line); len(f) == 4 && f[1] == "TYPE" && strings.HasPrefix(f[2], "handout_") {
				types[f[2]] = f[3]
				modes[f[2]] = append(modes[f[2]], p.name)
			}
		}
	}
	return types, modes, labels
}

func TestMetrics_AreThoseOfTheDocsAndTheAlerts(t *testing.T) {
	t.Parallel()
	h := open(t, quick(redistest.Start(t).URL()))
	console := serve(t, h.env, "console")
	schedule := serve(t, h.env.with("HANDOUT_SCHEDULES", "../../docs/example/schedules.yaml"), "schedule")
	done(t, h.env, "webhook", "add", "https://hooks.example.com/", "--campaigns", "no-such-campaign")
	phones := numbers(10, func(_, digits int) bool { return digits < 35 || digits == 95 })
	done(t, h.env, "submit", campaignFile(t, "spring"), listFile(t, phones))
	untilDone(t, h.env, "spring")
	var types map[string]string
	var modes map[string][]string
	var labels map[string]string
	await(t, "everything has been counted once", func() bool {
		types, modes, labels = exposed(t, h.work, h.listen, console, schedule)
		return types["handout_last_send_timestamp_seconds"] != "" && types["handout_last_receipt_timestamp_seconds"] != ""
	})
	t.Run("docs", func(t *testing.T) { checkMetricsPage(t, types, modes, labels) })
	t.Run("alerts", func(t *testing.T) { checkAlerts(t, types) })
}

func checkMetricsPage(t *testing.T, types map[string]string, modes map[string][]string, labels map[string]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `(handout_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\| ([a-z, ]+) \\|").FindAllStringSubmatch(string(page), -1) {
		name := row[1]
		rows[name] = true
		if _, ok := types[name]; !ok && name != "handout_polls_total" { // no poll was due
			t.Errorf("the page has %s, which nothing exposes", name)
			continue
		} else if !ok {
			continue
		}
		if types[name] != row[2] {
			t.Errorf("%s is a %s, and the page says %s", name, types[name], row[2])
		}
		said := strings.Split(strings.ReplaceAll(strings.TrimSpace(row[3]), "`", ""), ", ")
		slices.Sort(said)
		if got, there := labels[name]; there && got != strings.Join(said, ", ") {
			t.Errorf("%s has the labels %q, and the page says %q", name, got, said)
		}
		if told := strings.Join(modes[name], ", "); told != row[4] {
			t.Errorf("%s is told by %s, and the page says %s", name, told, row[4])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if !rows[name] {
			t.Errorf("%s isn't on the page", name)
		}
	}
}

// checkAlerts holds the rules to metrics that there are. That Prometheus can read
// them, and what they fire at, is tested in deploy/alertstest.
func checkAlerts(t *testing.T, types map[string]string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &rules); err != nil {
		t.Fatal(err)
	}
	named := make(map[string]bool)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			names := regexp.MustCompile(`handout_[a-z_]+`).FindAllString(r.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s names no metric", r.Alert)
			}
			for _, name := range names {
				named[name] = true
			}
		}
	}
	export, err := os.ReadFile("../../cmd/orderhistory/metrics.go") // a program that ends, and leaves them in a file
	if err != nil {
		t.Fatal(err)
	}
	for name := range named {
		if types[name] == "" && !strings.Contains(string(export), `"`+name+`"`) {
			t.Errorf("the alerts name %s, which nothing exposes", name)
		}
	}
}

// paceOf is a campaign's pace by the JSON report.
func paceOf(t testing.TB, e env, id string) report.Pace {
	t.Helper()
	r := reportOf(t, e, id)
	if r.Pace == nil {
		t.Fatalf("the report of %s has no pace", id)
	}
	return *r.Pace
}

func TestPace_TheReportSaysHowFastItGoesAndWhatBinds(t *testing.T) {
	t.Parallel()
	const id, total = "twenty", 1100
	h := open(t, quick(redistest.Start(t).URL()).with("HANDOUT_RATE", "20"))
	done(t, h.env, "submit", campaignFile(t, id), listFile(t, numbers(total, plainly)))
	untilSent(t, h, 320) // 16 s: over the ten that are measured
	var p report.Pace
	await(t, "the rate is 20/s", func() bool {
		p = paceOf(t, h.env, id)
		return p.Rate >= 17 && p.Rate <= 21
	})
	if p.Limit != report.LimitAccount || p.LimitDetail != "the account's rate (20/s)" || p.AccountRate != 20 || p.CampaignRate != 0 {
		t.Errorf("%+v", p)
	}
	r := reportOf(t, h.env, id)
	left := float64(r.Balance["planned"]+r.Balance["claimed"]) / 20
	if eta := r.Pace.ETA; eta == nil || time.Until(*eta).Seconds() < 0.8*left-3 || time.Until(*eta).Seconds() > 1.3*left+3 {
		t.Errorf("until %v, for some %.0f s", eta, left)
	}
	line := regexp.MustCompile(`\n  now {6,}[0-9.]+ messages/s, bound by the account's rate \(20/s\); about [0-9]+ s left \(until [0-9]{2}:[0-9]{2} [A-Z0-9+-]+\)\n`)
	if out := done(t, h.env, "report", id); !line.MatchString(out) {
		t.Errorf("the report has no such line:\n%s", out)
	}
	page := h.work.metrics(t)
	if want := `handout_campaign_limit{campaign="twenty",limit="account"} 1`; !strings.Contains(page, want) {
		t.Errorf("the worker's metrics have no %s", want)
	}

	done(t, h.env, "pause", id, "--by", "ann")
	if p := paceOf(t, h.env, id); p.Limit != report.LimitPaused || p.LimitDetail != "paused by ann" || p.Rate != 0 || p.ETA != nil {
		t.Errorf("paused: %+v", p)
	}
	if out := done(t, h.env, "report", id); !strings.Contains(out, "nothing is sent: paused\n") {
		t.Errorf("paused:\n%s", out)
	}
	done(t, h.env, "resume", id)
	follow := launch(t, h.env, "report", id, "--follow")
	await(t, "progress has what binds", func() bool { return strings.Contains(follow.out.String(), "/s, by the account's rate (20/s), ") })
	done(t, h.env, "cancel", id)
	if p := paceOf(t, h.env, id); p.Limit != report.LimitCanceled && p.Limit != report.LimitNothing || p.ETA != nil {
		t.Errorf("canceled: %+v", p)
	}
	untilDone(t, h.env, id)
	if p := paceOf(t, h.env, id); p.Limit != report.LimitNothing || p.Rate != 0 || p.ETA != nil {
		t.Errorf("done: %+v", p)
	}
}

func TestPace_ACampaignsOwnRateAndAHold(t *testing.T) {
	t.Parallel()
	h := open(t, slow(redistest.Start(t).URL()))
	file := write(t, "own.yaml", campaignText("own")+"rate: 5\n")
	done(t, h.env, "submit", file, listFile(t, numbers(600, plainly)))
	await(t, "the first is sent", func() bool { return len(h.accepted(t)) > 0 })
	if p := paceOf(t, h.env, "own"); p.Limit != report.LimitCampaign || p.CampaignRate != 5 || p.AccountRate != 100 || p.ETA == nil {
		t.Errorf("%+v", p)
	}
	h.work.stop()
	wrong := serve(t, h.env.with("TELESIGN_API_KEY", "YW5vdGhlciBrZXksIHdoaWNoIGlzIHdyb25nIGhlcmU="), "work")
	await(t, "the campaign is held", func() bool { return reportOf(t, h.env, "own").State == "held" })
	if p := paceOf(t, h.env, "own"); p.Limit != report.LimitHeld || !strings.HasPrefix(p.LimitDetail, "Telesign") || p.ETA != nil {
		t.Errorf("held: %+v", p)
	}
	await(t, "the metrics say so", func() bool {
		page := wrong.metrics(t)
		return strings.Contains(page, "\nhandout_held 1\n") && strings.Contains(page, `handout_campaign_limit{campaign="own",limit="held"} 1`)
	})
}

func TestMetrics_SayWhereACampaignStands(t *testing.T) {
	t.Parallel()
	h := open(t, quick(redistest.Start(t).URL()))
	console := serve(t, h.env, "console")
	done(t, h.env, "submit", campaignFile(t, "spring"), listFile(t, numbers(40, plainly)))
	untilDone(t, h.env, "spring")
	for _, p := range []*process{h.work, console} {
		await(t, p.name+" says so", func() bool {
			page := p.metrics(t)
			return strings.Contains(page, `handout_recipients{campaign="spring",state="delivered"} 40`) &&
				strings.Contains(page, `handout_campaigns{state="done"} 1`) && strings.Contains(page, "\nhandout_ledger_up 1\n")
		})
	}
	delivered := 0.0
	for _, m := range regexp.MustCompile(`(?m)^handout_receipts_total\{result="recorded"\} (.*)$`).FindAllStringSubmatch(h.listen.metrics(t), -1) {
		delivered, _ = strconv.ParseFloat(m[1], 64)
	}
	if delivered < 40 {
		t.Errorf("%v receipts were recorded", delivered)
	}
}
