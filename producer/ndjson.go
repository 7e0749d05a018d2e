package producer

import (
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/handout-dev/handout/internal/listfile"
)

// ndjsonSource is a list with a JSON object on every line. The first object
// that can be read fixes the columns.
type ndjsonSource struct {
	name    string
	r       *recordReader
	h       *header
	keys    []string // as the first object has them
	pending *block   // what was read to find the first object
}

func newNDJSON(name string, r io.Reader, w *wanted) (*ndjsonSource, error) {
	s := &ndjsonSource{name: name, r: newRecordReader(r, false)}
	b := new(block)
	if err := s.r.fill(b, maxBlockRows); errors.Is(err, io.EOF) {
		return nil, errNoBytes
	} else if err != nil {
		return nil, err
	}
	s.pending = b
	var faults Faults
	for _, at := range b.spans {
		record := strings.TrimRight(b.text[at.start:at.end], "\r\n")
		if strings.TrimSpace(record) == "" {
			continue
		}
		members, broken := listfile.SplitJSON(record, nil)
		if broken != nil || len(record) > MaxRow || !utf8.ValidString(record) {
			// It becomes a bad row, unless there is nothing to go by.
			if broken == nil {
				broken = &listfile.BrokenJSON{Reason: "longer than a row may be, or not UTF-8"}
			}
			line, column := position(record, int(at.line), broken.Offset)
			faults.Add(Fault{File: s.name, Line: line, Column: column, Message: broken.Reason})
			continue
		}
		return s, s.readHeader(members, int(at.line), w)
	}
	if faults.Total == 0 {
		return nil, errNoBytes
	}
	return nil, faults.Err()
}

func (s *ndjsonSource) readHeader(members []listfile.Member, line int, w *wanted) error {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = strings.Clone(m.Key)
	}
	h, wrong := newHeader(names, w)
	var faults Faults
	for _, f := range wrong {
		faults.Add(Fault{File: s.name, Line: line, Message: "the first object: " + f.reason})
	}
	s.h, s.keys = h, names
	return faults.Err()
}

func (s *ndjsonSource) header() *header { return s.h }

func (s *ndjsonSource) fill(b *block) error {
	if s.pending != nil {
		*b, s.pending = block{text: s.pending.text, spans: s.pending.spans, bytes: s.pending.bytes, checked: b.checked}, nil
		return nil
	}
	return s.r.fill(b, maxBlockRows)
}

func (s *ndjsonSource) check(b *block, c *rowChecker) {
	c.begin(b, len(b.spans))
	var members []listfile.Member
	cells := make([]cell, len(s.h.names))
	for _, at := range b.spans {
		record := strings.TrimRight(b.text[at.start:at.end], "\r\n")
		if strings.TrimSpace(record) == "" {
			continue
		}
		row := rowAt{record: record, line: int(at.line)}
		if len(record) > MaxRow {
			c.refuse(row, 0, reasonLongRow)
			continue
		}
		var broken *listfile.BrokenJSON
		if members, broken = listfile.SplitJSON(record, members[:0]); broken != nil {
			c.refuse(row, broken.Offset, broken.Reason)
			continue
		}
		if offset, reason := s.arrange(members, cells); reason != "" {
			c.refuse(row, offset, reason)
			continue
		}
		c.row(row, cells)
	}
}

// arrange puts an object's members into the order of the columns.
func (s *ndjsonSource) arrange(members []listfile.Member, cells []cell) (offset int, reason string) {
	for i := range cells {
		cells[i].offset = -1
	}
	for i, m := range members {
		at := i
		if i >= len(cells) || s.keys[i] != m.Key {
			at = slices.Index(s.keys, m.Key)
		}
		switch {
		case at < 0:
			return m.Offset, "a key that the first object hasn't"
		case cells[at].offset >= 0:
			return m.Offset, "a key stands here twice"
		}
		cells[at] = cell{text: m.Value, offset: m.Offset}
	}
	for i := range cells {
		if cells[i].offset < 0 {
			return 0, "no key " + s.h.name(i)
		}
	}
	return 0, ""
}
