package main

import (
	"fmt"
	"io"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory"
	"github.com/handout-dev/handout/internal/terminal"
)

// liveLine is a line of progress that is written over, on terminals only.
type liveLine struct {
	w    io.Writer // nil: no terminal
	used bool
}

func newLiveLine(w io.Writer) *liveLine {
	if !terminal.Is(w) {
		return &liveLine{}
	}
	return &liveLine{w: terminal.Raw(w)}
}

func (l *liveLine) progress(p orderhistory.Progress) {
	if l.w == nil {
		return
	}
	l.used = true
	fmt.Fprintf(l.w, "\r\x1b[K%s %s", p.Doing, campaign.Number(p.Done))
	if p.Of > 0 {
		fmt.Fprintf(l.w, " of %s, %d %%", campaign.Number(p.Of), 100*p.Done/p.Of)
	}
}

func (l *liveLine) end() {
	if l.used {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}
