// Package vendorreport reads what Telesign reports of sent messages: a CSV whose columns
// and words the operator names, since its form isn't documented and may be the account's
// own.
package vendorreport

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/listfile"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/telesign"
)

// Columns say how a report is written. A name that is empty has no column.
type Columns struct {
	Reference, ExternalID, Phone, Date, Status, Channel string
	// Layout is that of dates, as package time has it; empty: the usual ones.
	Layout string
	// Zone is that of dates without one; nil: UTC.
	Zone *time.Location
	// Means are the meanings of words in the column Status, beside those that are known.
	Means map[string]Meaning
}

// Meaning is what a word in the column of the status says.
type Meaning string

// The meanings. A word that isn't known means Sent: what may have been sent isn't sent
// again.
const (
	NotSent   Meaning = "not_sent"
	Sent      Meaning = "sent"
	Delivered Meaning = "delivered"
	Read      Meaning = "read"
	Failed    Meaning = "failed"
)

// ParseMeaning finds a meaning by its name.
func ParseMeaning(name string) (Meaning, bool) {
	m := Meaning(name)
	return m, slices.Contains([]Meaning{NotSent, Sent, Delivered, Read, Failed}, m)
}

// codes are what stands for each meaning in a receipt.
var codes = map[Meaning]telesign.Code{
	Sent: telesign.CodeInProgress, Delivered: telesign.CodeDelivered, Read: telesign.CodeRead, Failed: telesign.CodeDeliveryError,
}

// words are those of Telesign's codes and of common reports, in lower case.
var words = map[string]Meaning{
	"delivered": Delivered, "read": Read, "message is read": Read, "seen": Read,
	"failed": Failed, "undelivered": Failed, "undeliverable": Failed, "not delivered": Failed, "delivery error": Failed, "expired": Failed,
	"sent": Sent, "accepted": Sent, "in progress": Sent, "message in progress": Sent, "queued": Sent, "delivered to gateway": Sent,
}

// Row is one message in a report.
type Row struct {
	Line       int
	Reference  string // as telesign.NormalizeReference writes it; empty: none
	ExternalID string // empty: none
	Phone      string // in E.164 form; empty: none, or no phone number
	At         time.Time
	Code       telesign.Code // what a receipt would say
	NotSent    bool
	Channel    string // in lower case; empty: none
	// Unknown is the word of the status if it isn't known.
	Unknown string
}

// maxRows bounds the memory that a report takes, of some 300 bytes a row.
const maxRows = 10_000_000

// ReadAll reads a report to its end. The text is CSV with a header, in any encoding and
// with any separator that lists may have; compressed, too.
func ReadAll(r io.Reader, c Columns, region string) ([]Row, error) {
	file, err := listfile.Open(r)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if file.Kind != listfile.Text {
		return nil, errors.New("it is a workbook: save it as CSV")
	}
	sample := newPeeker(file)
	in := csv.NewReader(sample)
	in.Comma, in.ReuseRecord, in.FieldsPerRecord = sample.separator(), true, -1
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it is empty")
	}
	if err != nil {
		return nil, err
	}
	p, err := newParser(header, c, region)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := in.FieldPos(0)
		row, err := p.row(line, record)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if rows = append(rows, row); len(rows) > maxRows {
			return nil, fmt.Errorf("it has more than %d rows: divide it", maxRows)
		}
	}
}

// peeker gives what it has looked at again.
type peeker struct {
	io.Reader
	first []byte
}

// headSize is how much of a text is looked at for its separator, in bytes.
const headSize = 4 << 10

func newPeeker(r io.Reader) *peeker {
	first := make([]byte, headSize)
	n, _ := io.ReadFull(r, first) // a text that is shorter ends here; an error comes again
	first = first[:n]
	return &peeker{io.MultiReader(strings.NewReader(strings.TrimPrefix(string(first), "\ufeff")), r), first}
}

