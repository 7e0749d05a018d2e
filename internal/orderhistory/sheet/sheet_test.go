package sheet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/internal/orderhistory/sheet"
)

func write(t testing.TB, name string, lines ...sheet.Line) []byte {
	t.Helper()
	w, err := sheet.New("USD")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	for i := range lines {
		if err := w.Add(&lines[i]); err != nil {
			t.Fatal(err)
		}
	}
	b, err := w.Finish(name)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, content []byte) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// cell is a cell's type, raw value and shown value.
func cell(t *testing.T, f *excelize.File, at string) string {
	t.Helper()
	kind, err1 := f.GetCellType(sheet.Name, at)
	raw, err2 := f.GetCellValue(sheet.Name, at, excelize.Options{RawCellValue: true})
	shown, err3 := f.GetCellValue(sheet.Name, at)
	formula, err4 := f.GetCellFormula(sheet.Name, at)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			t.Fatal(err)
		}
	}
	names := map[excelize.CellType]string{
		excelize.CellTypeUnset: "number", excelize.CellTypeNumber: "number",
		excelize.CellTypeInlineString: "text", excelize.CellTypeSharedString: "text", excelize.CellTypeFormula: "formula",
	}
	return fmt.Sprintf("%s %s|%s|%s", names[kind], raw, shown, formula)
}

func history() []sheet.Line {
	berlin := time.FixedZone("CET", 3600)
	return []sheet.Line{
		{"A-1", time.Date(2026, 11, 2, 15, 30, 0, 0, berlin), "Trail shoes", 1, 12999},
		{"A-1", time.Date(2026, 11, 2, 15, 30, 0, 0, berlin), "=1+1", 3, 1050},
		{"A-2", time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), "@SUM(A1)", 1000, 100},
	}
}

func TestWriter_CellsHaveTypesAndTheTotalIsRight(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "+4915550100", history()...))
	for at, want := range map[string]string{
		"A1": "text Order|Order|", "B1": "text Date|Date|", "F1": "text Amount (USD)|Amount (USD)|",
		"A2": "text A-1|A-1|",
		"B2": "number 46328.645833333336|2026-11-02 15:30|",
		"D2": "number 1|1|", "E2": "number 129.99|129.99|", "F2": "number 129.99|129.99|",
		"C3": "text =1+1|=1+1|", "F3": "number 31.5|31.50|",
		"B4": "number 46346|2026-11-20 00:00|", "C4": "text @SUM(A1)|@SUM(A1)|", "F4": "number 1000|1,000.00|",
		"A5": "text Total|Total|", "F5": "number 1161.49|1,161.49|",
		"A7": "text Customer|Customer|", "B7": "text +4915550100|+4915550100|",
	} {
		if got := cell(t, f, at); got != want {
			t.Errorf("%s is %q, want %q", at, got, want)
		}
	}
	rows, err := f.GetRows(sheet.Name)
	if err != nil || len(rows) != 7 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestWriter_HeaderIsFrozenAndColumnsAreWide(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "", history()...))
	panes, err := f.GetPanes(sheet.Name)
	if err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("%+v, %v", panes, err)
	}
	width, err := f.GetColWidth(sheet.Name, "C")
	if err != nil || width != 40 {
		t.Errorf("column C is %v wide, %v", width, err)
	}
}

func TestWriter_OnPaperItIsOnePageWideWithTheHeaderOnEach(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "", history()...))
	props, err := f.GetSheetProps(sheet.Name)
	if err != nil || props.FitToPage == nil || !*props.FitToPage {
		t.Errorf("%+v, %v", props, err)
	}
	page, err := f.GetPageLayout(sheet.Name)
	if err != nil || page.FitToWidth == nil || *page.FitToWidth != 1 || page.FitToHeight == nil || *page.FitToHeight != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	names := f.GetDefinedName()
	if len(names) != 1 || names[0].Name != "_xlnm.Print_Titles" || names[0].RefersTo != "Orders!$1:$1" || names[0].Scope != sheet.Name {
		t.Errorf("%+v", names)
	}
}

func TestWriter_ALongTextHasAHighRow(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "", sheet.Line{Order: "1", Item: strings.Repeat("long ", 15)}, sheet.Line{Order: "2", Item: "short"}, sheet.Line{Order: strings.Repeat("3", 9000)}))
	for row, want := range map[int]float64{2: 45, 3: 15, 4: 405} {
		if got, err := f.GetRowHeight(sheet.Name, row); err != nil || got != want {
			t.Errorf("row %d is %v high, want %v, %v", row, got, want, err)
		}
	}
}

func TestWriter_NoNameIsAFormula(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1", "=HYPERLINK(\"http://x\")"} {
		f := read(t, write(t, name, sheet.Line{Order: name, Item: name, At: time.Unix(0, 0).UTC(), Quantity: 1}))
		for _, at := range []string{"A2", "C2", "B5"} {
			if got, want := cell(t, f, at), "text "+name+"|"+name+"|"; got != want {
				t.Errorf("%s is %q, want %q", at, got, want)
			}
		}
	}
}

func TestWriter_TextThatNoSheetHoldsIsMadeFit(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "a\x00b\xffc"+strings.Repeat("é", 40_000)))
	got, err := f.GetCellValue(sheet.Name, "B4")
	if err != nil || !strings.HasPrefix(got, "ab\ufffdcéé") || len([]rune(got)) != 32767 {
		t.Errorf("%.20q of %d, %v", got, len([]rune(got)), err)
	}
}

func TestWriter_SameHistorySameBytes(t *testing.T) {
	t.Parallel()
	a, b := write(t, "Ada", history()...), write(t, "Ada", history()...)
	if !bytes.Equal(a, b) {
		t.Error("two files of one history differ")
	}
	if bytes.Equal(a, write(t, "Bob", history()...)) {
		t.Error("two histories have the same file")
	}
}

func TestWriter_CountsOrders(t *testing.T) {
	t.Parallel()
	w, err := sheet.New("")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, l := range history() {
		if err := w.Add(&l); err != nil {
			t.Fatal(err)
		}
	}
	if w.Orders() != 2 {
		t.Errorf("%d orders", w.Orders())
	}
}

// BenchmarkWriter is one file of 40 lines.
func BenchmarkWriter(b *testing.B) {
	var lines []sheet.Line
	for i := range 40 {
		lines = append(lines, sheet.Line{fmt.Sprint(i / 2), time.Unix(int64(i)*86400, 0).UTC(), "Trail shoes, blue", 2, 12999})
	}
	for b.Loop() {
		write(b, "Ada Lovelace", lines...)
	}
}
