package bench_test

import (
	"archive/zip"
	"bufio"
	"iter"
	"os"
	"strconv"
	"testing"

	"github.com/handout-dev/handout/producer"
)

// person is one row of a list like the vendor's sample: a customer, a mobile
// number, and the address of the customer's file.
type person struct{ recipient, phone, url string }

// people are n of them, all with different numbers that are valid. The last two
// digits of a number, which choose the simulator's story, are below digits.
// With signed each address carries a signature of 32 hex digits.
func people(n, digits int, signed bool) iter.Seq[person] {
	areas := [...]string{
		"201", "202", "203", "205", "206", "207", "208", "209", "210", "212", "213", "214", "215", "216", "217", "218",
		"219", "224", "225", "228", "229", "231", "234", "239", "240", "248", "251", "252", "253", "254", "256", "260",
		"262", "267", "269", "270", "276", "281", "301", "302", "303", "304", "305", "307", "308", "309", "310", "312",
		"313", "314", "315", "316", "317", "318", "319", "320", "321", "323", "325", "330", "331", "334", "336", "337",
	}
	const prefixes = 80_000 // 200-00 to 999-99
	return func(yield func(person) bool) {
		var b []byte
		for i := range uint64(n) {
			// Multiplication by a number without a common divisor: scattered,
			// and none twice.
			at := i * 2654435761 % (prefixes * uint64(len(areas)))
			customer := 10_000 + i*7368787%9_999_991
			noise := scatter(i)

			b = append(append(b[:0], "+1"...), areas[at/prefixes]...)
			b = strconv.AppendUint(b, 20_000+at%prefixes, 10)
			last := noise % uint64(digits)
			b = append(b, '0'+byte(last/10), '0'+byte(last%10))
			p := person{phone: string(b)}

			p.recipient = "customer" + strconv.FormatUint(customer, 10)
			b = append(append(b[:0], "https://s3.amazonaws.com/346542/viatu/"...), p.recipient...)
			b = append(b, "-order-history.xlsx"...)
			if signed {
				b = append(b, "?X-Signature="...)
				b = appendHex(appendHex(b, noise), scatter(noise))
			}
			p.url = string(b)
			if !yield(p) {
				return
			}
		}
	}
}

// scatter is splitmix64: the same noise in every run.
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func appendHex(b []byte, x uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[x>>shift&0xf])
	}
	return b
}

// rows are people as a Go program hands them to a producer.
func rows(of iter.Seq[person]) iter.Seq2[producer.Row, error] {
	return func(yield func(producer.Row, error) bool) {
		for p := range of {
			if !yield(producer.Row{Recipient: p.recipient, Phone: p.phone, Values: []string{p.url}}, nil) {
				return
			}
		}
	}
}

// writeCSV writes people into a file.
func writeCSV(b *testing.B, path string, of iter.Seq[person]) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	_, _ = w.WriteString("recipient,phone,url\n")
	for p := range of {
		_, _ = w.WriteString(p.recipient + "," + p.phone + "," + p.url + "\n")
	}
	if err := w.Flush(); err != nil { // says of any write before that it failed
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// writeWorkbook writes them as Excel does: texts by their numbers among the shared ones.
func writeWorkbook(b *testing.B, path string, of iter.Seq[person]) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	z := zip.NewWriter(f)
	part := func(name string, write func(w *bufio.Writer)) {
		p, err := z.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		w := bufio.NewWriterSize(p, 1<<20)
		_, _ = w.WriteString(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n")
		write(w)
		if err := w.Flush(); err != nil { // says of any write before that it failed
			b.Fatal(err)
		}
	}
	const relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	plain := func(text string) func(*bufio.Writer) {
		return func(w *bufio.Writer) { _, _ = w.WriteString(text) }
	}
	part("_rels/.rels", plain(`<Relationships><Relationship Id="rId1" Type="`+relation+`/officeDocument" Target="xl/workbook.xml"/></Relationships>`))
	part("xl/workbook.xml", plain(`<workbook xmlns:r="`+relation+`"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>`))
	part("xl/_rels/workbook.xml.rels", plain(`<Relationships><Relationship Id="rId1" Type="`+relation+`/worksheet" Target="worksheets/sheet1.xml"/>`+
		`<Relationship Id="rId2" Type="`+relation+`/sharedStrings" Target="sharedStrings.xml"/></Relationships>`))
	rows := 0
	part("xl/sharedStrings.xml", func(w *bufio.Writer) {
		_, _ = w.WriteString("<sst><si><t>recipient</t></si><si><t>phone</t></si><si><t>url</t></si>")
		for p := range of {
			rows++
			_, _ = w.WriteString("<si><t>" + p.recipient + "</t></si><si><t>" + p.phone + "</t></si><si><t>" + p.url + "</t></si>")
		}
		_, _ = w.WriteString("</sst>")
	})
	part("xl/worksheets/sheet1.xml", func(w *bufio.Writer) {
		_, _ = w.WriteString(`<worksheet><sheetData>`)
		for i := range rows + 1 {
			line := strconv.Itoa(i + 1)
			_, _ = w.WriteString(`<row r="` + line + `" spans="1:3" x14ac:dyDescent="0.25">`)
			for j, column := range []string{"A", "B", "C"} {
				_, _ = w.WriteString(`<c r="` + column + line + `" t="s"><v>` + strconv.Itoa(3*i+j) + `</v></c>`)
			}
			_, _ = w.WriteString(`</row>`)
		}
		_, _ = w.WriteString(`</sheetData></worksheet>`)
	})
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

const (
	// acceptedDigits are of stories whose POST is answered at once.
	acceptedDigits = 50
	// ordinaryDigits are those and the other outcomes of an ordinary day: read,
	// sent by SMS instead, by both, or not at all.
	ordinaryDigits = 71
)
