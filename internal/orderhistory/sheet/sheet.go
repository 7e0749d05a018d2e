// Package sheet writes one customer's order history as an Excel file.
//
// The rows go through excelize's streaming writer: a long history spills to a
// temporary file instead of growing in memory. Cells have types: dates are
// dates, amounts are numbers with a format, and every text is a text, whatever
// it begins with, so that no name can become a formula. The same history gives
// the same bytes, which lets a run that was killed find its own files again.
package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"github.com/xuri/excelize/v2"
)

// ContentType is the files' type over HTTP.
const ContentType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// Name is the name of the only sheet.
const Name = "Orders"

// maxRows is how many lines one file holds: Excel's own limit less the header
// and what stands below the lines.
const maxRows = 1<<20 - 4

// maxCell is the longest text that Excel takes in a cell, in characters.
const maxCell = 32767

// ErrTooLong means that a customer has more lines than a sheet has rows.
var ErrTooLong = errors.New("more lines than a sheet has rows")

// Line is one item of one order.
type Line struct {
	Order    string
	At       time.Time // the clock of its own location is what the file shows
	Item     string
	Quantity int64
	Cents    int64 // of one piece
}

// Writer makes one file. It isn't safe for concurrent use.
type Writer struct {
	file   *excelize.File
	stream *excelize.StreamWriter
	styles styles
	row    int
	orders int
	last   string
	total  int64 // in cents
}

type styles struct{ header, headerRight, text, date, number, amount, totalText, totalAmount int }

// columns are the sheet's, with their widths in characters. The titles of numbers
// stand over their last digits.
var columns = []struct {
	title string
	width float64
	right bool
}{{"Order", 16, false}, {"Date", 18, false}, {"Item", 40, false}, {"Quantity", 10, true}, {"Unit price", 17, true}, {"Amount", 17, true}}

const (
	dateFormat   = "yyyy-mm-dd hh:mm"
	amountFormat = "#,##0.00"
)

// New begins a file; currency, which may be empty, stands in the header of the amounts.
// Close frees the file, whether or not it was finished.
func New(currency string) (*Writer, error) {
	w := &Writer{file: excelize.NewFile(), row: 1}
	w.file.SetZipWriter(newZip)
	if err := w.begin(currency); err != nil {
		return nil, errors.Join(fmt.Errorf("begin a sheet: %w", err), w.Close())
	}
	return w, nil
}

func (w *Writer) begin(currency string) error {
	if err := w.file.SetSheetName("Sheet1", Name); err != nil {
		return err
	}
	if err := w.makeStyles(); err != nil {
		return err
	}
	if err := w.layOut(); err != nil {
		return err
	}
	var err error
	if w.stream, err = w.file.NewStreamWriter(Name); err != nil {
		return err
	}
	header := make([]any, len(columns))
	for i, c := range columns {
		if err := w.stream.SetColWidth(i+1, i+1, c.width); err != nil {
			return err
		}
		title := c.title
		if currency != "" && i >= 4 {
			title += " (" + currency + ")"
		}
		header[i] = excelize.Cell{StyleID: w.styles.header, Value: title}
		if c.right {
			header[i] = excelize.Cell{StyleID: w.styles.headerRight, Value: title}
		}
	}
	frozen := &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}
	if err := w.stream.SetPanes(frozen); err != nil {
		return err
	}
	return w.put(header)
}

// layOut says how the sheet comes out on paper: as wide as a page, however long,
// with the header on each.
func (w *Writer) layOut() error {
	yes, one, asMany := true, 1, 0
	a4 := 9
	if err := w.file.SetSheetProps(Name, &excelize.SheetPropsOptions{FitToPage: &yes}); err != nil {
		return err
	}
	if err := w.file.SetPageLayout(Name, &excelize.PageLayoutOptions{Size: &a4, FitToWidth: &one, FitToHeight: &asMany}); err != nil {
		return err
	}
	if err := w.file.SetHeaderFooter(Name, &excelize.HeaderFooterOptions{OddFooter: "&C&P / &N"}); err != nil {
		return err
	}
	return w.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: Name + "!$1:$1", Scope: Name})
}

func (w *Writer) makeStyles() error {
	date, amount := dateFormat, amountFormat
	bold := &excelize.Font{Bold: true, Family: "Calibri", Size: 11} // else some readers take another for it
	// What is too long for its column goes on in the next line of the same row.
	left := &excelize.Alignment{Horizontal: "left", Vertical: "top", WrapText: true}
	right := &excelize.Alignment{Horizontal: "right", Vertical: "top"}
	shade := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"D9E1F2"}}
	line := []excelize.Border{{Type: "top", Color: "000000", Style: 1}}
	for _, s := range []struct {
		into  *int
		style *excelize.Style
	}{
		{&w.styles.header, &excelize.Style{Font: bold, Fill: shade, Alignment: left}},
		{&w.styles.headerRight, &excelize.Style{Font: bold, Fill: shade, Alignment: right}},
		{&w.styles.text, &excelize.Style{Alignment: left}},
		{&w.styles.date, &excelize.Style{CustomNumFmt: &date, Alignment: left}},
		{&w.styles.number, &excelize.Style{Alignment: right}},
		{&w.styles.amount, &excelize.Style{CustomNumFmt: &amount, Alignment: right}},
		{&w.styles.totalText, &excelize.Style{Font: bold, Border: line}},
		{&w.styles.totalAmount, &excelize.Style{Font: bold, Border: line, CustomNumFmt: &amount}},
	} {
		id, err := w.file.NewStyle(s.style)
		if err != nil {
			return err
		}
		*s.into = id
	}
	return nil
}

