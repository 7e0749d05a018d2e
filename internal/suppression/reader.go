package suppression

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
)

const (
	// numbersAtOnce is how many numbers are handed over at once.
	numbersAtOnce = 1000
	// maxLine bounds a line of the file, in bytes.
	maxLine = 64 << 10
)

// FileError means that a file couldn't be read to its end, or that it has no numbers to
// read: it is empty, or its header is wrong.
type FileError struct {
	Line int   // of the header; 0: it is about the whole file
	Read error // why it couldn't be read on; nil: it could
	Text string
}

// Error is the text.
func (e *FileError) Error() string { return e.Text }

// Unwrap is why the file couldn't be read on.
func (e *FileError) Unwrap() error { return e.Read }

func broken(err error) error { return &FileError{Read: err, Text: "read the file: " + err.Error()} }

// Reader reads one file line by line, in constant memory: CSV with a header, of
// which it knows the columns phone, why and since. A row as handout suppress list
// writes it keeps its entry. A cell with a line end in it is a bad row: neither a number
// nor a reason has one. Each file needs a Reader of its own.
type Reader struct {
	Normalize func(string) (string, error)
	Column    string // that of the numbers; empty: phone
	Entry     Entry  // of each number; a row's own reason replaces its note, its own time At
	// Bad receives the line and the reason of each bad row. The reason never
	// quotes the row.
	Bad func(line int, reason string)

	// Rows counts the rows read so far, BadRows the bad ones among them.
	Rows, BadRows int

	line int
	// Columns; -1 when there is none.
	phone, why, since, campaign, by int
}

// Each passes the good rows to take, a batch at a time, and the bad ones to Bad. A
// batch is valid until take returns. Errors: [FileError], those of take, and the
// context's.
func (r *Reader) Each(ctx context.Context, file io.Reader, take func([]Number) error) error {
	in := bufio.NewReaderSize(file, maxLine)
	if err := r.begin(in); err != nil {
		return err
	}
	good := make([]Number, 0, numbersAtOnce)
	for ctx.Err() == nil {
		text, err := r.next(in)
		if errors.Is(err, io.EOF) {
			return take(good)
		}
		var row Number
		switch {
		case errors.Is(err, errLongLine):
		case err != nil:
			return broken(err)
		default:
			row, err = r.row(text)
		}
		r.Rows++
		if err != nil {
			r.BadRows++
			r.Bad(r.line, err.Error())
			continue
		}
		if good = append(good, row); len(good) == numbersAtOnce {
			if err := take(good); err != nil {
				return err
			}
			good = good[:0]
		}
	}
	return ctx.Err()
}

// begin reads the header.
func (r *Reader) begin(in *bufio.Reader) error {
	header, err := r.next(in)
	switch {
	case errors.Is(err, io.EOF):
		return &FileError{Text: "the file is empty"}
	case err != nil && !errors.Is(err, errLongLine):
		return broken(err)
	case err == nil:
		err = r.readHeader(header)
	}
	if err != nil {
		return &FileError{Line: r.line, Text: "header: " + err.Error()}
	}
	return nil
}

var errLongLine = fmt.Errorf("longer than %s bytes", campaign.Number(maxLine))

// next returns the next line that isn't blank, without its line end.
func (r *Reader) next(in *bufio.Reader) (string, error) {
	for {
		r.line++
		b, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = in.ReadSlice('\n')
			}
			return "", errLongLine
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(b) == 0) {
			return "", err
		}
		if r.line == 1 {
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		if b = bytes.TrimRight(b, "\r\n"); len(bytes.TrimSpace(b)) > 0 {
			return string(b), nil
		}
	}
}

// split returns a line's cells. Its error never quotes them.
func split(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		return strings.Split(line, ","), nil
	}
	cells, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return nil, errors.New("its quotes can't be read") // the cause may quote the line
	}
	return cells, nil
}

func (r *Reader) readHeader(line string) error {
	names, err := split(line)
	if err != nil {
		return err
	}
	column := func(name string) int {
		return slices.IndexFunc(names, func(s string) bool { return strings.TrimSpace(s) == name })
	}
	name := cmp.Or(r.Column, "phone")
	if r.phone = column(name); r.phone < 0 {
		return fmt.Errorf("there is no column %s; cells are separated by commas", name)
	}
	r.why, r.since, r.campaign, r.by = column("why"), column("since"), column("campaign"), column("by")
	return nil
}

// row returns the number of a line, with its entry. Its error never quotes the
// line.
func (r *Reader) row(line string) (Number, error) {
	cells, err := split(line)
	if err != nil {
		return Number{}, err
	}
	if r.phone >= len(cells) {
		return Number{}, errors.New("phone: empty")
	}
	cell := func(column int) string {
		if column < 0 || column >= len(cells) {
			return ""
		}
		return strings.TrimSpace(cells[column])
	}
	n := Number{Entry: r.Entry}
	if since, ok := parseSince(cell(r.since)); ok {
		if since.Before(n.At) {
			n.At = since
		}
		// As handout suppress list writes it: the entry, and the number, which may be
		// one that can't be dialled, stay as they are.
		if why, note, ok := parseReason(cell(r.why)); ok && isAddress(cell(r.phone)) {
			n.Phone = cell(r.phone)
			n.Why, n.Note, n.Campaign, n.By = why, note, campaign.ID(cell(r.campaign)), cell(r.by)
			if err := n.Check(); err != nil {
				return n, fmt.Errorf("its entry: %w", err)
			}
			return n, nil
		}
	}
	if n.Phone, err = Normalize(r.Normalize, cells[r.phone]); err != nil {
		return n, fmt.Errorf("phone: %w", err)
	}
	if why := handNote(cell(r.why)); why != "" {
		n.Note = why
	}
	if err := n.Check(); err != nil {
		return n, fmt.Errorf("why: %w", err)
	}
	return n, nil
}

// parseSince reads a time, or a day, as of a carrier's file.
func parseSince(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// Normalize reads a number with a function that refuses what can't be dialled. It also
// takes the form that a recipient's STOP comes from, which often can't: see
// [phone.Variants].
// E-mail addresses are compared in lower case.
func Normalize(normalize func(string) (string, error), s string) (string, error) {
	if phone.IsEmail(s) {
		address, err := phone.ParseEmail(s)
		return phone.FoldEmail(address), err
	}
	e164, err := normalize(s)
	if err == nil {
		return e164, nil
	}
	if forms := phone.Variants(strings.TrimSpace(s)); len(forms) > 1 {
		if e164, err := normalize(forms[0]); err == nil {
			return e164, nil
		}
	}
	return "", err
}

// handNote returns the reason in a cell, without the words that suppress list
// puts before it.
func handNote(cell string) string {
	hand := WhyHand.String()
	cell = strings.TrimSpace(cell)
	if cell == hand {
		return ""
	}
	return strings.TrimPrefix(cell, hand+": ")
}
