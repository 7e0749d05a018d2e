package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/translate"
)

// WriteStory writes one recipient's story for people, in the words of the page.
func WriteStory(w io.Writer, info *campaign.Info, f Found, s *Story, suppressed string) error {
	r := &f.Seen.Record
	legs := info.Spec.Legs(&f.Recipient, r)
	head := fmt.Sprintf("%s, %s, place %s of campaign %s", f.Recipient.ID, f.Recipient.Phone, f.Place, info.ID)
	fmt.Fprintf(w, "%s\n\n  %s: %s\n", Printable(head), words(r.State), Means(r, legs))
	if why := translate.Reason(r, legs); why != "" {
		fmt.Fprintf(w, "  why: %s\n", Printable(why))
	}
	for _, line := range []string{ReasonMeans(r.Reason), Waits(r), suppressed} {
		if line != "" {
			fmt.Fprintf(w, "  %s\n", Printable(line))
		}
	}
	rows := [][]string{{"when", "what"}, {Time(info.CreatedAt), "put on the list"}}
	for _, m := range s.Moments {
		what := m.Words()
		if m.By != "" {
			what += " by " + m.By
		}
		if note := m.Note(); note != "" {
			what += ": " + note
		}
		rows = append(rows, []string{Time(m.At), Printable(what)})
	}
	fmt.Fprintln(w)
	if err := writeRows(w, "  ", make([]int, 2), rows); err != nil {
		return err
	}
	if legs := Legs(r, legs); len(legs) > 0 {
		rows := [][]string{{"Telesign on", "code", "in its words", "it means"}}
		for _, l := range legs {
			code := ""
			if l.Code != 0 {
				code = strconv.Itoa(l.Code)
			}
			rows = append(rows, []string{ChannelName(l.Channel), code, Printable(translate.Words(l.Leg)), l.Means})
		}
		fmt.Fprintln(w)
		if err := writeRows(w, "  ", make([]int, 4), rows); err != nil {
			return err
		}
	}
	if r.Attempt > 0 {
		reference := r.Reference
		if reference == "" {
			reference = "none"
		}
		fmt.Fprintf(w, "\n  attempt %d: external_id %s, Telesign's reference %s\n", r.Attempt, info.ExternalID(f.Place, r.Attempt), Printable(reference))
	}
	var columns []string
	for i, name := range info.Columns {
		if i < len(f.Recipient.Values) {
			columns = append(columns, Printable(name+": "+f.Recipient.Values[i]))
		}
	}
	if len(columns) > 0 {
		fmt.Fprintf(w, "\n  in the list\n    %s\n", strings.Join(columns, "\n    "))
	}
	return nil
}
