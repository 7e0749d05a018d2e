package listfile_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/internal/listfile"
)

// saved is a workbook as its library writes it.
func saved(t *testing.T, f *excelize.File) *bytes.Reader {
	t.Helper()
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

// written is a workbook of these parts, as other programs write them.
func written(t *testing.T, sheet string, more map[string]string) *bytes.Reader {
	t.Helper()
	parts := map[string]string{
		"_rels/.rels":                `<Relationships><Relationship Id="r1" Type="x/officeDocument" Target="/xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml":            `<x:workbook xmlns:x="y"><x:sheets><x:sheet name="S" r:id="r1"/></x:sheets></x:workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/a.xml"/><Relationship Id="r2" Type="x/sharedStrings" Target="strings.xml"/></Relationships>`,
		"xl/strings.xml":             `<sst/>`,
		"xl/worksheets/a.xml":        sheet,
	}
	for name, text := range more {
		parts[name] = text
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range parts {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

func read(t *testing.T, r *bytes.Reader, name string) (s *listfile.Sheet, shown, phones [][]string) {
	t.Helper()
	s, err := listfile.OpenSheet(r, r.Size(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var row listfile.Row
	for {
		err := s.Next(&row)
		if errors.Is(err, io.EOF) {
			return s, shown, phones
		}
		if err != nil {
			t.Fatal(err)
		}
		var texts, numbers []string
		for _, c := range row.Cells {
			text := c.Text
			if c.Broken {
				text = "broken " + text
			}
			texts, numbers = append(texts, text), append(numbers, c.Phone())
		}
		shown, phones = append(shown, texts), append(phones, numbers)
	}
}

func TestSheet_CellsAreAsExcelShowsThem(t *testing.T) {
	t.Parallel()
	f := excelize.NewFile()
	for _, c := range []struct {
		value       any
		format      string // empty: General
		want, phone string
	}{
		{"Müller & Söhne <1>", "", "Müller & Söhne <1>", "Müller & Söhne <1>"},
		{491712345678, "", "491712345678", "491712345678"},
		{491712345678, "0.00E+00", "491712345678", "491712345678"},
		{491712345678, "#,##0", "491,712,345,678", "491712345678"},
		{491712345678, "0.00", "491712345678.00", "491712345678"},
		{1712345678, "00000000000", "01712345678", "01712345678"},
		{1712345678, `"+49 "0`, "+49 1712345678", "+491712345678"},
		{2015550123, "(000) 000-0000", "(201) 555-0123", "2015550123"},
		{491712345678, `\+0`, "+491712345678", "+491712345678"},
		{4711, "", "4711", "4711"},
		{42, "00000", "00042", "00042"},
		{0.1 + 0.2, "", "0.3", "0.3"},
		{1234.5, `#,##0.00 "€"`, "1,234.50 €", "1234.5"},
		{-1234.5, `#,##0.00;(#,##0.00)`, "(1,234.50)", "-1234.5"},
		{0.25, "0%", "25%", "0.25"},
		{1.5, "0.0##", "1.5", "1.5"},
		{7, "[$€-407] 0.00", "€ 7.00", "7"},
		{true, "", "TRUE", "TRUE"},
		{time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), "dd.mm.yyyy", "2026-11-25", "2026-11-25"},
		{time.Date(2026, 11, 25, 14, 30, 0, 0, time.UTC), "d/m/yy h:mm", "2026-11-25T14:30:00", "2026-11-25T14:30:00"},
		{0.5, "h:mm AM/PM", "12:00:00", "12:00:00"},
	} {
		style := 0
		if c.format != "" {
			var err error
			if style, err = f.NewStyle(&excelize.Style{CustomNumFmt: &c.format}); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(f.SetCellValue("Sheet1", "A1", c.value), f.SetCellStyle("Sheet1", "A1", "A1", style)); err != nil {
			t.Fatal(err)
		}
		_, shown, phones := read(t, saved(t, f), "")
		if shown[0][0] != c.want || phones[0][0] != c.phone {
			t.Errorf("%v by %q: %q, to call %q; want %q, %q", c.value, c.format, shown[0][0], phones[0][0], c.want, c.phone)
		}
	}
}

func TestSheet_IsTheFirstShownOrTheOneNamed(t *testing.T) {
	t.Parallel()
	f := excelize.NewFile()
	for _, name := range []string{"People", "Other"} {
		if _, err := f.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		if err := f.SetCellValue(name, "A1", "in "+name); err != nil {
			t.Fatal(err)
		}
	}
	f.SetActiveSheet(1)
	if err := errors.Join(f.SetSheetVisible("Sheet1", false), f.SetRowVisible("Other", 1, false)); err != nil {
		t.Fatal(err)
	}
	r := saved(t, f)
	if s, shown, _ := read(t, r, ""); s.Name != "People" || shown[0][0] != "in People" || s.Hidden != 0 {
		t.Errorf("%s: %q, %d hidden", s.Name, shown, s.Hidden)
	}
	if s, shown, _ := read(t, r, "Other"); s.Name != "Other" || shown[0][0] != "in Other" || s.Hidden != 1 {
		t.Errorf("%s: %q, %d hidden", s.Name, shown, s.Hidden)
	}
	_, err := listfile.OpenSheet(r, r.Size(), "None")
	if err == nil || !strings.Contains(err.Error(), `no sheet named "None", only Sheet1, People, Other`) {
		t.Errorf("error: %v", err)
	}
}

func TestSheet_ReadsWhatOtherProgramsWrite(t *testing.T) {
	t.Parallel()
	const sheet = `<?xml version="1.0"?><!-- > --><x:worksheet><x:sheetData><x:row>` +
		`<x:c t="inlineStr"><x:is><x:r><x:t>in</x:t></x:r><x:r><x:t xml:space="preserve"> line</x:t></x:r><x:rPh><x:t>spoken</x:t></x:rPh></x:is></x:c>` +
		`<x:c t='s'><x:v>1</x:v></x:c><x:c t="s"><x:v>7</x:v></x:c><x:c t="str"><x:f>A1</x:f><x:v>&lt;a&#x20AC;&#233;_x000D_</x:v></x:c>` +
		`<x:c><x:f>A1</x:f></x:c><x:c t="e"><x:v>#N/A</x:v></x:c><x:c t="b"><x:v>0</x:v></x:c></x:row>` +
		`<x:row r="9"><x:c r="C9" a="1>2"><x:v><![CDATA[41791234567]]></x:v></x:c><x:c r="E9"/></x:row><x:row r="10"/></x:sheetData></x:worksheet>`
	r := written(t, sheet, map[string]string{"xl/strings.xml": `<sst><si><t>zero</t></si><si><r><t>o</t></r><r><t>ne &amp; all</t></r></si></sst>`})
	_, shown, _ := read(t, r, "S")
	want := [][]string{{"in line", "one & all", "broken ", "<a€é\r", "broken ", "broken #N/A", "FALSE"}, {"", "", "41791234567", "", ""}}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSheet_HasManySharedTexts(t *testing.T) {
	t.Parallel()
	const n = 20_000
	var texts, sheet strings.Builder
	text := func(i int) string { return fmt.Sprintf("%d%s", i, strings.Repeat("x", i%97)) }
	texts.WriteString("<sst>")
	sheet.WriteString("<worksheet><sheetData>")
	for i := range n {
		fmt.Fprintf(&texts, "<si><t>%s</t></si>", text(i))
		fmt.Fprintf(&sheet, `<row><c t="s"><v>%d</v></c><c t="s"><v>%d</v></c></row>`, i, (i*7919)%n)
	}
	texts.WriteString("</sst>")
	sheet.WriteString("</sheetData></worksheet>")
	_, shown, _ := read(t, written(t, sheet.String(), map[string]string{"xl/strings.xml": texts.String()}), "")
	if len(shown) != n {
		t.Fatalf("%d rows", len(shown))
	}
	for i, row := range shown {
		if row[0] != text(i) || row[1] != text((i*7919)%n) {
			t.Fatalf("row %d: %q", i, row)
		}
	}
}

func TestOpenSheet_RefusesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	const good = `<worksheet><sheetData><row><c><v>1</v></c></row></sheetData></worksheet>`
	for name, c := range map[string]*bytes.Reader{
		"no zip":              bytes.NewReader([]byte("PK\x03\x04")),
		"no workbook":         written(t, good, map[string]string{"_rels/.rels": "<a/>"}),
		"no rows":             written(t, "<worksheet/>", nil),
		"an end too early":    written(t, good[:40], nil),
		"a DTD":               written(t, "<!DOCTYPE a [<!ENTITY b 'c'>]>"+good, nil),
		"an endless tag":      written(t, "<worksheet><sheetData><row a='"+strings.Repeat("b", 1<<20), nil),
		"cells from the left": written(t, `<worksheet><sheetData><row><c r="B1"/><c r="A1"/></row></sheetData></worksheet>`, nil),
		"a bomb":              written(t, "<worksheet><sheetData><row><c><v>"+strings.Repeat(" ", 100<<20)+"</v></c></row></sheetData></worksheet>", nil),
	} {
		s, err := listfile.OpenSheet(c, c.Size(), "")
		if err == nil {
			err = s.Next(&listfile.Row{})
			s.Close()
		}
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSheet(f *testing.F) {
	for _, s := range []string{
		`<row r="2" hidden="1"><c r="A2" s="1" t="s"><v>0</v></c></row>`, `<row><c t="inlineStr"><is><t>a</t></is></c></row>`,
		`<row><c><v>1.5E+10</v></c><c t="e"><v>#N/A</v></c></row>`, `<!-- -- ><![CDATA[]]]]><row`, `<row><c r="XFE1"/></row>`, `<a b='>'/>&#xD800;_x0000_`,
	} {
		f.Add(s, `[$€-407]#,##0.00;"x"0_);@`)
	}
	f.Fuzz(func(t *testing.T, rows, format string) {
		styles := fmt.Sprintf(`<styleSheet><numFmts><numFmt numFmtId="164" formatCode="%s"/></numFmts><cellXfs><xf/><xf numFmtId="164"/></cellXfs></styleSheet>`, format)
		r := written(t, "<worksheet><sheetData>"+rows+"</sheetData></worksheet>", map[string]string{
			"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="r1" Type="x/worksheet" Target="worksheets/a.xml"/><Relationship Id="r3" Type="x/styles" Target="styles.xml"/></Relationships>`,
			"xl/styles.xml":              styles,
		})
		s, err := listfile.OpenSheet(r, r.Size(), "")
		if err != nil {
			return
		}
		defer s.Close()
		var row listfile.Row
		for err == nil {
			err = s.Next(&row)
		}
	})
}
