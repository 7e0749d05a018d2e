package producer

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

	"github.com/handout-dev/handout/campaign"
)

const (
	// numbersAtOnce is how many numbers go to Redis at once.
	numbersAtOnce = 1000
	// mostNumberLine bounds a line of the file, in bytes.
	mostNumberLine = 64 << 10
)

// NumberFile reads a file of numbers for the suppression list, line by line and
// in constant memory: CSV with a header, of which the column phone is needed and
// a column why is the reason. A cell with a line end in it is a bad row: neither
// a number nor a reason has one.
type NumberFile struct {
	Name      string                       // stands in errors and faults
	Normalize func(string) (string, error) // see [PhoneNormalizer]
	Entry     campaign.Suppression         // of each, but for a reason of its own
	Tell      func(Fault)                  // is told of bad rows; none of them names a number

	Rows, Bad int // so far

	line       int
	phone, why int // columns; why is -1 when there is none
	cells      []string
}

// Each hands over the good rows in batches and tells of the bad ones. A NumberFile
// is read once.
func (i *NumberFile) Each(ctx context.Context, from io.Reader, take func([]campaign.SuppressedNumber) error) error {
	r := bufio.NewReaderSize(from, mostNumberLine)
	header, err := i.next(r)
	if err == nil {
		err = i.readHeader(header)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: the file is empty", i.Name)
	}
	if err != nil {
		return fmt.Errorf("%s:%d: header: %w", i.Name, i.line, err)
	}
	batch := make([]campaign.SuppressedNumber, 0, numbersAtOnce)
	for ctx.Err() == nil {
		text, err := i.next(r)
		if errors.Is(err, io.EOF) {
			return take(batch)
		}
		var row campaign.SuppressedNumber
		switch {
		case errors.Is(err, errLongLine):
		case err != nil:
			return err
		default:
			row, err = i.row(text)
		}
		i.Rows++
		if err != nil {
			i.Bad++
			i.Tell(Fault{File: i.Name, Line: i.line, Message: err.Error()})
			continue
		}
		if batch = append(batch, row); len(batch) == numbersAtOnce {
			if err := take(batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return ctx.Err()
}

var errLongLine = fmt.Errorf("longer than %d bytes", mostNumberLine)

// next is the next line that isn't blank, without its end. It is good until the
// next call.
func (i *NumberFile) next(r *bufio.Reader) (string, error) {
	for {
		i.line++
		b, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = r.ReadSlice('\n')
			}
			return "", errLongLine
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(b) == 0) {
			return "", err
		}
		if i.line == 1 {
			b = bytes.TrimPrefix(b, []byte("\ufeff"))
		}
		if b = bytes.TrimRight(b, "\r\n"); len(bytes.TrimSpace(b)) > 0 {
			return string(b), nil
		}
	}
}

func (i *NumberFile) split(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		i.cells = i.cells[:0]
		for cell := range strings.SplitSeq(line, ",") {
			i.cells = append(i.cells, cell)
		}
		return i.cells, nil
	}
	cells, err := csv.NewReader(strings.NewReader(line)).Read()
	if err != nil {
		return nil, errors.New("its quotes can't be read") // the cause may quote the line
	}
	return cells, nil
}

func (i *NumberFile) readHeader(line string) error {
	names, err := i.split(line)
	if err != nil {
		return err
	}
	column := func(name string) int {
		return slices.IndexFunc(names, func(s string) bool { return strings.TrimSpace(s) == name })
	}
	if i.phone, i.why = column("phone"), column("why"); i.phone < 0 {
		return errors.New("there is no column phone; cells are separated by commas")
	}
	return nil
}

// row is the entry that a line asks for. Its error never quotes the line.
func (i *NumberFile) row(line string) (campaign.SuppressedNumber, error) {
	cells, err := i.split(line)
	if err != nil {
		return campaign.SuppressedNumber{}, err
	}
	if i.phone >= len(cells) {
		return campaign.SuppressedNumber{}, errors.New("phone: empty")
	}
	n := campaign.SuppressedNumber{Suppression: i.Entry}
	if n.Phone, err = i.Normalize(cells[i.phone]); err != nil {
		return n, fmt.Errorf("phone: %w", err)
	}
	if i.why >= 0 && i.why < len(cells) {
		if why := handNote(cells[i.why]); why != "" {
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
	hand := campaign.WhyHand.String()
	cell = strings.TrimSpace(cell)
	if cell == hand {
		return ""
	}
	return strings.TrimPrefix(cell, hand+": ")
}
