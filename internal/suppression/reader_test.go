package suppression_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/suppression"
)

var entry = suppression.Entry{At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Why: suppression.WhyHand, By: "ann", Note: "the letter of May"}

// outcome is what came of a file: the numbers with their reasons, and its faults.
type outcome struct {
	good   []string
	faults []string
	rows   int
	bad    int
}

func read(t *testing.T, file string) (outcome, error) {
	t.Helper()
	var o outcome
	r := &suppression.Reader{
		Normalize: func(s string) (string, error) { return phone.Normalize(s, "") }, Entry: entry,
		Bad: func(line int, reason string) { o.faults = append(o.faults, fmt.Sprintf("%d: %s", line, reason)) },
	}
	err := r.Each(t.Context(), strings.NewReader(file), func(numbers []suppression.Number) error {
		for _, n := range numbers {
			if n.At != entry.At || n.Why != entry.Why || n.By != entry.By {
				n.Note += fmt.Sprintf(" (%s, %s, by %s, campaign %q)", n.At.Format(time.RFC3339), n.Why, n.By, n.Campaign)
			}
			o.good = append(o.good, n.Phone+" "+n.Note)
		}
		return nil
	})
	o.rows, o.bad = r.Rows, r.BadRows
	return o, err
}

func TestReader_TakesWhatAPersonWrites(t *testing.T) {
	t.Parallel()
	const letter = "the letter of May"
	one := outcome{good: []string{"+12015550123 " + letter}, rows: 1}
	for name, c := range map[string]struct {
		file string
		want outcome
	}{
		"numbers alone":             {"phone\n+12015550123\n", one},
		"without the last line end": {"phone\n+12015550123", one},
		"line ends of Windows":      {"phone\r\n+12015550123\r\n", one},
		"a byte order mark":         {"\ufeffphone\n+12015550123\n", one},
		"blank lines":               {"\n  \nphone\n\n\r\n+12015550123\n\n", one},
		"blanks in the header":      {" phone , why \n+12015550123,\n", one},
		"columns in any order":      {"name,since,phone\nBob,2026,+12015550123\n", one},
		"blanks and brackets":       {"phone\n +1 (201) 555-0123 \n", one},
		"quotes":                    {"\"phone\",\"why\"\n\"+12015550123\",\" \"\n", one},
		"a row that is too short":   {"phone,why\n+12015550123\n", one},
		"a reason of its own":       {"phone,why\n+12015550123,by mail\n", outcome{good: []string{"+12015550123 by mail"}, rows: 1}},
		"a comma in the reason":     {"phone,why\n+12015550123,\"by mail, twice\"\n", outcome{good: []string{"+12015550123 by mail, twice"}, rows: 1}},
		"as suppress list writes": {
			"phone,since,why,campaign,by\n+12015550123,2026-11-21T05:15:08Z,by hand: by mail,,root\n+12015550124,2026-11-21T05:15:08Z,by hand,,root\n+4111,2026-11-21T05:15:08Z,stop,spring,\n",
			outcome{good: []string{
				`+12015550123 by mail (2026-11-21T05:15:08Z, by hand, by root, campaign "")`,
				`+12015550124  (2026-11-21T05:15:08Z, by hand, by root, campaign "")`,
				`+4111  (2026-11-21T05:15:08Z, stop, by , campaign "spring")`,
			}, rows: 3},
		},
		"days": {
			"phone,since\n+12015550123,2026-11-20\n+12015550124,20.11.2026\n+12015550125,2027-01-01\n",
			outcome{good: []string{
				"+12015550123 " + letter + ` (2026-11-20T00:00:00Z, by hand, by ann, campaign "")`, "+12015550124 " + letter, "+12015550125 " + letter,
			}, rows: 3},
		},
		"as STOPs come": {"phone\n+5215512345678\n +551187654321 \n+541123456789\n", outcome{
			good: []string{"+525512345678 " + letter, "+5511987654321 " + letter, "+541123456789 " + letter}, rows: 3,
		}},
		"twice":  {"phone\n+12015550123\n+12015550123\n", outcome{good: []string{"+12015550123 " + letter, "+12015550123 " + letter}, rows: 2}},
		"nobody": {"phone\n", outcome{}},
	} {
		got, err := read(t, c.file)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(outcome{})); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// A bad row has its line and its reason, and none of its content; the others are
// handed over.
func TestReader_NamesBadRowsByTheirLine(t *testing.T) {
	t.Parallel()
	const international = "phone: not in international form, which begins with + and a calling code"
	for name, c := range map[string]struct{ row, want string }{
		"no number":               {",by mail", "3: phone: empty"},
		"national form":           {"2015550199,by mail", "3: " + international},
		"words":                   {"call me,by mail", "3: phone: not a phone number"},
		"too short":               {"+1201555,by mail", "3: phone: too short for country +1"},
		"an open quote":           {`"+12015550199,by mail`, "3: its quotes can't be read"},
		"a quote in the middle":   {`+12015550199,by "mail"`, "3: its quotes can't be read"},
		"a reason that is long":   {"+12015550199," + strings.Repeat("x", 1000), ""},
		"a tab in the reason":     {"+12015550199,by\tmail", ""},
		"a line that is too long": {strings.Repeat("9", 70_000), "3: longer than 65,536 bytes"},
		"the last row":            {"x", "3: phone: not a phone number"},
	} {
		got, err := read(t, "phone,why\n+12015550123,\n"+c.row+"\n+12015550124,\n")
		if err != nil || len(got.good) != 2 || got.rows != 3 || got.bad != 1 || len(got.faults) != 1 {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		fault := got.faults[0]
		if c.want != "" && fault != c.want || c.want == "" && !strings.HasPrefix(fault, "3: why: ") {
			t.Errorf("%s: %q", name, fault)
		}
		if strings.Contains(fault, "0199") || strings.Contains(fault, "mail") {
			t.Errorf("%s: %q quotes the row", name, fault)
		}
	}
}

func TestReader_RefusesAFileWithoutAHeader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, want string }{
		"empty":            {"", "0: the file is empty"},
		"blank":            {"\n \n", "0: the file is empty"},
		"numbers at once":  {"+12015550123\n+12015550124\n", "1: header: there is no column phone; cells are separated by commas"},
		"semicolons":       {"phone;why\n+12015550123;x\n", "1: header: there is no column phone; cells are separated by commas"},
		"upper case":       {"\nPhone\n+12015550123\n", "2: header: there is no column phone; cells are separated by commas"},
		"an open quote":    {"\"phone\n+12015550123\n", "1: header: its quotes can't be read"},
		"a line too long":  {strings.Repeat("x", 70_000) + "\nphone\n", "1: header: longer than 65,536 bytes"},
		"nothing readable": {"\x00\x01", "1: header: there is no column phone; cells are separated by commas"},
	} {
		got, err := read(t, c.file)
		var wrong *suppression.FileError
		if !errors.As(err, &wrong) || fmt.Sprintf("%d: %v", wrong.Line, wrong) != c.want || got.rows != 0 || len(got.good) > 0 {
			t.Errorf("%s: %v, %+v; want %q", name, err, got, c.want)
		}
	}
}

