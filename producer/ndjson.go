package producer

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
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
		members, broken := splitJSON(record, nil)
		if broken != nil || len(record) > MaxRow || !utf8.ValidString(record) {
			// It becomes a bad row, unless there is nothing to go by.
			if broken == nil {
				broken = &brokenJSON{0, "longer than a row may be, or not UTF-8"}
			}
			line, column := position(record, int(at.line), broken.offset)
			faults.add(Fault{File: s.name, Line: line, Column: column, Message: broken.reason})
			continue
		}
		return s, s.readHeader(members, int(at.line), w)
	}
	if faults.Total == 0 {
		return nil, errNoBytes
	}
	return nil, faults.err()
}

func (s *ndjsonSource) readHeader(members []member, line int, w *wanted) error {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = strings.Clone(m.key)
	}
	h, wrong := newHeader(names, w)
	var faults Faults
	for _, f := range wrong {
		faults.add(Fault{File: s.name, Line: line, Message: "the first object: " + f.reason})
	}
	s.h, s.keys = h, names
	return faults.err()
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
	var members []member
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
		var broken *brokenJSON
		if members, broken = splitJSON(record, members[:0]); broken != nil {
			c.refuse(row, broken.offset, broken.reason)
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
func (s *ndjsonSource) arrange(members []member, cells []cell) (offset int, reason string) {
	for i := range cells {
		cells[i].offset = -1
	}
	for i, m := range members {
		at := i
		if i >= len(cells) || s.keys[i] != m.key {
			at = slices.Index(s.keys, m.key)
		}
		switch {
		case at < 0:
			return m.value.offset, "a key that the first object hasn't"
		case cells[at].offset >= 0:
			return m.value.offset, "a key stands here twice"
		}
		cells[at] = m.value
	}
	for i := range cells {
		if cells[i].offset < 0 {
			return 0, "no key " + s.h.name(i)
		}
	}
	return 0, ""
}

// member is a key of a flat JSON object and its value as text.
type member struct {
	key   string
	value cell
}

// brokenJSON says why a line can't be read, and where.
type brokenJSON struct {
	offset int
	reason string
}

// splitJSON appends the members of a line's object: texts, and numbers and
// booleans as they are written. It leaves all but the commonest forms to
// encoding/json.
func splitJSON(line string, members []member) ([]member, *brokenJSON) {
	s := jsonScanner{line: line}
	if !s.take('{') {
		return members, s.broken("not a JSON object")
	}
	if s.take('}') {
		return members, s.end()
	}
	for {
		s.space()
		key, ok := s.text()
		if !ok || !s.take(':') {
			return members, s.broken("not valid JSON")
		}
		s.space()
		at := s.at
		value, reason := s.value()
		if reason != "" {
			s.at = at
			return members, s.broken(reason)
		}
		members = append(members, member{key, cell{text: value, offset: at}})
		if s.take(',') {
			continue
		}
		if !s.take('}') {
			return members, s.broken("not valid JSON")
		}
		return members, s.end()
	}
}

// jsonScanner reads one line.
type jsonScanner struct {
	line string
	at   int
}

func (s *jsonScanner) broken(reason string) *brokenJSON {
	return &brokenJSON{min(s.at, len(s.line)), reason}
}

func (s *jsonScanner) end() *brokenJSON {
	if s.space(); s.at < len(s.line) {
		return s.broken("more than one JSON object on a line")
	}
	return nil
}

func (s *jsonScanner) space() {
	for s.at < len(s.line) && strings.IndexByte(" \t\r\n", s.line[s.at]) >= 0 {
		s.at++
	}
}

func (s *jsonScanner) take(c byte) bool {
	if s.space(); s.at < len(s.line) && s.line[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *jsonScanner) text() (string, bool) {
	if s.at >= len(s.line) || s.line[s.at] != '"' {
		return "", false
	}
	for i := s.at + 1; i < len(s.line); i++ {
		switch c := s.line[i]; {
		case c == '"':
			text := s.line[s.at+1 : i]
			s.at = i + 1
			return text, true
		case c == '\\':
			return s.escaped()
		case c < ' ':
			return "", false
		}
	}
	return "", false
}

// escaped is a text with escapes in it.
func (s *jsonScanner) escaped() (string, bool) {
	for i := s.at + 1; i < len(s.line); i++ {
		switch s.line[i] {
		case '\\':
			i++
		case '"':
			var text string
			if json.Unmarshal([]byte(s.line[s.at:i+1]), &text) != nil {
				return "", false
			}
			s.at = i + 1
			return text, true
		}
	}
	return "", false
}

func (s *jsonScanner) value() (text, reason string) {
	if s.at < len(s.line) && s.line[s.at] == '"' {
		text, ok := s.text()
		if !ok {
			return "", "not valid JSON"
		}
		return text, ""
	}
	n := strings.IndexAny(s.line[s.at:], ",} \t\r\n")
	if n < 0 {
		n = len(s.line) - s.at
	}
	text = s.line[s.at : s.at+n]
	switch {
	case text == "null":
		return "", "null is no value: leave the text empty instead"
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "", "a value must be a text, a number or a boolean"
	case !json.Valid([]byte(text)):
		return "", "not valid JSON"
	}
	s.at += n
	return text, ""
}