// separator is the one that occurs most in the header.
func (p *peeker) separator() rune {
	head, _, _ := strings.Cut(string(p.first), "\n")
	best := ','
	for _, s := range []rune{';', '\t', '|'} {
		if strings.Count(head, string(s)) > strings.Count(head, string(best)) {
			best = s
		}
	}
	return best
}

type parser struct {
	c                                                   Columns
	reference, externalID, phone, date, status, channel int // -1: none
	book                                                *phone.Book
}

func newParser(header []string, c Columns, region string) (*parser, error) {
	book, err := phone.NewBook(region)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = strings.ToLower(strings.TrimSpace(h))
	}
	p := &parser{c: c, book: book}
	for _, column := range []struct {
		name string
		at   *int
	}{{c.Reference, &p.reference}, {c.ExternalID, &p.externalID}, {c.Phone, &p.phone}, {c.Date, &p.date}, {c.Status, &p.status}, {c.Channel, &p.channel}} {
		*column.at = -1
		if column.name == "" {
			continue
		}
		if *column.at = slices.Index(names, strings.ToLower(column.name)); *column.at < 0 {
			return nil, fmt.Errorf("it has no column %q; its columns are: %s", column.name, strings.Join(header, ", "))
		}
	}
	if p.reference < 0 && p.externalID < 0 && p.phone < 0 {
		return nil, errors.New("no column says whose a message is: name that of the reference, of the external ID, or of the phone number")
	}
	if p.phone >= 0 && p.date < 0 {
		return nil, errors.New("a phone number alone doesn't say which message it is: name the column of the date, too")
	}
	return p, nil
}

func (p *parser) row(line int, record []string) (Row, error) {
	cell := func(at int) string {
		if at < 0 || at >= len(record) {
			return ""
		}
		return strings.TrimSpace(record[at])
	}
	row := Row{
		Line: line, Reference: telesign.NormalizeReference(cell(p.reference)), ExternalID: strings.Clone(cell(p.externalID)),
		Channel: strings.ToLower(cell(p.channel)), Code: telesign.CodeInProgress,
	}
	if strings.EqualFold(row.ExternalID, "null") { // Telesign's samples have the word
		row.ExternalID = ""
	}
	if text := cell(p.date); text != "" {
		var err error
		if row.At, err = p.at(text); err != nil {
			return row, err
		}
	}
	if text := cell(p.phone); text != "" {
		row.Phone = p.number(text)
		if row.At.IsZero() {
			return row, errors.New("it has a phone number and no date")
		}
	}
	p.judge(&row, cell(p.status))
	return row, nil
}

// number is a phone number in E.164 form, which a report may write without its +; empty:
// it is none.
func (p *parser) number(text string) string {
	for _, form := range []string{text, "+" + text} {
		if e164, _, err := p.book.Normalize(form); err == nil {
			return e164
		}
	}
	return ""
}

// layouts are those of dates in reports. Fractions of a second are read after each.
var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02 15:04", time.RFC1123, time.RFC1123Z,
}

func (p *parser) at(text string) (time.Time, error) {
	zone := p.c.Zone
	if zone == nil {
		zone = time.UTC
	}
	try := layouts
	if p.c.Layout != "" {
		try = []string{p.c.Layout}
	}
	for _, layout := range try {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q isn't a date as in %s; say how dates are written", text, strings.ReplaceAll(try[0], "Z07:00", "Z"))
}

// judge reads the status: a word that was given a meaning, one of Telesign's codes, or a
// word that is known.
func (p *parser) judge(row *Row, text string) {
	if text == "" {
		return
	}
	meaning, ok := p.c.Means[strings.ToLower(text)]
	if !ok {
		if n, err := strconv.Atoi(text); err == nil && telesign.Code(n).Known() {
			row.Code = telesign.Code(n)
			kind := row.Code.Kind()
			row.NotSent = kind == telesign.KindThrottled || kind == telesign.KindUnavailable
			return
		}
		if meaning, ok = words[strings.ToLower(text)]; !ok {
			row.Unknown = strings.Clone(text)
			return
		}
	}
	if row.NotSent = meaning == NotSent; !row.NotSent {
		row.Code = codes[meaning]
	}
}
