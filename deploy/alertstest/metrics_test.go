package alertstest

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

// metrics are the labels of all metrics, by docs/metrics.md: test/process holds that page
// to what the programs serve.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{
		"up": nil, // Prometheus's own
		// In the file that orderhistory leaves; test/process looks for them in its source.
		"handout_export_refused_total": {"reason"}, "handout_export_last_success_timestamp_seconds": nil,
	}
	label := regexp.MustCompile("`([a-z]+)`")
	for _, row := range regexp.MustCompile("(?m)^\\| `(handout_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*)\\|").FindAllStringSubmatch(string(page), -1) {
		var labels []string
		for _, l := range label.FindAllStringSubmatch(row[3], -1) {
			labels = append(labels, l[1])
		}
		name := row[1]
		if row[2] == "histogram" {
			name, labels = name+"_bucket", append(labels, "le")
		}
		all[name] = labels
	}
	if len(all) < 40 {
		t.Fatalf("%d metrics are on the page", len(all))
	}
	return all
}

// checkQuery holds that a query names metrics that there are, with labels that they have,
// and returns the labels that it knows.
func checkQuery(t *testing.T, where, query string, known map[string][]string) []string {
	t.Helper()
	expr, err := parse.ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	labels := []string{"job", "instance"} // Prometheus's own
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		own, ok := known[s.Name]
		if !ok {
			t.Errorf("%s names the metric %s, which nothing serves", where, s.Name)
		}
		for _, m := range s.LabelMatchers {
			if !slices.Contains(append([]string{"__name__", "job", "instance"}, own...), m.Name) {
				t.Errorf("%s: %s has no label %s, but %q", where, s.Name, m.Name, own)
			}
		}
		labels = append(labels, own...)
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				if !slices.Contains(labels, l) {
					t.Errorf("%s groups by %s, which its metrics haven't: %q", where, l, labels)
				}
			}
		}
		return nil
	})
	return labels
}

func TestAlerts_NameMetricsAndLabelsThatThereAre(t *testing.T) {
	t.Parallel()
	known := metrics(t)
	for name, rule := range rules(t) {
		labels := checkQuery(t, name, rule.Expr, known)
		for _, text := range rule.Annotations {
			for _, l := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: an annotation names the label %s", name, l[1])
				}
			}
		}
	}
}

// page is where the alerts are explained.
const page = "docs/operating.md"

func TestAlerts_EachHasItsPlaceInTheRunbook(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	headings := make(map[string]bool)
	for _, h := range regexp.MustCompile(`(?m)^### (Handout\w+)$`).FindAllStringSubmatch(string(text), -1) {
		headings[h[1]] = true
	}
	all := rules(t)
	for name, rule := range all {
		if !headings[name] {
			t.Errorf("%s has no heading ### %s", page, name)
		}
		if want := "https://github.com/handout-dev/handout/blob/main/" + page + "#" + strings.ToLower(name); rule.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q, want %s", name, rule.Annotations["runbook_url"], want)
		}
	}
	for _, h := range slices.Sorted(maps.Keys(headings)) {
		if _, ok := all[h]; !ok {
			t.Errorf("%s explains %s, which is no alert", page, h)
		}
	}
}

// TestDashboard_NamesMetricsAndLabelsThatThereAre holds deploy/grafana/handout.json to what
// is served; no Grafana reads it here.
func TestDashboard_NamesMetricsAndLabelsThatThereAre(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../grafana/handout.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID        string `json:"uid"`
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos struct{ H, W, X, Y int }
			Targets []struct {
				Expr         string
				LegendFormat string
			}
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	known := metrics(t)
	variables := make(map[string]bool)
	for _, v := range board.Templating.List {
		variables[v.Name] = true
		if of := regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`).FindStringSubmatch(v.Definition); v.Definition != "" && (of == nil || !slices.Contains(known[of[1]], of[2])) {
			t.Errorf("the variable %s is %s", v.Name, v.Definition)
		}
	}
	ids := make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the ID %d", p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s stands over the edge", p.Title)
		}
		if (len(p.Targets) == 0) != (p.Type == "row") {
			t.Errorf("%s has %d queries", p.Title, len(p.Targets))
		}
		for _, q := range p.Targets {
			for _, v := range regexp.MustCompile(`"\$(\w+)"`).FindAllStringSubmatch(q.Expr, -1) {
				if !variables[v[1]] {
					t.Errorf("%s: there is no variable %s", p.Title, v[1])
				}
			}
			labels := checkQuery(t, p.Title, strings.ReplaceAll(q.Expr, "$__rate_interval", "5m"), known)
			for _, l := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: a legend names the label %s", p.Title, l[1])
				}
			}
		}
	}
}
