package producer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/producer"
)

// A case is a list from the world, and its right value.
type listCase struct {
	file, region string
	campaign     string // plain.yaml
	columns      map[string]string

	recipients int
	faults     []string // without the path
	read       []string // how it was read, in words; nil: not looked at
	sample     string   // in the first request
	phones     []string // as the first requests have them, without the mask
	with       func(t *testing.T, d *producer.DryRun)
}

const (
	bodyText1       = "channel whatsapp, parameter body_text_1: "
	bodyText2       = "channel whatsapp, parameter body_text_2: "
	whatsAppRefuses = ", which WhatsApp refuses in a template's text unless whatsapp_whitespace says collapse"
)

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
		{file: "blank-rows.csv", recipients: 1, read: []string{"read as CSV with commas, in UTF-8", "2 blank rows passed over"}},
		{file: "semicolons.csv", recipients: 1, read: []string{"read as CSV with semicolons, in UTF-8"}},
		{file: "excel-sep-line.csv", recipients: 1},
		{file: "cr-only.csv", recipients: 2, read: []string{"read as CSV with commas, in UTF-8, with lines that end in carriage returns"}},
		{file: "two-boms.csv", recipients: 1},
		{file: "utf16le-without-bom.csv", recipients: 1, read: []string{"read as CSV with commas, in UTF-16LE"}},
		{
			file: "other-names-windows-1252.csv", recipients: 1, columns: map[string]string{"recipient": "Kundennummer", "phone": "Mobil", "url": "Link"},
			read: []string{
				"read as CSV with semicolons, in Windows-1252, since it isn't UTF-8: look at the samples",
				`column "Mobil" is read as phone`, `column "Kundennummer" is read as recipient`, `column "Link" is read as url`,
			},
		},
		{
			file: "other-names-windows-1252.csv", recipients: 1,
			campaign: "plain.yaml+columns: {recipient: kundennummer, phone: MOBIL, url: Link}",
			with: func(t *testing.T, d *producer.DryRun) {
				if diff := cmp.Diff([]string{"Name"}, d.ColumnsUnused); diff != "" {
					t.Errorf("unused columns (-want +got):\n%s", diff)
				}
			},
		},
		{file: "zero-width-url.csv", faults: []string{
			"2:1: channel whatsapp, parameter url: a link can't have a zero-width space (U+200B) in it",
			"2:1: channel sms, parameter text: a link can't have a zero-width space (U+200B) in it",
		}},
		{file: "whatsapp-parameters.csv", campaign: "whatsapp-parameters.yaml", faults: []string{
			"2:1: " + bodyText1 + "a line break" + whatsAppRefuses, "2:1: " + bodyText2 + "a line break" + whatsAppRefuses,
			"4:1: " + bodyText1 + "empty, which WhatsApp refuses in a template's text", "4:1: " + bodyText2 + "a line break" + whatsAppRefuses,
			"5:1: " + bodyText1 + "more than four spaces in a row" + whatsAppRefuses, "5:1: " + bodyText2 + "a line break" + whatsAppRefuses,
			"6:1: " + bodyText1 + "a tab" + whatsAppRefuses, "6:1: " + bodyText2 + "a line break" + whatsAppRefuses,
		}},
		{
			file: "whatsapp-parameters.csv", campaign: "whatsapp-parameters.yaml+whatsapp_whitespace: collapse", recipients: 3, sample: `"Ann Marie"`,
			faults: []string{"4:1: " + bodyText1 + "empty, which WhatsApp refuses in a template's text"},
		},
		{file: "header-case.csv", recipients: 1, read: []string{
			"read as CSV with commas, in UTF-8", `column "Phone" is read as phone`, `column "Recipient" is read as recipient`, `column "URL" is read as url`,
		}},
		{file: "decomposed-header.csv", recipients: 1, campaign: "names.yaml+{{.prénom}}", sample: "Zoé"},
		{file: "column-names.csv", recipients: 1, campaign: "names.yaml+{{.first_name}} {{.Last_Name}} {{index . `1st`}} {{.prénom}}", sample: "Ann Lee x y"},
		{file: "column-names.csv", recipients: 1, campaign: "names.yaml+{{index . `first-name`}} {{index . `Last Name`}}", sample: "Ann Lee"},
	} {
		t.Run(c.file, func(t *testing.T) { c.check(t) })
	}
}

