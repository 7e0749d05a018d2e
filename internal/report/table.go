package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/handout-dev/handout/campaign"
)

// writeRows writes rows in aligned columns, those named in right to the right. wide keeps
// how wide the columns are, and may come from the rows before.
func writeRows(w io.Writer, indent string, wide []int, rows [][]string, right ...int) error {
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	b := bufio.NewWriter(w)
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			width := -wide[i] // to the left
			if slices.Contains(right, i) {
				width = wide[i]
			}
			line += fmt.Sprintf("%*s  ", width, cell)
		}
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
	return b.Flush()
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	rows := [][]string{{"state", "people"}}
	row := func(name string, n int) {
		share := ""
		if r.Total > 0 {
			share = fmt.Sprintf("%.1f %%", 100*float64(n)/float64(r.Total))
		}
		rows = append(rows, []string{name, fmt.Sprint(n), share})
	}
	by := r.DeliveredBy
	for _, s := range campaign.States() {
		if n := r.Balance[s.String()]; n > 0 {
			row(s.String(), n)
		}
		if s != campaign.Delivered {
			continue
		}
		for i, n := range []int{by.WhatsApp, by.SMS, by.Both, by.Other, by.Read} { // those who have read it are among the others
			if n > 0 {
				row([]string{"  by WhatsApp", "  by SMS", "  by both", "  by another channel", "  and read"}[i], n)
			}
		}
	}
	row("total", r.Total)
	head := fmt.Sprintf("campaign %s: %s", r.Campaign, r.State)
	if r.Reason != "" {
		head += " (" + r.Reason + ")"
	}
	if r.Pace != nil && r.State != string(campaign.Draft) && r.State != string(campaign.Done) {
		head += fmt.Sprintf("\n\n  %-13s  %s", "now", r.Pace.Line())
	}
	fmt.Fprintln(w, head+"\n")
	return writeRows(w, "  ", make([]int, 3), rows, 1, 2)
}

// reasonWidth is where a long reason goes on to the next line: with the columns
// before it, it fits a terminal of 120.
const reasonWidth = 76

// WriteOutcomes writes outcomes as a table.
func WriteOutcomes(w io.Writer, outcomes []Outcome) error {
	rows := [][]string{{"people", "outcome", "why"}}
	for _, o := range outcomes {
		people, name := fmt.Sprint(o.Count), o.State.String()
		if o.By != campaign.ByNone {
			name += " by " + o.By.String()
		}
		for _, reason := range wrap(o.Reason, reasonWidth) {
			rows = append(rows, []string{people, name, reason})
			people, name = "", ""
		}
	}
	return writeRows(w, "  ", make([]int, 3), rows, 0)
}

// wrap breaks a reason between its parts and, where one is too long, between its
// words; what follows is indented. There is always one line.
func wrap(reason string, width int) []string {
	var lines []string
	for part := range strings.SplitSeq(reason, "; ") {
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

// WriteHistory writes the latest lines of the history for people, at most so many:
// when, who, what and why. Without a history it writes nothing.
func (r *Report) WriteHistory(w io.Writer, maxLines int) error {
	if len(r.History) == 0 {
		return nil
	}
	earlier := max(0, len(r.History)-maxLines)
	rows := [][]string{{"when", "who", "what", "why"}}
	for _, e := range r.History[earlier:] {
		rows = append(rows, []string{
			e.At.UTC().Format("2006-01-02 15:04:05Z"), Printable(e.By), Printable(strings.TrimSpace(e.Verb + " " + e.About)), Printable(e.Why),
		})
	}
	fmt.Fprintln(w)
	if earlier > 0 {
		fmt.Fprintf(w, "  (the history has %d earlier lines: --history shows them)\n", earlier)
	}
	return writeRows(w, "  ", make([]int, 4), rows)
}

// Printable is a text on one line, without what a terminal takes for a command.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
