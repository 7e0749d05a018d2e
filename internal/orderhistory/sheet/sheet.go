// Package sheet writes one customer's order history as an Excel file.
//
// The rows go through excelize's streaming writer: a long history spills to a
// temporary file instead of growing in memory. Cells have types: dates are
// dates, amounts are exact numbers with the places of their currency, and every text
// is a text, whatever it begins with, so that no name can become a formula. Each
// currency has a total. The same history gives
// the same bytes, which lets a run that was killed find its own files again.
package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/internal/orderhistory/decimal"
)

// ContentType is the files' type over HTTP.
const ContentType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// maxRows is how many rows a sheet has: Excel's own limit.
const maxRows = 1 << 20

// maxCell is the longest text that Excel takes in a cell, in characters.
const maxCell = 32767

// What keeps a history from a sheet.
var (
	ErrTooLong  = errors.New("more lines than a sheet has rows")
	ErrTooLarge = errors.New("an amount, or a total, of over 15 digits, more than a sheet keeps")
)

// Line is one item of one order.
type Line struct {
	Order    string
	At       time.Time // the clock of its own location is what the file shows
	Item     string
	Quantity decimal.Decimal
	Price    decimal.Decimal // of one
	Currency string          // three letters of ISO 4217; empty in all lines of a file, or in none
}

// Writer makes one file. It isn't safe for concurrent use.
type Writer struct {
	file   *excelize.File
	stream *excelize.StreamWriter
	words  Words
	styles styles
	row    int
	orders int
	last   string
	totals []total // in the order in which the currencies come
}

// total is the sum of the amounts in one currency.
type total struct {
	currency string
	amount   decimal.Decimal
}

type styles struct {
	header, headerRight, text, date, number, totalText int

	amounts, totals [decimal.MaxPlaces + 1]int // by places; 0: not made yet
}

// column is one of the sheet's, with its width in characters. The titles of numbers
// stand over their last digits.
type column struct {
	title string
	width float64
	right bool
}

const (
	orderWidth = 16
	itemWidth  = 40
)

func (w *Writer) columns(withCurrency bool) []column {
	all := []column{
		{w.words.Order, orderWidth, false}, {w.words.Date, 18, false}, {w.words.Item, itemWidth, false},
		{w.words.Quantity, 10, true}, {w.words.UnitPrice, 17, true}, {w.words.Amount, 17, true},
	}
	if withCurrency {
		all = append(all, column{w.words.Currency, 10, false})
	}
	return all
}

const dateFormat = "yyyy-mm-dd hh:mm"

// New begins a file, with a column for the currencies of its lines or without one.
// Close frees the file, whether or not it was finished.
func New(words Words, withCurrency bool) (*Writer, error) {
	w := &Writer{file: excelize.NewFile(), words: words, row: 1}
	w.file.SetZipWriter(newZip)
	if err := w.begin(w.columns(withCurrency)); err != nil {
		return nil, errors.Join(fmt.Errorf("begin a sheet: %w", err), w.Close())
	}
	return w, nil
}

func (w *Writer) begin(columns []column) error {
	if err := w.file.SetSheetName("Sheet1", w.words.Sheet); err != nil {
		return err
	}
	if err := w.makeStyles(); err != nil {
		return err
	}
	if err := w.layOut(); err != nil {
		return err
	}
	var err error
	if w.stream, err = w.file.NewStreamWriter(w.words.Sheet); err != nil {
		return err
	}
	header := make([]any, len(columns))
	for i, c := range columns {
		if err := w.stream.SetColWidth(i+1, i+1, c.width); err != nil {
			return err
		}
		header[i] = excelize.Cell{StyleID: w.styles.header, Value: c.title}
		if c.right {
			header[i] = excelize.Cell{StyleID: w.styles.headerRight, Value: c.title}
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
	a4, name := 9, w.words.Sheet
	if err := w.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &yes}); err != nil {
		return err
	}
	if err := w.file.SetPageLayout(name, &excelize.PageLayoutOptions{Size: &a4, FitToWidth: &one, FitToHeight: &asMany}); err != nil {
		return err
	}
	if err := w.file.SetHeaderFooter(name, &excelize.HeaderFooterOptions{OddFooter: "&C&P / &N"}); err != nil {
		return err
	}
	return w.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: "'" + strings.ReplaceAll(name, "'", "''") + "'!$1:$1", Scope: name})
}

var (
	bold  = &excelize.Font{Bold: true, Family: "Calibri", Size: 11} // else some readers take another for it
	right = &excelize.Alignment{Horizontal: "right", Vertical: "top"}
	above = []excelize.Border{{Type: "top", Color: "000000", Style: 1}}
)

