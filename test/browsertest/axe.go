package browsertest

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"
)

// axe is axe-core 4.14.1 as its npm package has it; its licences stand beside it.
//
//go:embed testdata/axe-core/axe.min.js
var axe string

// violation is a rule that a page breaks.
type violation struct {
	ID    string
	Help  string
	Nodes []struct {
		Target         []any
		HTML           string
		FailureSummary string
	}
}

// mostNodes is how many places of a violation are printed.
const mostNodes = 5

// Axe fails the test if the page breaks one of axe's rules for WCAG 2 A and AA,
// as it stands now: names of fields and buttons, contrast, structure.
func (p *Page) Axe(t testing.TB) { t.Helper(); p.axe(t, wcag) }

// Contrast is Axe with its rule about colours alone: for a page whose structure was
// looked at in others.
func (p *Page) Contrast(t testing.TB) { t.Helper(); p.axe(t, `runOnly: ["color-contrast"]`) }

// Structure is Axe without that rule, which takes most of the time: for a page whose
// colours were looked at on another screen.
func (p *Page) Structure(t testing.TB) {
	t.Helper()
	p.axe(t, wcag+`, rules: {"color-contrast": {enabled: false}}`)
}

const wcag = `runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]`

// axe runs the rules that these options of its name.
func (p *Page) axe(t testing.TB, rules string) {
	t.Helper()
	if !p.Is(`window.axe`) { // it takes a while to read
		p.Eval(axe+";0", nil)
	}
	var broken []violation
	p.Eval(`axe.run(document, {`+rules+`, resultTypes: ["violations"]}).then(r =>
		r.violations.map(v => ({ID: v.id, Help: v.help, Nodes: v.nodes.map(n => ({Target: n.target, HTML: n.html, FailureSummary: n.failureSummary}))})))`, &broken)
	for _, v := range broken {
		var b strings.Builder
		for i, n := range v.Nodes {
			if i == mostNodes {
				fmt.Fprintf(&b, "\n  and %d others", len(v.Nodes)-i)
				break
			}
			fmt.Fprintf(&b, "\n  %v: %.200s: %s", n.Target, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
		}
		t.Errorf("%s breaks axe's rule %s: %s%s", p.URL(), v.ID, v.Help, b.String())
	}
}
