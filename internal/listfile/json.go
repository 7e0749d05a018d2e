package listfile

import (
	"encoding/json"
	"strings"
)

// Member is a key of a flat JSON object, its value as text, and where that begins.
type Member struct {
	Key, Value string
	Offset     int
}

// BrokenJSON says why a line can't be read, and where.
type BrokenJSON struct {
	Offset int
	Reason string
}

// SplitJSON appends the members of a line's object: texts, and numbers and
// booleans as they are written. It leaves all but the commonest forms to
// encoding/json.
func SplitJSON(line string, members []Member) ([]Member, *BrokenJSON) {
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
		members = append(members, Member{key, value, at})
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

func (s *jsonScanner) broken(reason string) *BrokenJSON {
	return &BrokenJSON{min(s.at, len(s.line)), reason}
}

func (s *jsonScanner) end() *BrokenJSON {
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