func TestReader_HandsOverAThousandAtATime(t *testing.T) {
	t.Parallel()
	var file strings.Builder
	file.WriteString("phone\n")
	for i := range 2500 {
		fmt.Fprintf(&file, "+1201555%04d\n", i)
	}
	r := &suppression.Reader{Normalize: func(s string) (string, error) { return s, nil }, Entry: entry, Bad: func(line int, reason string) { t.Error(line, reason) }}
	var batches []int
	last := ""
	err := r.Each(t.Context(), strings.NewReader(file.String()), func(numbers []suppression.Number) error {
		batches = append(batches, len(numbers))
		last = numbers[len(numbers)-1].Phone
		return nil
	})
	if diff := cmp.Diff([]int{1000, 1000, 500}, batches); err != nil || diff != "" || last != "+12015552499" {
		t.Errorf("%v, the last one is %s: %s", err, last, diff)
	}
}

// What can't go on ends with the cause.
func TestReader_EndsWithTheCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("the disk is gone")
	rows := "phone\n" + strings.Repeat("+12015550123\n", 1500)
	each := func(ctx context.Context, file io.Reader, take error) (taken int, err error) {
		r := &suppression.Reader{Normalize: func(s string) (string, error) { return s, nil }, Entry: entry, Bad: func(line int, reason string) { t.Error(line, reason) }}
		err = r.Each(ctx, file, func(numbers []suppression.Number) error { taken += len(numbers); return take })
		return taken, err
	}
	if n, err := each(t.Context(), strings.NewReader(rows), cause); !errors.Is(err, cause) || n != 1000 {
		t.Errorf("a taker that fails: %d, %v", n, err)
	}
	for when, file := range map[string]io.Reader{
		"at once":  iotest.ErrReader(cause),
		"later on": io.MultiReader(strings.NewReader(rows), iotest.ErrReader(cause)),
	} {
		var broken *suppression.FileError
		if n, err := each(t.Context(), file, nil); !errors.As(err, &broken) || !errors.Is(broken.Read, cause) || n > 1000 {
			t.Errorf("a file that breaks %s: %d, %v", when, n, err)
		}
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := each(canceled, strings.NewReader(rows), nil); !errors.Is(err, context.Canceled) || n != 0 {
		t.Errorf("canceled: %d, %v", n, err)
	}
}
