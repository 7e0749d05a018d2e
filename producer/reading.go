package producer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/listfile"
	"github.com/handout-dev/handout/internal/phone"
)

// Reading is how a list was read: what had to be found out about it, and what was
// passed over.
type Reading struct {
	Format      Format
	Compression string // gzip or zstd; empty for none
	Encoding    string // of a text: UTF-8, UTF-16LE, UTF-16BE or Windows-1252
	Delimiter   string // of CSV
	OldMac      bool   // lines end in carriage returns alone
	Sheet       string // of a workbook
	// Columns are the list's own names of columns that the campaign uses under
	// another name, by that name.
	Columns    map[string]string
	BlankRows  int // with nothing but empty cells: passed over
	HiddenRows int // of a workbook, by a filter for example: they were read
}

// Lines say it in words.
func (r *Reading) Lines() (lines []string) {
	if r.Format == ByContent {
		return nil // it comes from a program
	}
	lines = append(lines, "read as "+strings.Join(r.form(), ", "))
	for _, ours := range slices.Sorted(maps.Keys(r.Columns)) {
		lines = append(lines, fmt.Sprintf("column %q is read as %s", r.Columns[ours], ours))
	}
	if r.BlankRows > 0 {
		lines = append(lines, campaign.Count(r.BlankRows, "blank row")+" passed over")
	}
	if r.HiddenRows > 0 {
		lines = append(lines, campaign.Count(r.HiddenRows, "row")+" that the workbook hides, read like the others")
	}
	return lines
}

func (r *Reading) form() (parts []string) {
	switch r.Format {
	case XLSX:
		parts = append(parts, fmt.Sprintf("an Excel workbook, sheet %q", r.Sheet))
	case NDJSON:
		parts = append(parts, "NDJSON")
	default:
		parts = append(parts, "CSV with "+map[string]string{";": "semicolons", "\t": "tabs", "|": "bars"}[r.Delimiter])
		if r.Delimiter == "," {
			parts[0] = "CSV with commas"
		}
	}
	if r.Encoding != "" {
		encoding := "in " + r.Encoding
		if r.Encoding == listfile.Windows1252 {
			encoding += ", since it isn't UTF-8: look at the samples"
		}
		parts = append(parts, encoding)
	}
	if r.OldMac {
		parts = append(parts, "with lines that end in carriage returns")
	}
	if r.Compression != "" {
		parts = append(parts, "compressed by "+r.Compression)
	}
	return parts
}

// Notes say how the list was read, and what in it is let pass and may not be meant.
func (s *Summary) Notes() []string {
	notes := s.Read.Lines()
	if s.UnknownRanges > 0 {
		notes = append(notes, fmt.Sprintf("%s in no range known to us, by %s of %s: of a newer range, or of nobody",
			campaign.Count(s.UnknownRanges, "number"), phone.DataVersion, phone.DataDay().Format(time.DateOnly)))
	}
	if n := s.SameRecipients; n > 0 {
		notes = append(notes, fmt.Sprintf("%s with the recipient of a row above and another phone number, sent to as well: the first on line %d", campaign.Count(n, "row"), s.SameRecipientLine))
	}
	for _, e := range s.Empty {
		notes = append(notes, fmt.Sprintf("column %q is empty in %s to be sent to: the first on line %d, and a sample shows one", e.Column, campaign.Count(e.Rows, "row"), e.Line))
	}
	return notes
}

// ParseColumns reads the list's own names of columns as options have them:
// recipient=Kundennummer,phone=Mobil. A name with a comma or a quote in it stands in
// quotes, as in CSV.
func ParseColumns(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	pairs, err := csv.NewReader(strings.NewReader(text)).Read()
	if err != nil {
		return nil, errColumns
	}
	columns := map[string]string{}
	for _, pair := range pairs {
		ours, theirs, ok := strings.Cut(pair, "=")
		ours, theirs = strings.TrimSpace(ours), strings.TrimSpace(theirs)
		if !ok || ours == "" || theirs == "" || columns[ours] != "" {
			return nil, errColumns
		}
		columns[ours] = theirs
	}
	return columns, nil
}

var errColumns = errors.New("columns must be pairs such as recipient=Kundennummer,phone=Mobil, each name once")
