package telesign

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The functions of this file walk over JSON that json.Valid has passed. They
// keep the order of members, which a map would lose, and take what type there
// is, where encoding/json would insist on one.

// first returns the first byte of a value, 0 when there is none.
func first(b []byte) byte {
	if i := skipSpace(b, 0); i < len(b) {
		return b[i]
	}
	return 0
}

// members walks over the members of an object; over nothing for other values.
// The key is without its quotes.
func members(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		i := skipSpace(b, 0)
		if i >= len(b) || b[i] != '{' {
			return
		}
		for i = next(b, i); i < len(b) && b[i] == '"'; i = next(b, i) {
			end := skipString(b, i)
			key := b[i+1 : end-1]
			if bytes.IndexByte(key, '\\') >= 0 {
				key = []byte(text(b[i:end]))
			}
			i = next(b, skipSpace(b, end)) // the colon
			end = skipValue(b, i)
			if !yield(key, b[i:end]) {
				return
			}
			i = skipSpace(b, end) // the comma, or the end
		}
	}
}

// elements walks over the elements of an array; over nothing for other values.
func elements(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := skipSpace(b, 0)
		if i >= len(b) || b[i] != '[' {
			return
		}
		for i = next(b, i); i < len(b) && b[i] != ']'; i = next(b, i) {
			end := skipValue(b, i)
			if !yield(b[i:end]) {
				return
			}
			i = skipSpace(b, end)
			if i < len(b) && b[i] == ']' {
				return
			}
		}
	}
}

// next returns the index of what follows the one byte at i.
func next(b []byte, i int) int { return skipSpace(b, min(i+1, len(b))) }

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index behind the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b) && b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(b))
}

// skipValue returns the index behind the value that begins at i. It counts
// brackets instead of calling itself, so nesting costs nothing.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default: // a number, true, false or null
			for i < len(b) && bytes.IndexByte([]byte(",]} \t\n\r"), b[i]) < 0 {
				i++
			}
		}
		if depth == 0 {
			break
		}
	}
	return i
}

// text returns a string's content, a number as it is written, and "" for all
// other values.
func text(v []byte) string {
	switch first(v) {
	case 0, 'n', 't', 'f', '{', '[':
		return ""
	case '"':
		s := v[1 : len(v)-1]
		if bytes.IndexByte(s, '\\') < 0 && utf8.Valid(s) {
			return string(s)
		}
		var out string
		if json.Unmarshal(v, &out) != nil {
			return ""
		}
		return out
	}
	return string(v)
}

// codeOf returns a code, written as a number or as a string; 0 for all else.
func codeOf(v []byte) Code {
	n, ok := integer(text(v))
	if !ok {
		return 0
	}
	return Code(n)
}

// integer reads a whole number of at most 32 bits, also as "3000.0" or "3e3".
func integer(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return int(n), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return 0, false
	}
	return int(f), true
}