// amount returns a cell with a number that has at least so many places.
func (w *Writer) amount(d decimal.Decimal, places int, inTotal bool) (excelize.Cell, error) {
	places = max(places, d.Places())
	id, format := &w.styles.amounts[places], "#,##0"
	if places > 0 {
		format += "." + strings.Repeat("0", places)
	}
	style := &excelize.Style{CustomNumFmt: &format, Alignment: right}
	if inTotal {
		id, style = &w.styles.totals[places], &excelize.Style{Font: bold, Border: above, CustomNumFmt: &format}
	}
	var err error
	if *id == 0 {
		*id, err = w.file.NewStyle(style)
	}
	return excelize.Cell{StyleID: *id, Value: d.Float()}, err
}

func (w *Writer) makeStyles() error {
	date := dateFormat
	// What is too long for its column goes on in the next line of the same row.
	left := &excelize.Alignment{Horizontal: "left", Vertical: "top", WrapText: true}
	shade := excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"D9E1F2"}}
	for _, s := range []struct {
		into  *int
		style *excelize.Style
	}{
		{&w.styles.header, &excelize.Style{Font: bold, Fill: shade, Alignment: left}},
		{&w.styles.headerRight, &excelize.Style{Font: bold, Fill: shade, Alignment: right}},
		{&w.styles.text, &excelize.Style{Alignment: left}},
		{&w.styles.date, &excelize.Style{CustomNumFmt: &date, Alignment: left}},
		{&w.styles.number, &excelize.Style{Alignment: right}},
		{&w.styles.totalText, &excelize.Style{Font: bold, Border: above}},
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
	for width, s := range map[int]string{orderWidth: l.Order, itemWidth: l.Item} {
		fit := width * 5 / 6
		lines = max(lines, (utf8.RuneCountInString(s)+fit-1)/fit)
	}
	if lines == 1 {
		return nil
	}
	return []excelize.RowOpts{{Height: float64(min(lines*rowHeight, maxHeight))}}
}

// Add writes a line. The lines of an order must follow each other.
func (w *Writer) Add(l *Line) error {
	places := places(l.Currency)
	amount, err := l.Quantity.Times(l.Price, places)
	if err != nil {
		return ErrTooLarge
	}
	at, sum, err := w.sum(l.Currency, amount)
	if err != nil {
		return ErrTooLarge
	}
	if w.row+len(w.totals)+2 > maxRows { // below: the totals, an empty row, the customer
		return ErrTooLong
	}
	if w.orders == 0 || l.Order != w.last {
		w.orders++
		w.last = l.Order
	}
	price, err1 := w.amount(l.Price, places, false)
	cell, err2 := w.amount(amount, places, false)
	cells := []any{
		excelize.Cell{StyleID: w.styles.text, Value: text(l.Order)}, excelize.Cell{StyleID: w.styles.date, Value: wallClock(l.At)},
		excelize.Cell{StyleID: w.styles.text, Value: text(l.Item)}, excelize.Cell{StyleID: w.styles.number, Value: l.Quantity.Float()},
		price, cell,
	}
	if l.Currency != "" {
		cells = append(cells, excelize.Cell{StyleID: w.styles.text, Value: l.Currency})
	}
	if err := errors.Join(err1, err2, w.put(cells, height(l)...)); err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	w.totals[at].amount = sum
	return nil
}

// sum returns the total of an amount's currency with the amount, and its place.
func (w *Writer) sum(currency string, amount decimal.Decimal) (at int, sum decimal.Decimal, err error) {
	at = slices.IndexFunc(w.totals, func(t total) bool { return t.currency == currency })
	if at < 0 {
		at = len(w.totals)
		w.totals = append(w.totals, total{currency: currency})
	}
	sum, err = w.totals[at].amount.Plus(amount)
	return at, sum, err
}

// Orders is how many orders they belong to.
func (w *Writer) Orders() int { return w.orders }

// Finish writes the totals and the customer's name, and returns the file.
func (w *Writer) Finish(name string) (*bytes.Buffer, error) {
	t := w.styles.totalText
	blank := excelize.Cell{StyleID: t}
	var rows [][]any
	for _, sum := range w.totals {
		amount, err := w.amount(sum.amount, places(sum.currency), true)
		if err != nil {
			return nil, fmt.Errorf("finish a sheet: %w", err)
		}
		cells := []any{excelize.Cell{StyleID: t, Value: w.words.Total}, blank, blank, blank, blank, amount}
		if sum.currency != "" {
			cells = append(cells, excelize.Cell{StyleID: t, Value: sum.currency})
		}
		rows = append(rows, cells)
	}
	rows = append(rows, nil, []any{w.words.Customer, text(name)})
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
