package producer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/handout-dev/handout/campaign"
)

// wanted are the columns that a campaign asks a list for.
type wanted struct {
	used []string          // by templates, recipient and phone included; sorted
	own  map[string]string // the list's own names of some
	// phone and email are which addresses every recipient needs.
	phone, email bool
}

// wantedBy returns what a list read with these options needs for a campaign.
func wantedBy(s *Spec, o ListOptions) *wanted {
	w := &wanted{own: maps.Clone(s.Columns), phone: s.NeedsPhone(), email: s.NeedsEmail()}
	if w.own == nil {
		w.own = map[string]string{}
	}
	maps.Copy(w.own, o.Columns)
	used := map[string]bool{campaign.RecipientColumn: true, campaign.PhoneColumn: true, campaign.EmailColumn: w.email, zoneColumn: s.ByZone()}
	for _, content := range s.Contents() {
		for _, text := range content.Parameters {
			columns, err := campaign.TemplateColumns(text)
			if err != nil {
				continue // the file's own fault
			}
			for _, name := range columns {
				used[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if used[name] {
			w.used = append(w.used, name)
		}
	}
	return w
}

// split splits columns into those that a template uses and the others.
func (w *wanted) split(columns []string) (used, unused []string) {
	for _, name := range columns {
		if slices.Contains(w.used, name) {
			used = append(used, name)
		} else {
			unused = append(unused, name)
		}
	}
	return used, unused
}

// asksFor reports whether a list's column is one that the campaign needs.
func (w *wanted) asksFor(name string) bool {
	is := func(other string) bool { return fold(other) == fold(name) }
	return slices.ContainsFunc(w.used, is) || slices.ContainsFunc(slices.Collect(maps.Values(w.own)), is)
}

// fold is a name without what may differ between two ways to write it: case, the
// form of accents, and signs and spaces between its words.
func fold(name string) string {
	words := strings.FieldsFunc(strings.ToLower(norm.NFC.String(name)), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	})
	return strings.Join(words, "_")
}

// header is the columns of a list.
type header struct {
	names            []string // of each column, as templates say them; empty: it isn't taken
	used             []bool   // each, by a template or as recipient or phone
	nameless         []bool
	recipient, phone int      // where these two are; no phone: -1
	email            int      // where the e-mail address is, or -1: the campaign needs none
	zone             int      // where the column zone is, or -1
	values           []string // the others' names, in order
	at               []int    // where each of values is

	// others are the list's own names of used columns where they differ.
	others map[string]string
}

// headerFault is what is wrong with a header; column is -1 for all of it. It quotes no
// name: the first line of a list without a header has a phone number in it.
type headerFault struct {
	column int
	reason string
}

// newHeader finds the campaign's columns among the names of a list's.
func newHeader(names []string, w *wanted) (*header, []headerFault) {
	h := &header{
		names: make([]string, len(names)), used: make([]bool, len(names)), nameless: make([]bool, len(names)),
		recipient: -1, phone: -1, email: -1, zone: -1,
	}
	var wrong []headerFault
	if len(names) > MaxColumns {
		return nil, []headerFault{{-1, fmt.Sprintf("more than %d columns", MaxColumns)}}
	}
	first := map[string]int{}
	for i, name := range names {
		name = strings.TrimSpace(norm.NFC.String(name))
		h.names[i], h.nameless[i] = name, name == ""
		if other, twice := first[name]; twice && name != "" {
			wrong = append(wrong, headerFault{i, fmt.Sprintf("column %d has the same name as column %d", i+1, other+1)})
		}
		if len(name) > MaxCell {
			wrong = append(wrong, headerFault{i, fmt.Sprintf("a column's name is longer than %s bytes", campaign.Number(MaxCell))})
		}
		first[name] = i
	}
	wrong = append(wrong, h.match(w)...)
	h.arrange(w)
	var missing []string
	for _, c := range []struct {
		name string
		lack bool
	}{{campaign.RecipientColumn, h.recipient < 0}, {campaign.PhoneColumn, w.phone && h.phone < 0}, {campaign.EmailColumn, w.email && h.email < 0}} {
		if c.lack {
			missing = append(missing, c.name)
		}
	}
	if len(wrong) == 0 && len(missing) > 0 {
		columns := map[bool]string{true: "no column named ", false: "no columns named "}[len(missing) == 1]
		wrong = append(wrong, headerFault{-1, columns + strings.Join(missing, " and ") + sayWhich})
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	return h, nil
}

const sayWhich = ": if they have other names, say them by columns"

// match gives the columns that the campaign asks for the names that it uses.
func (h *header) match(w *wanted) (wrong []headerFault) {
	own := slices.Clone(h.names)
	taken := make([]bool, len(own))
	take := func(ours, theirs string, must bool) {
		found := slices.Index(own, theirs)
		if found < 0 {
			for i, name := range own {
				if taken[i] || fold(name) != fold(theirs) || name == "" {
					continue
				}
				if found >= 0 {
					wrong = append(wrong, headerFault{i, fmt.Sprintf("columns %d and %d could both be %s", found+1, i+1, ours)})
					return
				}
				found = i
			}
		}
		switch {
		case found < 0 && must:
			wrong = append(wrong, headerFault{-1, fmt.Sprintf("no column named %q, which columns says is %s", theirs, ours)})
		case found < 0:
		case taken[found]:
			wrong = append(wrong, headerFault{found, "columns names this column twice"})
		default:
			taken[found], h.used[found], h.names[found] = true, true, ours
			if own[found] != ours {
				if h.others == nil {
					h.others = map[string]string{}
				}
				h.others[ours] = own[found]
			}
		}
	}
	for _, ours := range slices.Sorted(maps.Keys(w.own)) {
		take(ours, norm.NFC.String(w.own[ours]), true)
	}
	for _, ours := range w.used {
		if w.own[ours] == "" {
			take(ours, ours, false)
		}
	}
	for i, name := range own { // that another column has been given
		if !taken[i] && w.own[name] != "" {
			h.names[i] = ""
		}
	}
	return wrong
}

// arrange finds the places of the columns that have names.
func (h *header) arrange(w *wanted) {
	for i, name := range h.names {
		switch name {
		case "":
			continue
		case campaign.RecipientColumn:
			h.recipient = i
			continue
		case campaign.PhoneColumn:
			h.phone = i
			continue
		case campaign.EmailColumn:
			if w.email {
				h.email = i
			}
		case zoneColumn:
			h.zone = i
		}
		h.values, h.at = append(h.values, name), append(h.at, i)
	}
}

// name is a column's name for a fault, if the campaign uses it, else its number.
func (h *header) name(i int) string {
	if h.used[i] {
		return h.names[i]
	}
	return fmt.Sprintf("column %d", i+1)
}

// fit returns a row with as many cells as the header has. Table programs leave empty
// cells at the end, or leave them out.
func (h *header) fit(cells []cell) ([]cell, string) {
	n := len(h.names)
	if len(cells) != n {
		reason := campaign.Count(len(cells), "cell") + ", but the header has " + campaign.Number(n)
		for len(cells) < n && h.nameless[len(cells)] {
			cells = append(cells, cell{offset: -1})
		}
		if len(cells) < n || len(cells) > n && !blankCells(cells[n:]) {
			return nil, reason
		}
		cells = cells[:n]
	}
	for i := range cells {
		if h.nameless[i] && strings.TrimSpace(cells[i].text) != "" {
			return nil, fmt.Sprintf("a cell in column %d, which has no name", i+1)
		}
	}
	return cells, ""
}
