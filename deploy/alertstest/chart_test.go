package alertstest

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestChart_HasTheSameFilesAsDeploy holds the chart's copies to their originals: a packed
// chart can't read files beside it, and some that install one from Git don't follow links.
// The chart's own tests are apart, and rarer than changes of these.
func TestChart_HasTheSameFilesAsDeploy(t *testing.T) {
	t.Parallel()
	for name, original := range map[string]string{
		"alerts.yml": "../alerts.yml", "redis.conf": "../redis.conf", "redis.acl": "../redis.acl",
		"redis-start.sh": "../redis-start.sh", "handout.json": "../grafana/handout.json",
	} {
		want, err := os.ReadFile(original)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join("../helm/handout/files", name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("the chart's %s isn't that of deploy: run make chart-files (%v)", name, err)
		}
	}
}

// TestChart_InstallsTheLatestRelease: the tag of the image is the chart's appVersion.
func TestChart_InstallsTheLatestRelease(t *testing.T) {
	t.Parallel()
	changes, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	latest := regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+)`).FindStringSubmatch(string(changes))
	chart, err := os.ReadFile("../helm/handout/Chart.yaml")
	if err != nil || latest == nil || !strings.Contains(string(chart), "\nappVersion: \""+latest[1]+"\"\n") {
		t.Errorf("the latest release is %q, and Chart.yaml has another appVersion (%v)", latest, err)
	}
}
