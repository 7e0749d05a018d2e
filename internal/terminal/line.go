package terminal

import (
	"fmt"
	"io"
)

// Line is a line that is written over again on a terminal; elsewhere, as in
// a log, only every tenth one and the last one are written, each on a line of
// its own.
type Line struct {
	w    io.Writer
	live bool
	n    int
	last string // not written yet
}

// NewLine is a line on w.
func NewLine(w io.Writer) *Line {
	return &Line{w: w, live: Is(w)}
}

// Show shows a text in the place of the one before.
func (l *Line) Show(text string) {
	switch {
	case l.live:
		fmt.Fprint(Raw(l.w), "\r\x1b[K", l.cut(Text(text)))
	case l.n%10 == 0:
		fmt.Fprintln(l.w, text)
		l.last = ""
	default:
		l.last = text
	}
	l.n++
}

// Update shows progress on a terminal, and nowhere else.
func (l *Line) Update(format string, args ...any) {
	if l.live {
		l.Show(fmt.Sprintf(format, args...))
	}
}

// cut shortens a text to the terminal's width: only one line can be written over.
func (l *Line) cut(text string) string {
	width := Width(l.w)
	if r := []rune(text); width > 1 && len(r) >= width {
		return string(r[:width-2]) + "…"
	}
	return text
}

// End leaves what was shown last.
func (l *Line) End() {
	switch {
	case l.live && l.n > 0:
		fmt.Fprintln(l.w)
	case l.last != "":
		fmt.Fprintln(l.w, l.last)
	}
}