func (c *listCase) check(t *testing.T) {
	path := filepath.Join("testdata", "cases", c.file)
	d, err := producer.Check(t.Context(), parse(t, caseCampaign(t, c.campaign)), producer.ListFile(path).With(producer.ListOptions{Columns: c.columns}), producer.CheckOptions{Region: c.region})
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
	if diff := cmp.Diff(c.read, d.Summary.Read.Lines()); c.read != nil && diff != "" {
		t.Errorf("how it was read (-want +got):\n%s", diff)
	}
	if len(d.Samples) > 0 && !strings.Contains(string(d.Samples[0]), c.sample) {
		t.Errorf("sample: %s", d.Samples[0])
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
	switch name {
	case "":
		name = "plain.yaml"
	case "names.yaml":
		return "id: bug-test\nmessage_type: MKT\nchannels:\n  - {channel: sms, template: text, parameters: {text: '" + more + "'}}\n"
	}
	text, err := os.ReadFile(filepath.Join("testdata", "cases", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + more + "\n"
}

func TestCases_AFileWithoutLineEndsIsSaidToBeOne(t *testing.T) {
	path := filepath.Join("testdata", "cases", "joined.csv")
	_, err := producer.Check(t.Context(), parse(t, caseCampaign(t, "")), producer.ListFile(path), producer.CheckOptions{})
	var faults *producer.Faults
	if !errors.As(err, &faults) || err.Error() != path+":1:1: header: the list is one line: this looks like a file without line ends" {
		t.Errorf("error: %v", err)
	}
}

func TestLists_AreReadCompressed(t *testing.T) {
	const text = header + "a,+12015550101,https://a.b/1\nb,+12015550102,https://a.b/2\n"
	var gz bytes.Buffer
	g := gzip.NewWriter(&gz)
	if _, err := g.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"list.csv.gz": gz.Bytes(), "list.csv.zst": z.EncodeAll([]byte(text), nil)} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, l := range []producer.List{
			producer.ListFile(path), producer.ListReader("", producer.CSV, bytes.NewReader(content)), producer.ListReader("", producer.ByContent, bytes.NewReader(content)),
		} {
			d, faults := checked(t, l, producer.CheckOptions{})
			if len(faults) > 0 || d.Summary.Recipients != 2 || d.Summary.Read.Compression == "" {
				t.Errorf("%s: %v %+v", name, faults, d)
			}
		}
	}
	_, err = producer.Check(t.Context(), parse(t, fileThenText), producer.ListReader("", producer.CSV, bytes.NewReader(gz.Bytes()[:gz.Len()-9])), producer.CheckOptions{})
	var read *producer.ReadError
	if !errors.As(err, &read) {
		t.Errorf("half a file: %v", err)
	}
}

func TestLists_AreKnownByTheirContent(t *testing.T) {
	const object = ` {"recipient":"a","phone":"+12015550101","URL":"https://a.b/1"}`
	d, faults := checked(t, producer.ListReader("", producer.ByContent, strings.NewReader(object)), producer.CheckOptions{})
	if len(faults) > 0 || d.Summary.Recipients != 1 || d.Summary.Read.Format != producer.NDJSON {
		t.Errorf("%v %+v", faults, d)
	}
}

func TestWorkbooks_AreLists(t *testing.T) {
	f := excelize.NewFile()
	digits := "0"
	whole, err := f.NewStyle(&excelize.Style{CustomNumFmt: &digits})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range [][]any{
		{}, {"Recipient", "Phone", "URL", "", "note"},
		{4711, 12015550101.0, "https://a.b/1", "", "x"},
		{"b", "+1 201 555 0102", "https://a.b/2"},
		{},
		{"c", 12015550103, "https://a.b/3", "", "="},
		{"d", "+1 201 555 0104 Dan", "https://a.b/4"},
		{"e", "+12015550105", nil},
		{"f", "+12015550106", "https://a.b/6", "under no name"},
	} {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.SetCellStyle("Sheet1", "B3", "B3", whole), f.SetCellFormula("Sheet1", "C8", "1/0"), f.SetRowVisible("Sheet1", 4, false)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "list.xlsx")
	if err := f.SaveAs(path); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []producer.List{producer.ListFile(path), producer.ListReader(path, producer.CSV, bytes.NewReader(content))} {
		d, faults := checked(t, l, producer.CheckOptions{Region: "US"})
		for i := range faults {
			faults[i] = strings.TrimPrefix(faults[i], path+":")
		}
		want := []string{
			"7:1: phone: letters after the number",
			"8:1: url: has no value: an error in the workbook, or a formula that wasn't computed",
			"9:1: a cell in column 4, which has no name",
		}
		if diff := cmp.Diff(want, faults); diff != "" {
			t.Fatalf("faults (-want +got):\n%s", diff)
		}
		read := []string{
			`read as an Excel workbook, sheet "Sheet1"`, `column "Phone" is read as phone`, `column "Recipient" is read as recipient`, `column "URL" is read as url`,
			"1 row that the workbook hides, read like the others",
		}
		if diff := cmp.Diff(read, d.Summary.Read.Lines()); diff != "" {
			t.Errorf("how it was read (-want +got):\n%s", diff)
		}
		if s := d.Summary; s.Rows != 6 || s.Recipients != 3 {
			t.Errorf("%+v", s)
		}
	}
	_, faults := checked(t, producer.ListFile(path).With(producer.ListOptions{Sheet: "People"}), producer.CheckOptions{})
	if len(faults) != 1 || !strings.Contains(faults[0], `no sheet named "People", only Sheet1`) {
		t.Errorf("a sheet that isn't there: %q", faults)
	}
}

func TestErrors_QuoteNothingOfAListThatNoTemplateUses(t *testing.T) {
	const secret = "4917123secret"
	long := strings.Repeat("x", producer.MaxCell+1)
	for _, text := range []string{
		secret + ",+12015550101\n", header + secret + "," + secret + ",https://a.b/c\n", "recipient,phone," + secret + "\na,b,c\n",
		"recipient,phone,url," + secret + "\na,+12015550101,https://a.b/c," + long + "\n", "recipient,phone," + secret + "," + secret + "\n",
		header + "a,+12015550101," + secret + "\n", header + "\"" + secret, header + secret + "\n", "recipient,phone,url,,\na,+12015550101,https://a.b/c," + secret + "\n",
		"recipient;phone;url;" + secret + "\na;+12015550101\n", `{"recipient":"a","` + secret + `":1}`, "PK\x03\x04" + secret, "\x1f\x8b\x08" + secret,
	} {
		d, err := producer.Check(t.Context(), parse(t, fileThenText), producer.ListReader("", producer.ByContent, strings.NewReader(text)), producer.CheckOptions{})
		said := fmt.Sprint(err)
		if d != nil {
			said += fmt.Sprint(d.Summary.Faults)
			if d.Summary.BadRows == 0 {
				t.Errorf("%q is taken", text)
			}
		}
		if strings.Contains(said, "secret") {
			t.Errorf("%q: %s", text, said)
		}
	}
}
