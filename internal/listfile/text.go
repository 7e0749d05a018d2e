package listfile

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The encodings.
const (
	UTF8        = "UTF-8"
	UTF16LE     = "UTF-16LE"
	UTF16BE     = "UTF-16BE"
	Windows1252 = "Windows-1252"
)

const bom = "\ufeff"

// lookAtText finds a text's encoding by its byte order mark, or for UTF-16 without
// one by its zero bytes; and its line ends.
func (f *File) lookAtText(head []byte) error {
	f.Encoding = UTF8
	switch {
	case bytes.HasPrefix(head, []byte(bom)):
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(head, []byte("\x00\x00\xfe\xff")):
		return errUTF32
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		f.Encoding = UTF16LE
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		f.Encoding = UTF16BE
	default:
		f.Encoding = byZeros(head)
	}
	switch f.Encoding {
	case UTF16LE:
		f.decode(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder())
	case UTF16BE:
		f.decode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder())
	case UTF8:
		f.text, f.undecided = f.in, true
	default:
		return errUTF32
	}
	for { // some programs write the mark twice
		mark, _ := f.in.Peek(len(bom))
		if string(mark) != bom {
			break
		}
		_, _ = f.in.Discard(len(bom)) // they are in the buffer
	}
	head, _ = f.in.Peek(sampleSize) // what can't be read is found when it is
	f.CR = bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(head, '\n') < 0
	return nil
}

// decode has the rest of the text read through a decoder.
func (f *File) decode(d transform.Transformer) {
	f.in = buffered(transform.NewReader(f.in, d))
	f.text = f.in
}

// byZeros is the encoding of a text without a mark: in UTF-16 nearly all of a list's
// characters have a zero byte. It is empty for what is no text.
func byZeros(head []byte) string {
	head = head[:len(head)&^1]
	var zeros [2]int // at even and odd places
	for i, c := range head {
		if c == 0 {
			zeros[i&1]++
		}
	}
	switch half := len(head) / 4; {
	case zeros[0] == 0 && zeros[1] == 0:
		return UTF8
	case zeros[1] > half && zeros[0] == 0:
		return UTF16LE
	case zeros[0] > half && zeros[1] == 0:
		return UTF16BE
	}
	return ""
}

// readUndecided reads a text that has been ASCII so far. With the first character
// beyond it the text shows to be UTF-8, or Windows-1252.
func (f *File) readUndecided(p []byte) (int, error) {
	ahead, err := f.in.Peek(sampleSize)
	if len(ahead) == 0 {
		return 0, err
	}
	ascii := 0
	for ascii+8 <= len(ahead) {
		c := ahead[ascii : ascii+8 : ascii+8]
		if c[0]|c[1]|c[2]|c[3]|c[4]|c[5]|c[6]|c[7] >= utf8.RuneSelf {
			break
		}
		ascii += len(c)
	}
	for ascii < len(ahead) && ahead[ascii] < utf8.RuneSelf {
		ascii++
	}
	if ascii == len(ahead) || ascii > 0 && len(ahead)-ascii < utf8.UTFMax && err == nil {
		return f.in.Read(p[:min(len(p), ascii)])
	}
	f.undecided = false
	if isWindows1252(ahead[ascii:]) {
		f.Encoding = Windows1252
		f.text = transform.NewReader(f.in, charmap.Windows1252.NewDecoder())
	}
	return f.text.Read(p)
}

// isWindows1252 reports whether a text isn't UTF-8, but for a broken character here
// and there, and can be Windows-1252.
func isWindows1252(text []byte) bool {
	good, bad := 0, 0
	for len(text) > 0 {
		if text[0] < utf8.RuneSelf {
			text = text[1:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r != utf8.RuneError || n > 1:
			good++
		case !utf8.FullRune(text): // cut off by the sample's end
		case charmap.Windows1252.DecodeByte(text[0]) == utf8.RuneError:
			return false
		default:
			bad++
		}
		text = text[n:]
	}
	return bad > good
}
