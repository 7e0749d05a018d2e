package operations_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/operations"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

// bundle are the operations on a Redis of their own, and its list.
type bundle struct {
	*operations.Operations
	list *suppression.List
}

func bare(t testing.TB) *bundle {
	t.Helper()
	rdb := redistest.Start(t).Client()
	return &bundle{operations.New(rdb, operations.Options{}), suppression.New(rdb)}
}

// export is the list as suppress list prints it.
func (b *bundle) export(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	rows := [][]string{{"phone", "since", "why", "campaign", "by"}}
	err := b.EachSuppressed(t.Context(), func(n operations.SuppressedNumber) error {
		rows = append(rows, []string{n.Phone, n.At.Format(time.RFC3339), n.Reason(), string(n.Campaign), n.By})
		return nil
	})
	if err == nil {
		err = w.WriteAll(rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (b *bundle) load(t testing.TB, in operations.Import, text []byte) *operations.Imported {
	t.Helper()
	in.File, in.By = bytes.NewReader(text), ann
	done, err := b.ImportSuppressed(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// What the list prints, an import, a check and a removal take, also of numbers that
// can't be dialled; and it comes back as it was.
func TestSuppress_WhatTheListPrintsEveryVerbTakes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/own-suppression-export.csv")
	if err != nil {
		t.Fatal(err)
	}
	first := bare(t)
	if done := first.load(t, operations.Import{}, text); done.Added != 4 || done.Bad != 0 {
		t.Errorf("%+v", done)
	}
	odd := suppression.Entry{At: time.Now().Add(-time.Minute), Why: suppression.WhyStop, Campaign: "spring"}
	if _, err := first.list.Add(t.Context(), "+4111", odd); err != nil { // as of a short number
		t.Fatal(err)
	}
	second := bare(t)
	if done := second.load(t, operations.Import{}, first.export(t)); done.Added != 5 || done.Bad != 0 {
		t.Errorf("%+v", done)
	}
	sorted := func(b []byte) map[string]bool {
		lines := map[string]bool{}
		for line := range strings.Lines(string(b)) {
			lines[line] = true
		}
		return lines
	}
	if d := cmp.Diff(sorted(first.export(t)), sorted(second.export(t))); d != "" {
		t.Error(d)
	}
	for _, number := range []string{
		"+5215512345678", "+551187654321", "+541123456789", "+12015550123", "+4111", // as it was printed
		"+525512345678", "+5511987654321", "+5491123456789", // as it is dialled
	} {
		s, err := second.Suppression(t.Context(), number)
		if err != nil || !s.Listed || s.Why != suppression.WhyStop || len(s.History) != 1 {
			t.Errorf("%s: %+v, %v", number, s, err)
		}
	}
	for _, number := range []string{"+5215512345678", "+551187654321", "+541123456789", "+12015550123", "+4111"} {
		s, err := second.Suppression(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		if gone, err := second.Unsuppress(t.Context(), s, campaign.Actor{Name: "ann", Why: "a test"}); !gone || err != nil {
			t.Errorf("%s: %v, %v", number, gone, err)
		}
		s, err = second.Suppression(t.Context(), number)
		if err != nil || s.Listed || len(s.History) != 2 || s.History[1].By != "ann" || s.History[1].Note != "a test" {
			t.Errorf("%s: %+v, %v", number, s, err)
		}
	}
	if done := second.load(t, operations.Import{}, first.export(t)); done.Added != 0 {
		t.Errorf("an export of before takes %d removals back", done.Added)
	}
	_, err = second.Suppression(t.Context(), "+4112") // neither on the list nor a number
	refused(t, err, operations.Refused, "")
}

func TestImport_OfDeactivatedNumbers(t *testing.T) {
	t.Parallel()
	b := bare(t)
	file := []byte("PhoneNumber,Carrier\n+12015550123,x\n+12015550124,y\n")
	in := operations.Import{Reason: "deactivated", Column: "PhoneNumber"}
	for _, added := range []int{2, 0} {
		if done := b.load(t, in, file); done.Added != added {
			t.Errorf("%+v", done)
		}
	}
	s, err := b.Suppression(t.Context(), "+12015550123")
	if err != nil || s.Why != suppression.WhyDeactivated || s.By != "ann" {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = b.ImportSuppressed(t.Context(), operations.Import{Reason: "other", File: bytes.NewReader(file)})
	refused(t, err, operations.Refused, "deactivated")
}

func TestImport_ReadsAFileInTheEncodingsOfLists(t *testing.T) {
	t.Parallel()
	const text = "phone,why\r\n+12015550123,gekündigt\r\n"
	encode := func(t transform.Transformer) []byte {
		b, _, err := transform.Bytes(t, []byte(text))
		if err != nil {
			panic(err) // of a constant
		}
		return b
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(text))
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"UTF-8":                 []byte(text),
		"UTF-8 with a mark":     []byte("\ufeff" + text),
		"UTF-16LE with a mark":  encode(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()),
		"UTF-16BE without one":  encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()),
		"Windows-1252":          encode(charmap.Windows1252.NewEncoder()),
		"UTF-8, gzip":           packed.Bytes(),
		"lines that end in CRs": []byte(strings.ReplaceAll(text, "\r\n", "\r")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bare(t)
			if done := b.load(t, operations.Import{}, file); done.Added != 1 {
				t.Errorf("%+v", done)
			}
			s, err := b.Suppression(t.Context(), "+12015550123")
			if err != nil || !s.Listed || s.Note != "gekündigt" {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
	b := bare(t)
	_, err = b.ImportSuppressed(t.Context(), operations.Import{File: strings.NewReader("PK\x03\x04rest"), By: ann})
	var faults *producer.Faults
	if !errors.As(err, &faults) || !strings.Contains(faults.Error(), "a workbook: save its sheet as CSV") {
		t.Errorf("%v", err)
	}
}

func TestSettleOptOut_IsDoneByAPersonOnce(t *testing.T) {
	t.Parallel()
	b := bare(t)
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	for _, u := range []operations.OptOut{
		{ID: "A1", At: at, Heard: at, User: "US.13491208655302741918"}, {ID: "B2", At: at, Heard: at.Add(time.Second)},
		{ID: "C3", At: at, Phone: "+12015550199"}, // is looked up by itself
	} {
		if err := b.list.Keep(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := b.OptOuts(t.Context()); err != nil || len(all) != 2 || all[0].ID != "A1" || all[1].ID != "B2" {
		t.Fatalf("%+v, %v", all, err)
	}
	by := campaign.Actor{Name: "ann", Why: "the desk knows the name"}
	_, err := b.SettleOptOut(t.Context(), "A1", "12", by)
	refused(t, err, operations.Refused, "")
	s, err := b.SettleOptOut(t.Context(), "A1", "+5215512345678", by)
	if err != nil || !s.Listed || s.Phone != "+525512345678" || s.Why != suppression.WhyStop || s.By != "ann" || !s.At.Equal(at) {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = b.SettleOptOut(t.Context(), "A1", "+525512345678", by)
	refused(t, err, operations.NotFound, "settled already")
	_, err = b.SettleOptOut(t.Context(), "B2", "", ann)
	refused(t, err, operations.Refused, "why")
	if s, err := b.SettleOptOut(t.Context(), "B2", "", by); s != nil || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if all, err := b.OptOuts(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := b.list.Keep(t.Context(), operations.OptOut{ID: "B2"}); err != nil { // a copy
		t.Fatal(err)
	}
	if all, err := b.OptOuts(t.Context()); err != nil || len(all) > 0 {
		t.Errorf("a copy is kept: %+v, %v", all, err)
	}
}
