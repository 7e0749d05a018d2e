package report

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

// row is a row of an export in which the recipient has this name.
func row(name string) []string {
	return []string{name, "+12015550100", "failed", "", "3001: ok", "3056", "", "r", "c.1", "2", "", "2026-11-22T09:00:00Z"}
}

// bad are texts that some program takes for something else.
var bad = []string{
	`=1+1`, `=HYPERLINK("http://evil.example.com","x")`, `@SUM(A1)`, "-2+3", "+1", "\t=1", "\r=1", "\n=1", "＝1", `"=1`,
	"00123", "1e5", "2026-11-22", "TRUE", " spaces ", "a\r\nb", "_x0041_", "<b>&", "ç\U0001f600", "\x1b[31m", "\xff", "",
}

func TestWorkbook_HasTextsAsTheyStandAndSheetsForAll(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	book, err := newWorkbook(&file, Columns, len(bad), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range bad {
		if err := book.write(row(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := book.close(); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if diff := cmp.Diff([]string{"People 1", "People 2", "People 3"}, f.GetSheetList()); diff != "" {
		t.Fatal(diff)
	}
	var got []string
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Columns, rows[0]); diff != "" {
			t.Errorf("%s: %s", sheet, diff)
		}
		for i, cells := range rows[1:] {
			if diff := cmp.Diff(row(cells[0]), cells); diff != "" {
				t.Errorf("%s: %s", sheet, diff)
			}
			got = append(got, cells[0])
			for column, want := range map[string]excelize.CellType{"A": excelize.CellTypeInlineString, "B": excelize.CellTypeInlineString, "J": excelize.CellTypeUnset} {
				cell := column + strconv.Itoa(i+2)
				formula, err := f.GetCellFormula(sheet, cell)
				if kind, _ := f.GetCellType(sheet, cell); err != nil || formula != "" || (kind != want && cells[0] != "") {
					t.Errorf("%s %s is a %v with the formula %q: %v", sheet, cell, kind, formula, err)
				}
			}
		}
	}
	want := make([]string, len(bad))
	for i, name := range bad { // XML can't hold these
		want[i] = strings.NewReplacer("\x1b", "\ufffd", "\xff", "\ufffd").Replace(name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWorkbook_OfNoOneHasAHeader(t *testing.T) {
	t.Parallel()
	for rows, want := range map[int]int{0: 1, 9: 1, 10: 2} {
		var file bytes.Buffer
		book, err := newWorkbook(&file, Columns, rows, 10)
		for range rows {
			err = errors.Join(err, book.write(row("a")))
		}
		if err = errors.Join(err, book.close()); err != nil {
			t.Fatal(err)
		}
		f, err := excelize.OpenReader(&file)
		if err != nil || len(f.GetSheetList()) != want {
			t.Errorf("%d rows: %v, %v", rows, f.GetSheetList(), err)
		}
	}
}

func TestWorkbook_TakesTheMemoryOfARow(t *testing.T) {
	book, err := newWorkbook(io.Discard, Columns, 200_000, sheetRows)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cells := row("someone")
	for range 200_000 {
		if err := book.write(cells); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 48<<20 { // 250 bytes a row
		t.Errorf("200,000 rows took %d MB", took>>20)
	}
}

func TestSpreadsheetCSV_HasNoFormula(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	write := spreadsheetRow(&b)
	for _, name := range bad {
		if err := write([]string{name, "+12015550100"}); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.TrimPrefix(b.String(), "\ufeff")
	if len(text) == b.Len() {
		t.Error("Excel won't know that it's UTF-8")
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		if !strings.HasSuffix(line, `"`) { // the other half of a cell with a line's end
			continue
		}
		if strings.ContainsAny(line[:1], "=+-@") {
			t.Errorf("%q isn't in quotes", line)
		}
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != len(bad) {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, cells := range rows {
		want := bad[i]
		if i < 9 {
			want = "'" + want
		}
		want = strings.ReplaceAll(want, "\r\n", "\n") // encoding/csv makes them so
		if cells[0] != want || cells[1] != "'+12015550100" {
			t.Errorf("%q is %q, and the phone %q", bad[i], cells[0], cells[1])
		}
	}
}
