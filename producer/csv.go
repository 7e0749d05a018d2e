package producer

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// The CSV here is that of encoding/csv, read in two steps: one goroutine cuts
// records, several read their cells. Unlike encoding/csv it goes on after a quote
// that is never closed, and bounds the memory that such a quote takes.

// csvSource is a list in CSV.
type csvSource struct {
	name string
	r    *recordReader
	h    *header
}

func newCSV(name string, r io.Reader) (*csvSource, error) {
	s := &csvSource{name: name, r: newRecordReader(r, true)}
	if err := s.r.begin(); err != nil {
		return nil, err
	}
	for {
		var b block
		if err := s.r.fill(&b, 1); errors.Is(err, io.EOF) {
			return nil, errNoBytes
		} else if err != nil {
			return nil, err
		}
		record := b.text[b.spans[0].start:b.spans[0].end]
		if blank(record) {
			continue
		}
		return s, s.readHeader(record, int(b.spans[0].line))
	}
}

func (s *csvSource) readHeader(record string, line int) error {
	var faults Faults
	add := func(offset int, reason string) {
		at, column := position(record, line, offset)
		faults.add(Fault{File: s.name, Line: at, Column: column, Message: "header: " + reason})
	}
	if len(record) > MaxRow || !utf8.ValidString(record) {
		add(0, "longer than a row may be, or not UTF-8")
		return faults.err()
	}
	cells, broken := splitCSV(record, nil)
	if broken != nil {
		add(broken.offset, broken.reason)
		return faults.err()
	}
	names := make([]string, len(cells))
	for i, c := range cells {
		names[i] = strings.Clone(strings.TrimSpace(c.text))
	}
	h, wrong := newHeader(names)
	for _, i := range slices.Sorted(maps.Keys(wrong)) {
		reason, offset := wrong[i], 0
		if i >= 0 {
			offset = cells[i].offset
		} else if len(cells) == 1 && strings.ContainsAny(record, ";\t") {
			reason += ": cells are separated by commas, not by semicolons or tabs"
		}
		add(offset, reason)
	}
	s.h = h
	return faults.err()
}

func (s *csvSource) header() *header { return s.h }

func (s *csvSource) fill(b *block) error { return s.r.fill(b, maxBlockRows) }

func (s *csvSource) check(b *block, c *rowChecker) {
	c.begin(b, len(b.spans))
	var cells []cell
	for _, at := range b.spans {
		record := b.text[at.start:at.end]
		if blank(record) {
			continue
		}
		row := rowAt{record: record, line: int(at.line)}
		if len(record) > MaxRow {
			c.refuse(row, 0, reasonLongRow)
			continue
		}
		var broken *brokenCSV
		if cells, broken = splitCSV(record, cells[:0]); broken != nil {
			c.refuse(row, broken.offset, broken.reason)
			continue
		}
		c.row(row, cells)
	}
}

// cell is a cell of a row, and where in the record it begins.
type cell struct {
	text   string
	offset int
}

// brokenCSV says why a record can't be read, and where.
type brokenCSV struct {
	offset int
	reason string
}

// blank reports whether a row is empty. Such rows are skipped, as encoding/csv does.
func blank(record string) bool { return record == "\n" || record == "\r\n" || record == "\r" }

// splitCSV appends the cells of a record, which ends with its line end unless
// it is the list's last. Their texts are parts of the record where possible.
func splitCSV(record string, cells []cell) ([]cell, *brokenCSV) {
	line := strings.TrimSuffix(record, "\n")
	line = strings.TrimSuffix(line, "\r")
	quoted := strings.IndexByte(line, '"') >= 0
	for at := 0; ; {
		rest := line[at:]
		if quoted && strings.HasPrefix(rest, `"`) {
			text, n, broken := quotedCell(rest)
			if broken != nil {
				broken.offset += at
				return cells, broken
			}
			cells = append(cells, cell{text, at})
			if at += n; at == len(line) {
				return cells, nil
			}
			at++ // the comma
			continue
		}
		n := strings.IndexByte(rest, ',')
		text := rest
		if n >= 0 {
			text = rest[:n]
		}
		if quoted && strings.IndexByte(text, '"') >= 0 {
			return cells, &brokenCSV{at + strings.IndexByte(text, '"'), "a quote stands in a cell that doesn't begin with one"}
		}
		cells = append(cells, cell{text, at})
		if n < 0 {
			return cells, nil
		}
		at += n + 1
	}
}

// quotedCell reads a cell that begins with a quote, up to the comma or the end.
func quotedCell(s string) (text string, n int, broken *brokenCSV) {
	end := closingQuote(s)
	if end < 0 {
		return "", 0, &brokenCSV{0, "a quote is opened and never closed"}
	}
	if n = end + 1; n < len(s) && s[n] != ',' {
		return "", 0, &brokenCSV{n, "a cell goes on after its closing quote"}
	}
	text = s[1:end]
	if strings.IndexByte(text, '"') >= 0 {
		text = strings.ReplaceAll(text, `""`, `"`)
	}
	if strings.Contains(text, "\r\n") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return text, n, nil
}

// closingQuote is where the quote that opens s is closed, or -1.
func closingQuote[T string | []byte](s T) int {
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			continue
		}
		if i+1 == len(s) || s[i+1] != '"' {
			return i
		}
		i++
	}
	return -1
}

// csvRecordEnd is the length of the record that data begins with, up to the
// first line end outside quotes; 0 when its quotes are broken or don't end.
func csvRecordEnd(data []byte) int {
	for at := 0; at < len(data); {
		if data[at] == '"' {
			end := closingQuote(data[at:])
			if end < 0 {
				return 0
			}
			switch at += end + 1; {
			case at < len(data) && data[at] == ',':
				at++
				continue
			case at == len(data) || data[at] == '\n':
				return min(at+1, len(data))
			case data[at] == '\r' && (at+1 == len(data) || data[at+1] == '\n'):
				return min(at+2, len(data))
			}
			return 0
		}
		n := bytes.IndexAny(data[at:], ",\n")
		if n < 0 {
			n = len(data) - at
		}
		switch {
		case bytes.IndexByte(data[at:at+n], '"') >= 0:
			return 0
		case at+n == len(data):
			return len(data)
		case data[at+n] == '\n':
			return at + n + 1
		}
		at += n + 1
	}
	return len(data)
}
