package producer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/producer"
)

// A case is a list as somebody really had it, and its right value.
type listCase struct {
	file, region string
	campaign     string // plain.yaml
	columns      map[string]string

	recipients int
	faults     []string // without the path
	phones     []string // as the first requests have them, without the mask
	with       func(t *testing.T, d *producer.DryRun)
}

func TestCases_ListsFromTheWorldHaveTheirRightValue(t *testing.T) {
	for _, c := range []listCase{
		{file: "labels-after-numbers.csv", faults: []string{
			"2:5: phone: letters after the number", "3:5: phone: letters after the number",
		}},
		{file: "floats-region-DE.csv", region: "DE", recipients: 2, faults: []string{"4:3: phone: empty"}, phones: []string{"78", "67"}},
		{file: "bidi-phone.csv", recipients: 1, phones: []string{"56"}},
		{file: "whatsapp-ids.csv", recipients: 2, phones: []string{"78", "32"}, with: func(t *testing.T, d *producer.DryRun) {
			if d.Summary.Duplicates != 1 { // two ways to write one number
				t.Errorf("%+v", d.Summary)
			}
		}},
		{file: "new-ranges.csv", recipients: 4, with: func(t *testing.T, d *producer.DryRun) {
			if d.Summary.UnknownRanges != 4 {
				t.Errorf("%+v", d.Summary)
			}
		}},
		{file: "new-ranges.csv", campaign: "plain.yaml+unknown_ranges: refuse", faults: []string{
			"2:4: phone: in no range known to us, and unknown_ranges says refuse",
			"3:4: phone: in no range known to us, and unknown_ranges says refuse",
			"4:4: phone: in no range known to us, and unknown_ranges says refuse",
			"5:4: phone: in no range known to us, and unknown_ranges says refuse",
		}},
	} {
		t.Run(c.file, func(t *testing.T) { c.check(t) })
	}
}

func (c *listCase) check(t *testing.T) {
	path := filepath.Join("testdata", "cases", c.file)
	d, err := producer.Check(t.Context(), parse(t, caseCampaign(t, c.campaign)), producer.ListFile(path), producer.CheckOptions{Region: c.region})
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	for _, f := range d.Summary.Faults {
		faults = append(faults, strings.TrimPrefix(f.String(), path+":"))
	}
	if diff := cmp.Diff(c.faults, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if d.Summary.Recipients != c.recipients {
		t.Errorf("%d recipients, want %d", d.Summary.Recipients, c.recipients)
	}
	if c.phones != nil {
		var phones []string
		for _, s := range d.Samples {
			var request struct{ Recipient struct{ Phone_number string } }
			if err := json.Unmarshal(s, &request); err != nil {
				t.Fatal(err)
			}
			phones = append(phones, strings.Trim(request.Recipient.Phone_number, "*"))
		}
		if diff := cmp.Diff(c.phones, phones); diff != "" {
			t.Errorf("last digits (-want +got):\n%s", diff)
		}
	}
	if c.with != nil {
		c.with(t, d)
	}
}

// caseCampaign is a campaign file of the cases, with lines after a + added.
func caseCampaign(t *testing.T, name string) string {
	t.Helper()
	name, more, _ := strings.Cut(name, "+")
	if name == "" {
		name = "plain.yaml"
	}
	text, err := os.ReadFile(filepath.Join("testdata", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + more + "\n"
}
