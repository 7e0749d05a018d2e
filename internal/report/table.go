package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/handout-dev/handout/campaign"
)

// line is one of a table: a name, how many people, and what share of the total.
type line struct {
	name string
	n    int
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	var lines []line
	for _, s := range campaign.States() {
		n := r.Balance[s.String()]
		if n == 0 {
			continue
		}
		lines = append(lines, line{s.String(), n})
		if s == campaign.Delivered {
			lines = append(lines, r.DeliveredBy.lines()...)
		}
	}
	lines = append(lines, line{"total", r.Total})
	wide, digits := 0, len("people")
	for _, l := range lines {
		wide, digits = max(wide, len(l.name)), max(digits, len(fmt.Sprint(l.n)))
	}
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "campaign %s: %s", r.Campaign, r.State)
	if r.Reason != "" {
		fmt.Fprintf(b, " (%s)", r.Reason)
	}
	if r.Pace != nil && r.State != string(campaign.Draft) && r.State != string(campaign.Done) {
		fmt.Fprintf(b, "\n\n  %-*s  %s", wide, "now", r.Pace.Line())
	}
	fmt.Fprintf(b, "\n\n  %-*s  %*s\n", wide, "state", digits, "people")
	for _, l := range lines {
		fmt.Fprintf(b, "  %-*s  %*d%s\n", wide, l.name, digits, l.n, percent(l.n, r.Total))
	}
	return b.Flush()
}

// lines split the delivered; those who have read it are among them.
func (d DeliveredBy) lines() []line {
	var lines []line
	for _, l := range []line{
		{"  by WhatsApp", d.WhatsApp}, {"  by SMS", d.SMS}, {"  by both", d.Both}, {"  by another channel", d.Other}, {"  and read", d.Read},
	} {
		if l.n > 0 {
			lines = append(lines, l)
		}
	}
	return lines
}

func percent(n, of int) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("  %5.1f %%", 100*float64(n)/float64(of))
}

// reasonWidth is where a long reason goes on to the next line: with the columns
// before it, it fits a terminal of 120.
const reasonWidth = 76

// WriteOutcomes writes outcomes as a table.
func WriteOutcomes(w io.Writer, outcomes []Outcome) error {
	wide, digits := len("outcome"), len("people")
	for _, o := range outcomes {
		wide, digits = max(wide, len(o.name())), max(digits, len(fmt.Sprint(o.Count)))
	}
	b := bufio.NewWriter(w)
	row := func(people, name, reason string) {
		text := fmt.Sprintf("  %*s  %-*s  %s", digits, people, wide, name, reason)
		fmt.Fprintln(b, strings.TrimRight(text, " "))
	}
	row("people", "outcome", "why")
	for _, o := range outcomes {
		people, name := fmt.Sprint(o.Count), o.name()
		for _, reason := range wrap(o.Reason, reasonWidth) {
			row(people, name, reason)
			people, name = "", ""
		}
	}
	return b.Flush()
}

func (o Outcome) name() string {
	if o.By == campaign.ByNone {
		return o.State.String()
	}
	return o.State.String() + " by " + o.By.String()
}

// wrap breaks a reason between its parts and, where one is too long, between its
// words; what follows is indented. There is always one line.
func wrap(reason string, width int) []string {
	var lines []string
	for _, part := range strings.Split(reason, "; ") {
		line := ""
		for _, word := range strings.Fields(part) {
			switch {
			case line == "":
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
				lines, line = append(lines, line), "  "+word
			default:
				line += " " + word
			}
		}
		lines = append(lines, line)
	}
	return lines
}
