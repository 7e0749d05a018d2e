package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// WriteHistory writes the latest lines of the history for people, most of them
// at most: when, who, what and why. Without a history it writes nothing.
func (r *Report) WriteHistory(w io.Writer, most int) error {
	if len(r.History) == 0 {
		return nil
	}
	latest := r.History[max(0, len(r.History)-most):]
	rows := [][4]string{{"when", "who", "what", "why"}}
	for _, e := range latest {
		rows = append(rows, [4]string{
			e.At.UTC().Format("2006-01-02 15:04:05Z"), plainly(e.By), plainly(strings.TrimSpace(e.Verb + " " + e.About)), plainly(e.Why),
		})
	}
	var wide [4]int
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], utf8.RuneCountInString(cell))
		}
	}
	b := bufio.NewWriter(w)
	fmt.Fprintln(b)
	if earlier := len(r.History) - len(latest); earlier > 0 {
		fmt.Fprintf(b, "  (the history has %d earlier lines: --history shows them)\n", earlier)
	}
	for _, row := range rows {
		text := fmt.Sprintf("  %-*s  %-*s  %-*s  %s", wide[0], row[0], wide[1], row[1], wide[2], row[2], row[3])
		fmt.Fprintln(b, strings.TrimRight(text, " "))
	}
	return b.Flush()
}

// plainly is a person's own text on one line, without what a terminal would
// take for a command.
func plainly(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
