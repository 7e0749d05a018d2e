package sheet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/internal/orderhistory/decimal"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
)

func write(t testing.TB, name string, lines ...sheet.Line) []byte {
	t.Helper()
	w, err := sheet.New(sheet.English(), len(lines) > 0 && lines[0].Currency != "")
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
	kind, err1 := f.GetCellType("Orders", at)
	raw, err2 := f.GetCellValue("Orders", at, excelize.Options{RawCellValue: true})
	shown, err3 := f.GetCellValue("Orders", at)
	formula, err4 := f.GetCellFormula("Orders", at)
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

// d is a decimal number.
func d(text string) decimal.Decimal {
	number, err := decimal.Parse(text)
	if err != nil {
		panic(err)
	}
	return number
}

func history() []sheet.Line {
	berlin := time.FixedZone("CET", 3600)
	return []sheet.Line{
		{"A-1", time.Date(2026, 11, 2, 15, 30, 0, 0, berlin), "Trail shoes", d("1"), d("129.99"), "USD"},
		{"A-1", time.Date(2026, 11, 2, 15, 30, 0, 0, berlin), "=1+1", d("3"), d("10.50"), "USD"},
		{"A-2", time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), "@SUM(A1)", d("1000"), d("1"), "USD"},
	}
}

func TestWriter_CellsHaveTypesAndTheTotalIsRight(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "+4915550100", history()...))
	for at, want := range map[string]string{
		"A1": "text Order|Order|", "B1": "text Date|Date|", "F1": "text Amount|Amount|", "G1": "text Currency|Currency|", "G2": "text USD|USD|", "G5": "text USD|USD|",
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
	rows, err := f.GetRows("Orders")
	if err != nil || len(rows) != 7 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestWriter_EachCurrencyHasItsPlacesAndATotal(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0).UTC()
	f := read(t, write(t, "Ada",
		sheet.Line{"1", at, "Cheese, 1 kg", d("0.5"), d("12.99"), "EUR"}, sheet.Line{"1", at, "Tea", d("3"), d("1290"), "JPY"},
		sheet.Line{"2", at, "Petrol, 1 l", d("40.5"), d("1.799"), "EUR"}, sheet.Line{"2", at, "Dates", d("2"), d("0.125"), "KWD"},
		sheet.Line{"3", at, "Returned", d("-1"), d("0.1"), "EUR"}, sheet.Line{"3", at, "Stamp", d("1"), d("0.2"), "EUR"}))
	for at, want := range map[string]string{
		"D2": "number 0.5|0.5|", "E2": "number 12.99|12.99|", "F2": "number 6.5|6.50|", "G2": "text EUR|EUR|", // 6.495
		"E3": "number 1290|1,290|", "F3": "number 3870|3,870|",
		"E4": "number 1.799|1.799|", "F4": "number 72.86|72.86|", // 72.8595
		"F5": "number 0.25|0.250|", "F6": "number -0.1|-0.10|",
		"A8": "text Total|Total|", "F8": "number 79.46|79.46|", "G8": "text EUR|EUR|",
		"F9": "number 3870|3,870|", "G9": "text JPY|JPY|", "F10": "number 0.25|0.250|", "G10": "text KWD|KWD|",
		"A12": "text Customer|Customer|",
	} {
		if got := cell(t, f, at); got != want {
			t.Errorf("%s is %q, want %q", at, got, want)
		}
	}
}

func TestWriter_RefusesAmountsThatNoSheetKeeps(t *testing.T) {
	t.Parallel()
	w, err := sheet.New(sheet.English(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Add(&sheet.Line{Order: "1", Quantity: d("99999999"), Price: d("99999999"), Currency: "EUR"}); err != sheet.ErrTooLarge {
		t.Error(err)
	}
}

func TestWords_ReplaceThoseOfTheFile(t *testing.T) {
	t.Parallel()
	words := sheet.English()
	if err := words.Set(map[string]string{"sheet": "Ada's orders", "order": "Bestellung", "total": "Summe", "customer": "Kunde", "currency": "Währung"}); err != nil {
		t.Fatal(err)
	}
	w, err := sheet.New(words, true)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Add(&sheet.Line{Order: "1", Quantity: d("1"), Price: d("1"), Currency: "EUR"}); err != nil {
		t.Fatal(err)
	}
	b, err := w.Finish("Ada")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := read(t, b.Bytes()).GetRows("Ada's orders")
	if err != nil || rows[0][0] != "Bestellung" || rows[0][6] != "Währung" || rows[0][3] != "Quantity" || rows[2][0] != "Summe" || rows[4][0] != "Kunde" {
		t.Errorf("%q, %v", rows, err)
	}
	for name, word := range map[string]string{"sum": "Summe", "sheet": "a/b"} {
		if err := words.Set(map[string]string{name: word}); err == nil || !strings.Contains(err.Error(), "word") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWriter_HeaderIsFrozenAndColumnsAreWide(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "", history()...))
	panes, err := f.GetPanes("Orders")
	if err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("%+v, %v", panes, err)
	}
	width, err := f.GetColWidth("Orders", "C")
	if err != nil || width != 40 {
		t.Errorf("column C is %v wide, %v", width, err)
	}
}

func TestWriter_OnPaperItIsOnePageWideWithTheHeaderOnEach(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "", history()...))
	props, err := f.GetSheetProps("Orders")
	if err != nil || props.FitToPage == nil || !*props.FitToPage {
		t.Errorf("%+v, %v", props, err)
	}
	page, err := f.GetPageLayout("Orders")
	if err != nil || page.FitToWidth == nil || *page.FitToWidth != 1 || page.FitToHeight == nil || *page.FitToHeight != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	names := f.GetDefinedName()
	if len(names) != 1 || names[0].Name != "_xlnm.Print_Titles" || names[0].RefersTo != "'Orders'!$1:$1" || names[0].Scope != "Orders" {
		t.Errorf("%+v", names)
	}
}

func TestWriter_ALongTextHasAHighRow(t *testing.T) {
	t.Parallel()
	f := read(t, write(t, "", sheet.Line{Order: "1", Item: strings.Repeat("long ", 15)}, sheet.Line{Order: "2", Item: "short"}, sheet.Line{Order: strings.Repeat("3", 9000)}))
	for row, want := range map[int]float64{2: 45, 3: 15, 4: 405} {
		if got, err := f.GetRowHeight("Orders", row); err != nil || got != want {
			t.Errorf("row %d is %v high, want %v, %v", row, got, want, err)
		}
	}
}

func TestWriter_NoNameIsAFormula(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1", "=HYPERLINK(\"http://x\")"} {
		f := read(t, write(t, name, sheet.Line{Order: name, Item: name, At: time.Unix(0, 0).UTC()}))
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
	got, err := f.GetCellValue("Orders", "B3")
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
	w, err := sheet.New(sheet.English(), true)
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
		lines = append(lines, sheet.Line{fmt.Sprint(i / 2), time.Unix(int64(i)*86400, 0).UTC(), "Trail shoes, blue", d("2"), d("129.99"), "USD"})
	}
	for b.Loop() {
		write(b, "Ada Lovelace", lines...)
	}
}
