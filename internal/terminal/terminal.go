// Package terminal writes text that came from elsewhere, as names in a list or a
// vendor's words, so that it can't steer the terminal on which it ends: move the
// cursor, change a title, or turn the direction of what follows.
package terminal

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// Writer writes control characters but tab and line feed, and the characters that
// override the direction of text, as \u and four digits. In a JSON string that means
// the character itself, so JSON stays exact. It is safe for concurrent use.
type Writer struct {
	w    io.Writer
	mu   sync.Mutex
	rest []byte // the beginning of a character whose end is still to come
}

// New returns a Writer on w.
func New(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes all of p, but for the beginning of a character at its end.
func (t *Writer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := append(t.rest, p...)
	whole := len(text)
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if utf8.RuneStart(text[len(text)-i]) {
			if !utf8.FullRune(text[len(text)-i:]) {
				whole -= i
			}
			break
		}
	}
	if _, err := io.WriteString(t.w, Text(string(text[:whole]))); err != nil {
		return 0, err
	}
	t.rest = append([]byte(nil), text[whole:]...)
	return len(p), nil
}

// Text returns s as a Writer writes it. What isn't UTF-8 is U+FFFD.
func Text(s string) string {
	if strings.IndexFunc(s, steers) < 0 {
		return strings.ToValidUTF8(s, "\ufffd")
	}
	var b strings.Builder
	for _, r := range s { // what isn't UTF-8 comes as U+FFFD
		if steers(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// steers reports whether a terminal would obey the character: C0, DEL and C1, and
// Unicode's embeddings, overrides and isolates of direction.
func steers(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Raw returns what w writes to, for what may steer a terminal.
func Raw(w io.Writer) io.Writer {
	if t, ok := w.(*Writer); ok {
		return t.w
	}
	return w
}

// Exact returns what writes every byte as it is, unless that is a terminal.
func Exact(w io.Writer) io.Writer {
	if Is(w) {
		return w
	}
	return Raw(w)
}

// File returns the file that w writes to, if it is one.
func File(w io.Writer) (*os.File, bool) {
	f, ok := Raw(w).(*os.File)
	return f, ok
}

// Is reports whether w writes to a terminal.
func Is(w io.Writer) bool {
	f, ok := File(w)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width returns how many characters a line of w's terminal has; 0: unknown.
func Width(w io.Writer) int {
	f, ok := File(w)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}
