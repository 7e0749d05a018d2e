package suppression

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/handout-dev/handout/producer"
)

const (
	// batch is how many numbers are handed over at once.
	batch = 1000
	// mostLine bounds a line of the file, in bytes.
	mostLine = 64 << 10
)

// Reader reads one file line by line, in constant memory: CSV with a header, of
// which it knows the columns phone and why. A cell with a line end in it is a bad
// row: neither a number nor a reason has one. It is good for one file.
type Reader struct {
	Name      string // of the file, for faults; may be empty
	Normalize func(string) (string, error)
	Entry     Entry // of each, but for a reason of its own
	// Bad is told of bad rows, without their content.
	Bad func(producer.Fault)

	// Rows are those read so far, and BadRows those of them that are bad.
	Rows, BadRows int

	line       int
	phone, why int // columns; why is -1 when there is none
	cells      []string
}

// Each hands over the good rows in batches, which are good until it returns, and
// names the bad ones. Errors: *producer.Faults for a file without rows or a right
// header, *producer.ReadError, those of take, and the context's.
func (r *Reader) Each(ctx context.Context, file io.Reader, take func([]Number) error) error {
	in := bufio.NewReaderSize(file, mostLine)
	if err := r.begin(in); err != nil {
		return err
	}
	good := make([]Number, 0, batch)
	for ctx.Err() == nil {
		text, err := r.next(in)
		if errors.Is(err, io.EOF) {
			return take(good)
		}
		var row Number
		switch {
		case errors.Is(err, errLongLine):
		case err != nil:
			return r.broken(err)
		default:
			row, err = r.row(text)
		}
		r.Rows++
		if err != nil {
			r.BadRows++
			r.Bad(producer.Fault{File: r.Name, Line: r.line, Message: err.Error()})
			continue
		}
		if good = append(good, row); len(good) == batch {
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
		return r.fault(0, "the file is empty")
	case err != nil && !errors.Is(err, errLongLine):
		return r.broken(err)
	case err == nil:
		err = r.readHeader(header)
	}
	if err != nil {
		return r.fault(r.line, "header: "+err.Error())
	}
	return nil
}

func (r *Reader) fault(line int, message string) error {
	return &producer.Faults{List: []producer.Fault{{File: r.Name, Line: line, Message: message}}, Total: 1}
}

func (r *Reader) broken(err error) error { return &producer.ReadError{List: r.Name, Err: err} }

var errLongLine = fmt.Errorf("longer than %d bytes", mostLine)

// next is the next line that isn't blank, without its end. It is good until the
// next call.
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

func (r *Reader) split(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		r.cells = r.cells[:0]
		for cell := range strings.SplitSeq(line, ",") {
			r.cells = append(r.cells, cell)
		}
		return r.cells, nil
	}
	cells, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return nil, errors.New("its quotes can't be read") // the cause may quote the line
	}
	return cells, nil
}

func (r *Reader) readHeader(line string) error {
	names, err := r.split(line)
	if err != nil {
		return err
	}
	column := func(name string) int {
		return slices.IndexFunc(names, func(s string) bool { return strings.TrimSpace(s) == name })
	}
	if r.phone, r.why = column("phone"), column("why"); r.phone < 0 {
		return errors.New("there is no column phone; cells are separated by commas")
	}
	return nil
}

// row is the entry that a line asks for. Its error never quotes the line.
func (r *Reader) row(line string) (Number, error) {
	cells, err := r.split(line)
	if err != nil {
		return Number{}, err
	}
	if r.phone >= len(cells) {
		return Number{}, errors.New("phone: empty")
	}
	n := Number{Entry: r.Entry}
	if n.Phone, err = r.Normalize(cells[r.phone]); err != nil {
		return n, fmt.Errorf("phone: %w", err)
	}
	if r.why >= 0 && r.why < len(cells) {
		if why := handNote(cells[r.why]); why != "" {
			n.Note = why
		}
	}
	if err := n.Check(); err != nil {
		return n, fmt.Errorf("why: %w", err)
	}
	return n, nil
}

// handNote is the reason in a cell, without the words that suppress list has put
// before it.
func handNote(cell string) string {
	hand := WhyHand.String()
	cell = strings.TrimSpace(cell)
	if cell == hand {
		return ""
	}
	return strings.TrimPrefix(cell, hand+": ")
}
