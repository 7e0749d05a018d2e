package producer

import (
	"bytes"
	"errors"
	"io"
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
	read *Reading
}

func newCSV(name string, r io.Reader, w *wanted, read *Reading) (*csvSource, error) {
	s := &csvSource{name: name, r: newRecordReader(r, true), read: read}
	told := byte(0)
	for {
		var b block
		if err := s.r.fill(&b, 1); errors.Is(err, io.EOF) {
			return nil, errNoBytes
		} else if err != nil {
			return nil, err
		}
		record := b.text[b.spans[0].start:b.spans[0].end]
		if blankLine(record) {
			continue
		}
		if told == 0 {
			if told = excelDelimiter(record); told != 0 {
				continue
			}
		}
		return s, s.readHeader(record, int(b.spans[0].line), told, w)
	}
}

// delimiters are those that a list may have, the likeliest first.
const delimiters = ",;\t|"

// excelDelimiter returns the delimiter that Excel's own line sep=; names; 0 for
// another line.
func excelDelimiter(record string) byte {
	line := strings.Trim(strings.TrimRight(record, "\r\n"), `" `)
	if len(line) >= 5 && strings.EqualFold(line[:4], "sep=") && strings.IndexByte(delimiters, line[4]) >= 0 {
		return line[4]
	}
	return 0
}

func (s *csvSource) readHeader(record string, line int, told byte, w *wanted) error {
	var faults Faults
	add := func(offset int, reason string) {
		at, column := position(record, line, offset)
		faults.Add(Fault{File: s.name, Line: at, Column: column, Message: "header: " + reason})
	}
	whole := s.r.eof && s.r.start == s.r.end && !strings.HasSuffix(record, "\n")
	switch {
	case len(record) > MaxRow:
		add(0, "longer than a row may be: this looks like a file without line ends")
		return faults.Err()
	case !utf8.ValidString(record):
		add(0, "not UTF-8")
		return faults.Err()
	}
	delimiter, cells, broken := splitHeader(record, told, w)
	if broken != nil {
		add(broken.offset, broken.reason)
		return faults.Err()
	}
	s.r.delimiter, s.read.Delimiter = delimiter, string(delimiter)
	names := make([]string, len(cells))
	for i, c := range cells {
		names[i] = strings.Clone(c.text)
	}
	if whole && slices.ContainsFunc(names, isData) {
		add(0, "the list is one line: this looks like a file without line ends")
		return faults.Err()
	}
	h, wrong := newHeader(names, w)
	for _, f := range wrong {
		offset := 0
		if f.column >= 0 {
			offset = cells[f.column].offset
		}
		add(offset, f.reason)
	}
	s.h = h
	return faults.Err()
}

// splitHeader cuts a header by the delimiter that gives the most names that the
// campaign asks for, else the most names.
func splitHeader(record string, told byte, w *wanted) (delimiter byte, cells []cell, broken *brokenCSV) {
	if told != 0 {
		cells, broken = splitCSV(record, told, nil)
		return told, cells, broken
	}
	best := -1
	for _, d := range []byte(delimiters) {
		these, wrong := splitCSV(record, d, nil)
		score := 0
		if wrong == nil {
			score = len(these)
			for _, c := range these {
				if w.asksFor(c.text) {
					score += MaxColumns
				}
			}
		}
		if score > best {
			best, delimiter, cells, broken = score, d, these, wrong
		}
	}
	return delimiter, cells, broken
}

// isData reports whether a name of a header is rather a person's number or
// address.
func isData(name string) bool {
	const digits = 7
	n := 0
	for _, c := range name {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n >= digits || strings.Contains(name, "://")
}

func (s *csvSource) header() *header { return s.h }

func (s *csvSource) fill(b *block) error { return s.r.fill(b, maxBlockRows) }

func (s *csvSource) check(b *block, c *rowChecker) {
	c.begin(b, len(b.spans))
	var cells []cell
	for _, at := range b.spans {
		record := b.text[at.start:at.end]
		if blankLine(record) {
			continue
		}
		row := rowAt{record: record, line: int(at.line)}
		if len(record) > MaxRow {
			c.refuse(row, 0, reasonLongRow)
			continue
		}
		var broken *brokenCSV
		if cells, broken = splitCSV(record, s.r.delimiter, cells[:0]); broken != nil {
			c.refuse(row, broken.offset, broken.reason)
			continue
		}
		if blankCells(cells) {
			b.blank++
			continue
		}
		c.row(row, cells)
	}
}

// cell is a cell of a row, and where in the record it begins.
type cell struct {
	text   string
	offset int
	broken bool // of a workbook: it has no value
}

// brokenCSV says why a record can't be read, and where.
type brokenCSV struct {
	offset int
	reason string
}

// blankLine reports whether a line is empty. Such lines are skipped, as encoding/csv
// does.
func blankLine(record string) bool { return record == "\n" || record == "\r\n" || record == "\r" }

// blankCells reports whether a row has nothing but empty cells.
func blankCells(cells []cell) bool {
	for i := range cells {
		if cells[i].broken || strings.TrimSpace(cells[i].text) != "" {
			return false
		}
	}
	return true
}

// splitCSV appends the cells of a record, which ends with its line end unless
// it is the list's last. Their texts are parts of the record where possible.
func splitCSV(record string, delimiter byte, cells []cell) ([]cell, *brokenCSV) {
	line := strings.TrimSuffix(record, "\n")
	line = strings.TrimSuffix(line, "\r")
	quoted := strings.IndexByte(line, '"') >= 0
	for at := 0; ; {
		rest := line[at:]
		if quoted && strings.HasPrefix(rest, `"`) {
			text, n, broken := quotedCell(rest, delimiter)
			if broken != nil {
				broken.offset += at
				return cells, broken
			}
			cells = append(cells, cell{text: text, offset: at})
			if at += n; at == len(line) {
				return cells, nil
			}
			at++ // the delimiter
			continue
		}
		n := strings.IndexByte(rest, delimiter)
		text := rest
		if n >= 0 {
			text = rest[:n]
		}
		if quoted && strings.IndexByte(text, '"') >= 0 {
			return cells, &brokenCSV{at + strings.IndexByte(text, '"'), "a quote stands in a cell that doesn't begin with one"}
		}
		cells = append(cells, cell{text: text, offset: at})
		if n < 0 {
			return cells, nil
		}
		at += n + 1
	}
}

// quotedCell reads a cell that begins with a quote, up to the delimiter or the end.
func quotedCell(s string, delimiter byte) (text string, n int, broken *brokenCSV) {
	end := closingQuote(s)
	if end < 0 {
		return "", 0, &brokenCSV{0, "a quote is opened and never closed"}
	}
	if n = end + 1; n < len(s) && s[n] != delimiter {
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
func csvRecordEnd(data []byte, delimiter byte) int {
	for at := 0; at < len(data); {
		if data[at] == '"' {
			end := closingQuote(data[at:])
			if end < 0 {
				return 0
			}
			switch at += end + 1; {
			case at < len(data) && data[at] == delimiter:
				at++
				continue
			case at == len(data) || data[at] == '\n':
				return min(at+1, len(data))
			case data[at] == '\r' && (at+1 == len(data) || data[at+1] == '\n'):
				return min(at+2, len(data))
			}
			return 0
		}
		n := bytes.IndexByte(data[at:], '\n')
		if n < 0 {
			n = len(data) - at
		}
		if d := bytes.IndexByte(data[at:at+n], delimiter); d >= 0 {
			n = d
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
