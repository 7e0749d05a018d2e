package charttest

import (
	"errors"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/bargauge"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// TestDashboard_IsWhatGrafanaReads decodes it into Grafana's own types, strictly, with the
// options of each kind of panel. deploy/alertstest holds its queries to the metrics.
func TestDashboard_IsWhatGrafanaReads(t *testing.T) {
	t.Parallel()
	kinds := cog.NewRuntime() // there is one
	kinds.RegisterPanelcfgVariant(timeseries.VariantConfig())
	kinds.RegisterPanelcfgVariant(stat.VariantConfig())
	kinds.RegisterPanelcfgVariant(bargauge.VariantConfig())
	kinds.RegisterDataqueryVariant(prometheus.VariantConfig())
	text, err := os.ReadFile("../grafana/handout.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard.Dashboard
	var faults cog.BuildErrors // it returns an empty list for none
	if err := d.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &faults) || len(faults) > 0) {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Error(err)
	}
	for _, p := range d.Panels {
		if p.Panel != nil && p.Panel.Type != "timeseries" && p.Panel.Type != "stat" && p.Panel.Type != "bargauge" {
			t.Errorf("the options of a %s aren't looked at", p.Panel.Type)
		}
	}
}
