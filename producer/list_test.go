package producer_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/producer"
)

const header = "recipient,phone,url\n"

func row(n int) string {
	return fmt.Sprintf("p%d,+1201555%04d,https://example.com/%d\n", n, n, n)
}

func list(text string) producer.List {
	return producer.ListReader("list.csv", producer.CSV, strings.NewReader(text))
}

func ndjson(text string) producer.List {
	return producer.ListReader("list.ndjson", producer.NDJSON, strings.NewReader(text))
}

func rows(rs ...producer.Row) iter.Seq2[producer.Row, error] {
	return func(yield func(producer.Row, error) bool) {
		for _, r := range rs {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// checked is a dry run over a list, and its faults as text.
func checked(t *testing.T, l producer.List, o producer.CheckOptions) (*producer.DryRun, []string) {
	t.Helper()
	d, err := producer.Check(t.Context(), parse(t, fileThenText), l, o)
	var faults *producer.Faults
	switch {
	case errors.As(err, &faults):
		return nil, texts(faults.List)
	case err != nil:
		t.Fatal(err)
	}
	return d, texts(d.Summary.Faults)
}

func texts(faults []producer.Fault) (s []string) {
	for _, f := range faults {
		s = append(s, f.String())
	}
	return s
}

func TestCSV_EveryFaultHasItsPlace(t *testing.T) {
	long := strings.Repeat("x", producer.MaxCell+1)
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "list.csv: the list is empty"},
		{"no text", "\xff\xfe\x00\x00", "list.csv: neither text nor a workbook: it has zero bytes in it"},
		{"an old workbook", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "list.csv: an old Excel workbook (.xls), or one with a password: save it as .xlsx without one"},
		{"no header", "ann,+12015550123\n", "list.csv:1:1: header: no columns named recipient and phone: if they have other names, say them by columns"},
		{"semicolons", "recipient;phone;URL\na;+1;https://a.b/c", "list.csv:2:3: phone: not a phone number"},
		{"no phone", "recipient,url\n", "list.csv:1:1: header: no column named phone: if they have other names, say them by columns"},
		{"column twice", "recipient,phone,url,url\n", "list.csv:1:21: header: column 4 has the same name as column 3"},
		{"column without a name", "recipient,phone,url,\na,+12015550123,https://a.b/c,x\n", "list.csv:2:1: a cell in column 4, which has no name"},
		{"two columns that could be one", "recipient,phone,URL,Url\n", "list.csv:1:21: header: columns 3 and 4 could both be url"},
		{"one line", "recipient,phone,urla,+12015550123,https://a.b/c", "list.csv:1:1: header: the list is one line: this looks like a file without line ends"},
		{"one long line", "recipient,phone,url" + strings.Repeat("a,+12015550123,https://a.b/c", 3000), "list.csv:1:1: header: longer than a row may be: this looks like a file without line ends"},
		{"too many columns", "recipient,phone" + strings.Repeat(",x", 99) + "\n", "list.csv:1:1: header: more than 100 columns"},
		{"broken header", "recipient,\"phone\n", "list.csv:1:11: header: a quote is opened and never closed"},
		{"too few cells", header + "a,+12015550123\n", "list.csv:2:1: 2 cells, but the header has 3"},
		{"empty recipient", header + " ,+12015550123,https://a.b/c\n", "list.csv:2:1: recipient: empty"},
		{"empty phone", header + "a,,https://a.b/c\n", "list.csv:2:3: phone: empty"},
		{"too short", header + "a,+1201555,https://a.b/c\n", "list.csv:2:3: phone: too short for country +1"},
		{"too long", header + "a,+120155501234,https://a.b/c\n", "list.csv:2:3: phone: too long for country +1"},
		{"no such code", header + "a,+9991234567,https://a.b/c\n", "list.csv:2:3: phone: begins with no country's calling code"},
		{"not in use", header + "a,+11115550123,https://a.b/c\n", "list.csv:2:3: phone: not a number in use in country +1"},
		{"national", header + "a,2015550123,https://a.b/c\n", "list.csv:2:3: phone: not in international form, which begins with + and a calling code"},
		{"spreadsheet", header + "a,1.20155E+10,https://a.b/c\n", "list.csv:2:3: phone: written as 1.5E+10 by a spreadsheet: its last digits are lost, format the column as text"},
		{"a name", header + "a,Ann,https://a.b/c\n", "list.csv:2:3: phone: not a phone number"},
		{"bad URL", header + "a,+12015550123,a.b/c\n", "list.csv:2:1: channel whatsapp, parameter url: not an absolute http or https URL"},
		{"URL with a space", header + "a,+12015550123,https://a.b/c d\n", "list.csv:2:1: channel whatsapp, parameter url: a link can't have a space (U+0020) in it"},
		{"bare quote", header + "a,+1\"2,https://a.b/c\n", "list.csv:2:5: a quote stands in a cell that doesn't begin with one"},
		{"after a quote", header + "\"a\"b,+1,https://a.b/c\n", "list.csv:2:4: a cell goes on after its closing quote"},
		{"in a cell of several lines", header + "\"a\nb\",+1,https://a.b/c\n", "list.csv:3:4: phone: not a phone number"},
		{"long cell", header + "a,+12015550123,https://a.b/" + long + "\n", "list.csv:2:16: url: longer than 4,096 bytes"},
		{"long row", header + "a,+12015550123,https://a.b/" + strings.Repeat("x", 70_000) + "\n", "list.csv:2:1: a row is longer than 65536 bytes"},
		{"not UTF-8", header + "Jörg,+12015550123,https://a.b/c\nJ\xf6rg,+12015550124,https://a.b/c\n", "list.csv:3:1: recipient: not UTF-8"},
		{"a long cell that isn't used", "recipient,phone,url,secret\na,+12015550123,https://a.b/c," + long + "\n", "list.csv:2:30: column 4: longer than 4,096 bytes"},
	} {
		_, faults := checked(t, list(c.text), producer.CheckOptions{})
		if diff := cmp.Diff([]string{c.want}, faults); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestCSV_ReadingGoesOnAfterABrokenRow(t *testing.T) {
	d, faults := checked(t, list("\xef\xbb\xbf"+"phone , url,recipient\r\n"+
		"+12015550101,https://a.b/c,a\r\n"+
		"\"+12015550102,https://a.b/c,b\r\n"+ // never closed
		"\r\n"+
		"\"+1 (201) 555-0103\",\"https://a.b/\"\"c\"\"\",\"c,\r\nd\"\r\n"+
		strings.Repeat("y", 200_000)+"\r\n"+
		"+12015550104,https://a.b/c,ж"), producer.CheckOptions{})
	want := []string{
		"list.csv:3:1: a quote is opened and never closed",
		"list.csv:7:1: a row is longer than 65536 bytes",
	}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if s := d.Summary; s.Rows != 5 || s.Recipients != 3 || s.BadRows != 2 || !d.Rejected {
		t.Errorf("%+v", s)
	}
}

func TestNDJSON_EveryFaultHasItsPlace(t *testing.T) {
	const first = `{"recipient":"a","phone":"+12015550101","url":"https://a.b/c"}` + "\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "\n\n", "list.ndjson: the list is empty"},
		{"no phone", `{"recipient":"a"}`, "list.ndjson:1:1: the first object: no column named phone: if they have other names, say them by columns"},
		{"an array", first + "[1]\n", "list.ndjson:2:1: not a JSON object"},
		{"broken", first + `{"recipient":"b"` + "\n", "list.ndjson:2:17: not valid JSON"},
		{"null", first + `{"recipient":null,"phone":"+12015550102","url":"https://a.b/c"}`, "list.ndjson:2:14: null is no value: leave the text empty instead"},
		{"nested", first + `{"recipient":"b","phone":["+12015550102"],"url":"https://a.b/c"}`, "list.ndjson:2:26: a value must be a text, a number or a boolean"},
		{"missing key", first + `{"recipient":"b","phone":"+12015550102"}`, "list.ndjson:2:1: no key url"},
		{"extra key", first + `{"recipient":"b","phone":"+12015550102","url":"https://a.b/c","x":1}`, "list.ndjson:2:67: a key that the first object hasn't"},
		{"key twice", first + `{"recipient":"b","phone":"+12015550102","url":"https://a.b/c","url":"x"}`, "list.ndjson:2:69: a key stands here twice"},
		{"two objects", first + `{"recipient":"b","phone":"+12015550102","url":"https://a.b/c"} {}`, "list.ndjson:2:64: more than one JSON object on a line"},
		{"phone", first + `{"phone":"+1201555","recipient":"b","url":"https://a.b/c"}`, "list.ndjson:2:10: phone: too short for country +1"},
		{"number", first + `{"phone":12015550102,"recipient":"b","url":"https://a.b/c"}`, "list.ndjson:2:10: phone: not in international form, which begins with + and a calling code"},
	} {
		_, faults := checked(t, ndjson(c.text), producer.CheckOptions{})
		if diff := cmp.Diff([]string{c.want}, faults); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestNDJSON_TakesTextsNumbersAndBooleansInAnyOrder(t *testing.T) {
	text := `{"recipient":7,"phone":"+12015550101","url":"https:\/\/a.b\/\u00e9","ok":true}` + "\n" +
		` { "ok" : false , "url" : "https://a.b/d" , "phone" : "0044 20 7946 0958" , "recipient" : 1.50 } ` + "\r\n"
	d, faults := checked(t, ndjson(text), producer.CheckOptions{})
	if len(faults) > 0 || d.Summary.Recipients != 2 {
		t.Fatalf("%v %+v", faults, d)
	}
	if diff := cmp.Diff([]string{"ok"}, d.ColumnsUnused); diff != "" {
		t.Errorf("unused columns (-want +got):\n%s", diff)
	}
	if !strings.Contains(string(d.Samples[0]), "https://a.b/é") {
		t.Errorf("sample: %s", d.Samples[0])
	}
}

func TestNDJSON_ABrokenFirstLineIsABadRow(t *testing.T) {
	d, faults := checked(t, ndjson("oops\n"+`{"recipient":"a","phone":"+12015550101","url":"https://a.b/c"}`), producer.CheckOptions{})
	if len(faults) != 1 || d.Summary.Recipients != 1 || d.Summary.BadRows != 1 {
		t.Errorf("%v %+v", faults, d)
	}
}

func TestListRows_RowsAreJudgedByTheirNumber(t *testing.T) {
	d, faults := checked(t, producer.ListRows([]string{"url"}, rows(
		producer.Row{Recipient: "a", Phone: "+12015550101", Values: []string{"https://a.b/c"}},
		producer.Row{Recipient: "b", Phone: "+1", Values: []string{"https://a.b/c"}},
		producer.Row{Recipient: "c", Phone: "+12015550102"},
		producer.Row{Recipient: "\xff", Phone: "+12015550102", Values: []string{"https://a.b/c"}},
	)), producer.CheckOptions{})
	want := []string{"2: phone: not a phone number", "3: 0 values for 1 column", "4: recipient: not UTF-8"}
	if diff := cmp.Diff(want, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	if d.Summary.Recipients != 1 {
		t.Errorf("%+v", d.Summary)
	}
}

func TestListRows_ColumnsAreJudged(t *testing.T) {
	_, faults := checked(t, producer.ListRows([]string{"url", "phone"}, rows()), producer.CheckOptions{})
	if diff := cmp.Diff([]string{"columns: column 4 has the same name as column 2"}, faults); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestRegion_LetsNationalFormIn(t *testing.T) {
	d, faults := checked(t, list(header+"a,(201) 555-0101,https://a.b/c\nb,+44 20 7946 0958,https://a.b/c\nc,0044 20 7946 0959,https://a.b/c\n"),
		producer.CheckOptions{Region: "us"})
	if len(faults) > 0 || d.Summary.Recipients != 3 {
		t.Errorf("%v %+v", faults, d)
	}
	_, err := producer.Check(t.Context(), parse(t, fileThenText), list(header), producer.CheckOptions{Region: "XX"})
	if !errors.Is(err, phone.ErrUnknownRegion) {
		t.Errorf("error: %v", err)
	}
}

func TestListFile_TellsTheFormatByTheName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "List.CSV")
	if err := os.WriteFile(path, []byte(header+row(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if d, _ := checked(t, producer.ListFile(path), producer.CheckOptions{}); d.Summary.Recipients != 1 {
		t.Errorf("%+v", d)
	}
	for _, c := range []struct {
		list producer.List
		want error
	}{
		{producer.ListFile(filepath.Join(dir, "list.pdf")), producer.ErrUnknownFormat},
		{producer.ListFile(filepath.Join(dir, "none.csv")), os.ErrNotExist},
	} {
		if _, err := producer.Check(t.Context(), parse(t, fileThenText), c.list, producer.CheckOptions{}); !errors.Is(err, c.want) {
			t.Errorf("error: %v, want %v", err, c.want)
		}
	}
}

func TestFaults_OnlyTheFirstFiftyAreKeptAndTheRestCounted(t *testing.T) {
	var b strings.Builder
	b.WriteString(header)
	for range 173 {
		b.WriteString("a,+1,https://a.b/c\n")
	}
	d, faults := checked(t, list(b.String()), producer.CheckOptions{})
	if len(faults) != producer.MaxFaults || d.Summary.BadRows != 173 {
		t.Errorf("%d faults, %+v", len(faults), d.Summary)
	}
}

func TestFaults_PrintOneLineEach(t *testing.T) {
	f := &producer.Faults{List: []producer.Fault{
		{File: "list.csv", Line: 12, Column: 9, Message: "phone: too short for country +1"},
		{File: "list.csv", Line: 13, Message: "x"},
	}, Total: 125}
	const want = "list.csv:12:9: phone: too short for country +1\nlist.csv:13: x\n… and 123 more faults"
	if f.Error() != want {
		t.Errorf("%s", f)
	}
}