// put writes the next row.
func (w *Writer) put(cells []any, o ...excelize.RowOpts) error {
	at, err := excelize.CoordinatesToCellName(1, w.row)
	if err != nil {
		return err
	}
	w.row++
	return w.stream.SetRow(at, cells, o...)
}

const (
	rowHeight = 15  // points
	maxHeight = 405 // of a row; Excel's own limit is 409
)

// height is a row's whose texts take several lines in their columns. Not every
// reader works it out by itself. Words break early: a sixth is kept for that.
func height(l *Line) []excelize.RowOpts {
	lines := 1
	for column, s := range map[int]string{0: l.Order, 2: l.Item} {
		fit := int(columns[column].width * 5 / 6)
		lines = max(lines, (utf8.RuneCountInString(s)+fit-1)/fit)
	}
	if lines == 1 {
		return nil
	}
	return []excelize.RowOpts{{Height: float64(min(lines*rowHeight, maxHeight))}}
}

// Add writes a line. The lines of an order must follow each other.
func (w *Writer) Add(l *Line) error {
	if w.row > maxRows+1 {
		return ErrTooLong
	}
	if w.orders == 0 || l.Order != w.last {
		w.orders++
		w.last = l.Order
	}
	amount := l.Quantity * l.Cents
	w.total += amount
	err := w.put([]any{
		excelize.Cell{StyleID: w.styles.text, Value: text(l.Order)}, excelize.Cell{StyleID: w.styles.date, Value: wallClock(l.At)},
		excelize.Cell{StyleID: w.styles.text, Value: text(l.Item)}, excelize.Cell{StyleID: w.styles.number, Value: l.Quantity},
		excelize.Cell{StyleID: w.styles.amount, Value: money(l.Cents)}, excelize.Cell{StyleID: w.styles.amount, Value: money(amount)},
	}, height(l)...)
	if err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	return nil
}

// Orders is how many orders they belong to.
func (w *Writer) Orders() int { return w.orders }

// Finish writes the total and the customer's name, and returns the file.
func (w *Writer) Finish(name string) (*bytes.Buffer, error) {
	t := w.styles.totalText
	blank := excelize.Cell{StyleID: t}
	rows := [][]any{
		{
			excelize.Cell{StyleID: t, Value: "Total"}, blank, blank, blank, blank,
			excelize.Cell{StyleID: w.styles.totalAmount, Value: money(w.total)},
		},
		nil,
		{"Customer", text(name)},
	}
	for _, cells := range rows {
		if err := w.put(cells); err != nil {
			return nil, fmt.Errorf("finish a sheet: %w", err)
		}
	}
	if err := w.stream.Flush(); err != nil {
		return nil, fmt.Errorf("finish a sheet: %w", err)
	}
	content, err := w.file.WriteToBuffer()
	if err != nil {
		return nil, fmt.Errorf("pack a sheet: %w", err)
	}
	return content, nil
}

// Close frees the file's memory and its temporary files.
func (w *Writer) Close() error { return w.file.Close() }

// newZip packs with the faster one of two implementations of the same format.
func newZip(w io.Writer) excelize.ZipWriter {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		p, _ := packers.Get().(*flate.Writer)
		p.Reset(w)
		return &packer{p}, nil
	})
	return z
}

var packers = sync.Pool{New: func() any {
	p, err := flate.NewWriter(io.Discard, flate.DefaultCompression)
	if err != nil {
		panic(err) // the level is one
	}
	return p
}}

// packer gives its memory back when it's closed.
type packer struct{ *flate.Writer }

// Close ends the stream.
func (p *packer) Close() error {
	err := p.Writer.Close()
	packers.Put(p.Writer)
	return err
}

// money is exact to the cent up to 90 trillion.
func money(cents int64) float64 { return float64(cents) / 100 }

// wallClock is what a clock in the time's own zone shows: Excel has no zones.
func wallClock(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// text is s without what XML can't hold, short enough for a cell. A Go string is
// written as a text cell: only excelize.Cell's Formula makes a formula.
func text(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == 0x7f || r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	for utf8.RuneCountInString(s) > maxCell {
		s = string([]rune(s)[:maxCell])
	}
	return s
}
