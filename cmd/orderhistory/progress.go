package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/handout-dev/handout/internal/orderhistory"
)

// liveLine is a line of progress that is written over, on terminals only.
type liveLine struct {
	w    *os.File
	used bool
}

func newLiveLine(w io.Writer) *liveLine {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &liveLine{}
	}
	return &liveLine{w: f}
}

func (l *liveLine) progress(p orderhistory.Progress) {
	if l.w == nil {
		return
	}
	l.used = true
	fmt.Fprintf(l.w, "\r\x1b[K%s %d", p.Doing, p.Done)
	if p.Of > 0 {
		fmt.Fprintf(l.w, " of %d, %d %%", p.Of, 100*p.Done/p.Of)
	}
}

func (l *liveLine) end() {
	if l.used {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}
