package schedule

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"
)

func TestLoad_ReadsTheExample(t *testing.T) {
	t.Parallel()
	all, err := Load("../../docs/example/schedules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := all[0]
	if s.Name != "order-history" || s.Clock.Zone().String() != "Europe/Paris" || s.Overlap != overlapWait || s.CatchUp != span(2*time.Hour) || s.MaxDrift != 0.5 {
		t.Errorf("%+v", s)
	}
	for _, s := range all {
		if len(s.Export) > 0 || s.suppresses() {
			continue
		}
		if file, err := s.campaign(monday); err != nil || file.Spec.ID != s.ID(monday) {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

func TestLoad_SaysEveryFaultWithItsLine(t *testing.T) {
	t.Parallel()
	m := newRoom(t)
	m.write("fixed.yaml", strings.Replace(template, "[[id]]", "fixed", 1))
	m.write("typo.yaml", strings.Replace(template, "[[day]]", "[[date]]", 1))
	const head = "schedules:\n  - name: nightly\n    cron: 0 2 * * *\n    campaign: campaign.yaml\n"
	for text, want := range map[string]string{
		"":             "no schedules",
		"schedule: []": "field schedule not found",
		head:           "exactly one of list, command and export",
		head + "    list: a.csv\n    export: [x]":    "exactly one of list, command and export",
		head + "    list: a.csv\n    overlp: wait":   "line 6: unknown key overlp",
		head + "    list: a.csv\n    overlap: no":    "overlap: must be wait, skip or beside",
		head + "    list: a.csv\n    catch_up: soon": "line 6: must be a duration",
		head + "    list: a.csv\n    timeout: 25h":   "timeout: must be 1s to 24h",
		head + "    list: a.csv\n    max_drift: -1":  "max_drift: must be 0 to 1000",
		head + "    list: a.csv\n    format: xls":    "format: must be csv, ndjson or xlsx",
		head + "    list: ftp://x/a.csv":             "list: must be a file, s3://bucket/key or an https URL",
		head + "    list: a-[[date]].csv":            "[[date]] isn't known",
		head + "    list: a.csv\n    zone: Paris":    "zone \"Paris\" isn't known",
		head + "    list: a.csv\n  - name: nightly\n    cron: 0 3 * * *\n    campaign: campaign.yaml\n    list: a.csv":                   "schedules.yaml:6: schedule nightly: name: another schedule has it",
		strings.Replace(head, "nightly", "Nightly", 1) + "    list: a.csv":                                                               "name: 1 to 31 characters",
		strings.Replace(head, "campaign.yaml", "fixed.yaml", 1) + "    list: a.csv":                                                      `fixed.yaml: id: must be "[[id]]"`,
		strings.Replace(head, "campaign.yaml", "typo.yaml", 1) + "    list: a.csv":                                                       "[[date]] isn't known",
		strings.Replace(head, "campaign.yaml", "none.yaml", 1) + "    list: a.csv":                                                       "none.yaml: no such file",
		head + "    list: a.csv\n    suppress: deactivated":                                                                              "no campaign is opened",
		head + "    list: a.csv\n    column: Number":                                                                                     "column: is for suppress alone",
		strings.Replace(head, "    campaign: campaign.yaml\n", "", 1) + "    list: a.csv\n    suppress: no":                              "suppress: must be deactivated",
		strings.Replace(head, "    campaign: campaign.yaml\n", "", 1) + "    list: a.csv\n    suppress: deactivated\n    format: ndjson": "must be CSV",
		head + "    export: [x]": "export: it opens the campaign itself",
	} {
		_, err := Load(m.write("schedules.yaml", text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n%v\nwant %s", text, err, want)
		}
	}
	if _, err := Load(m.folder + "/nobody.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
