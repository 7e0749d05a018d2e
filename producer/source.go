package producer

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/handout-dev/handout/campaign"
)

// source reads a list in blocks of rows. header and fill are called by one
// goroutine at a time; check by several, for different blocks.
type source interface {
	header() *header
	// fill takes the next rows; io.EOF when there are none.
	fill(*block) error
	// check passes the rows of a block to the checker.
	check(*block, *rowChecker)
}

// block is some rows on their way through the pipeline.
type block struct {
	// As read: a text with the span of each row, or rows from Go.
	text  string
	spans []span
	rows  []Row
	cells []cell // of a workbook, row after row
	ends  []sheetRow
	first int   // number of the first of rows
	bytes int64 // of the list, up to the end of this block

	// As checked: the good rows, and what is wrong with the others.
	recipients []campaign.Recipient
	numbers    []uint64 // their phone numbers
	lines      []int32
	parts      []uint8    // SMS of each; only in a dry run
	zones      []*zoneSet // of each; only where the campaign has hours in them
	read       int        // rows, good and bad
	bad        int        // rows
	blank      int        // rows of empty cells
	unknown    int        // good rows with a number of a range that isn't known
	faults     Faults
	checked    chan struct{} // closed when check is done
}

// span is where a row stands in a block's text.
type span struct{ start, end, line int32 }

// blockSize is about how many bytes of a list travel together: a thousand rows,
// enough to make handing them over cheap.
const blockSize = 128 << 10

// recordReader cuts a stream into records without reading them: lines, and for
// CSV lines joined by quotes. A record that is longer than MaxRow is cut off
// after MaxRow+1 bytes and the rest of its line skipped, so that nothing in a
// list can take more memory than that.
type recordReader struct {
	r          io.Reader
	quotes     bool
	delimiter  byte // of cells, where quotes count
	buf        []byte
	start, end int // of what is unread in buf
	line       int // of buf[start]
	total      int64
	eof        bool
	skipping   bool // the rest of a long line
}

func newRecordReader(r io.Reader, quotes bool) *recordReader {
	return &recordReader{r: r, quotes: quotes, delimiter: ',', buf: make([]byte, blockSize+MaxRow+2), line: 1}
}

var errNoBytes = errors.New("the list is empty")

// load fills the buffer.
func (r *recordReader) load() error {
	copy(r.buf, r.buf[r.start:r.end])
	r.start, r.end = 0, r.end-r.start
	for empty := 0; !r.eof && r.end < len(r.buf); {
		n, err := r.r.Read(r.buf[r.end:])
		r.end += n
		r.total += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			r.eof = true
		case err != nil:
			return err
		case n > 0:
			empty = 0
		default:
			if empty++; empty == 100 {
				return io.ErrNoProgress
			}
		}
	}
	return nil
}

// fill takes up to limit records; io.EOF when there are none.
func (r *recordReader) fill(b *block, limit int) error {
	if err := r.load(); err != nil {
		return err
	}
	from := r.start
	for len(b.spans) < limit && r.next(b, from) {
	}
	b.text = string(r.buf[from:r.start])
	b.bytes = r.total - int64(r.end-r.start)
	if len(b.spans) == 0 {
		if r.start < r.end || !r.eof {
			return r.fill(b, limit) // it has skipped the rest of a long line
		}
		return io.EOF
	}
	return nil
}

// next takes a record; false when the buffer must be filled first.
func (r *recordReader) next(b *block, from int) bool {
	data := r.buf[r.start:r.end]
	if r.skipping {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			r.start = r.end
			return false
		}
		r.start += i + 1
		r.line++
		r.skipping = false
		return true
	}
	if len(data) == 0 || (!r.eof && len(data) <= MaxRow+1) {
		return false
	}
	n, lines := recordEnd(data, r.quotes, r.delimiter)
	b.spans = append(b.spans, span{int32(r.start - from), int32(r.start - from + n), int32(r.line)})
	r.start += n
	r.line += lines
	r.skipping = lines == 0 && n > MaxRow
	return true
}

// recordEnd is the length of the record that data begins with and the number of
// line ends in it. data holds more than MaxRow bytes, or all that is left.
func recordEnd(data []byte, quotes bool, delimiter byte) (n, lines int) {
	data = data[:min(len(data), MaxRow+1)]
	first := bytes.IndexByte(data, '\n') + 1
	if first == 0 {
		return len(data), 0
	}
	if !quotes || bytes.IndexByte(data[:first], '"') < 0 {
		return first, 1
	}
	n = csvRecordEnd(data, delimiter)
	if n == 0 || n > MaxRow {
		// A quote out of place: only the line that the record begins with is bad.
		// Reading on to the next quote would swallow good rows.
		return first, 1
	}
	return n, bytes.Count(data[:n], []byte{'\n'})
}

// position is the line and column of a byte of a record.
func position(record string, line, offset int) (int, int) {
	before := record[:offset]
	if n := strings.Count(before, "\n"); n > 0 {
		return line + n, offset - strings.LastIndexByte(before, '\n')
	}
	return line, offset + 1
}
