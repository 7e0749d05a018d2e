package listfile

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"unicode/utf8"
)

// xmlReader reads the XML of a workbook's parts. encoding/xml is ten times as slow,
// and keeps a text of any length in memory.
type xmlReader struct {
	r          io.Reader
	buf        []byte
	start, end int

	name  string // of the tag, without its prefix
	attrs []byte // as they stand; valid until the next tag
	kind  tagKind
	empty bool   // <tag/>: its end comes next
	text  []byte // between the last tag and this one, at most maxText bytes

	tag []byte
}

type tagKind int

const (
	startTag tagKind = iota
	endTag
)

const (
	// maxText is how much of a text is kept: Excel's cells have at most 32,767
	// characters.
	maxText = 1 << 17
	// maxTag bounds a tag with its attributes.
	maxTag = 1 << 16
)

const (
	errXML  = FileError("the workbook is damaged: a part of it isn't XML")
	errPart = FileError("the workbook is damaged: a part of it is missing")
)

func newXMLReader(r io.Reader) *xmlReader { return &xmlReader{r: r, buf: make([]byte, 64<<10)} }

// fill reads more; io.EOF at the end.
func (x *xmlReader) fill() error {
	x.start, x.end = 0, 0
	for range 100 {
		n, err := x.r.Read(x.buf)
		x.end = n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// next reads up to the end of the next tag; io.EOF when there is none.
func (x *xmlReader) next() error {
	if x.empty {
		x.empty, x.kind, x.text = false, endTag, x.text[:0]
		return nil
	}
	x.text = x.text[:0]
	for {
		if err := x.until('<', true); err != nil {
			return err
		}
		if err := x.readTag(); err != nil {
			return err
		}
		if x.tag[0] != '?' && x.tag[0] != '!' {
			return x.parse()
		}
		if bytes.HasPrefix(x.tag, []byte("!DOCTYPE")) {
			return errXML
		}
	}
}

// until reads up to a byte, and past it; what comes before is text, or dropped.
func (x *xmlReader) until(stop byte, keep bool) error {
	for {
		if x.start == x.end {
			if err := x.fill(); err != nil {
				return err
			}
		}
		rest := x.buf[x.start:x.end]
		i := bytes.IndexByte(rest, stop)
		n := i
		if i < 0 {
			n = len(rest)
		}
		if keep {
			x.text = append(x.text, rest[:max(0, min(n, maxText-len(x.text)))]...)
		}
		if i >= 0 {
			x.start += i + 1
			return nil
		}
		x.start = x.end
	}
}

// readTag reads what stands between < and >.
func (x *xmlReader) readTag() error {
	if rest := x.buf[x.start:x.end]; len(rest) > 0 && rest[0] != '!' {
		if i := bytes.IndexByte(rest, '>'); i > 0 && bytes.Count(rest[:i], []byte{'"'})%2 == 0 && bytes.IndexByte(rest[:i], '\'') < 0 {
			x.tag = rest[:i] // nearly always it is whole
			x.start += i + 1
			return nil
		}
	}
	x.tag = nil
	quote := byte(0)
	for {
		if x.start == x.end {
			if err := x.fill(); err != nil {
				return unexpected(err)
			}
		}
		for i, c := range x.buf[x.start:x.end] {
			comment := bytes.HasPrefix(x.tag, []byte("!--"))
			data := bytes.HasPrefix(x.tag, []byte("![CDATA["))
			switch {
			case comment || data:
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			}
			ends := quote == 0
			switch {
			case comment:
				ends = len(x.tag) >= len("!----") && bytes.HasSuffix(x.tag, []byte("--"))
			case data:
				ends = bytes.HasSuffix(x.tag, []byte("]]"))
			}
			if c == '>' && ends {
				x.start += i + 1
				if data {
					x.literal(x.tag[len("![CDATA[") : len(x.tag)-len("]]")])
				}
				if len(x.tag) == 0 {
					return errXML
				}
				return nil
			}
			if len(x.tag) == maxTag {
				return errXML
			}
			x.tag = append(x.tag, c)
		}
		x.start = x.end
	}
}

// literal appends text in which & and < mean themselves.
func (x *xmlReader) literal(text []byte) {
	text = bytes.ReplaceAll(text, []byte("&"), []byte("&amp;"))
	x.text = append(x.text, text[:max(0, min(len(text), maxText-len(x.text)))]...)
}

func (x *xmlReader) parse() error {
	tag := x.tag
	x.kind = startTag
	if tag[0] == '/' {
		x.kind, tag = endTag, tag[1:]
	}
	if n := len(tag); n > 0 && tag[n-1] == '/' {
		x.empty, tag = x.kind == startTag, tag[:n-1]
	}
	n := bytes.IndexAny(tag, " \t\r\n")
	if n < 0 {
		n = len(tag)
	}
	name := tag[:n]
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		name = name[i+1:]
	}
	x.name, x.attrs = known(name), tag[n:]
	return nil
}

// known returns a tag's name without an allocation for those that come with every
// cell.
func known(name []byte) string {
	for _, n := range [...]string{"c", "v", "row", "is", "t", "si", "f", "r"} {
		if string(name) == n {
			return n
		}
	}
	return string(name)
}

// attr is an attribute's value; empty when it isn't there.
func (x *xmlReader) attr(name string) []byte {
	rest := x.attrs
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			return nil
		}
		key := bytes.TrimRight(rest[:eq], " \t\r\n")
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return nil
		}
		n := bytes.IndexByte(rest[1:], rest[0])
		if n < 0 {
			return nil
		}
		value := rest[1 : 1+n]
		rest = rest[n+2:]
		if i := bytes.IndexByte(key, ':'); i >= 0 && name != string(key) {
			key = key[i+1:]
		}
		if string(key) == name {
			return value
		}
	}
}

// appendText appends the text with its entities resolved.
func (x *xmlReader) appendText(to []byte) []byte { return unescape(to, x.text) }

func unescape(to, text []byte) []byte {
	for {
		i := bytes.IndexByte(text, '&')
		if i < 0 {
			return append(to, text...)
		}
		to, text = append(to, text[:i]...), text[i+1:]
		n := bytes.IndexByte(text, ';')
		if n < 0 {
			return append(append(to, '&'), text...)
		}
		name := string(text[:n])
		text = text[n+1:]
		switch name {
		case "amp":
			to = append(to, '&')
		case "lt":
			to = append(to, '<')
		case "gt":
			to = append(to, '>')
		case "quot":
			to = append(to, '"')
		case "apos":
			to = append(to, '\'')
		default:
			to = utf8.AppendRune(to, numbered(name))
		}
	}
}

// numbered is the character of an entity such as #233 or #xE9.
func numbered(name string) rune {
	digits, base := "", 10
	switch {
	case len(name) > 2 && (name[:2] == "#x" || name[:2] == "#X"):
		digits, base = name[2:], 16
	case len(name) > 1 && name[0] == '#':
		digits = name[1:]
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune {
		return utf8.RuneError
	}
	return rune(n)
}

// unexpected returns an end that comes too early as what it is.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
