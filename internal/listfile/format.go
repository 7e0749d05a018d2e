package listfile

import (
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// numberFormat is how a cell shows a number.
type numberFormat struct {
	days     bool     // as a day or a time
	sections []digits // of positive numbers, negative ones and zero; nil: as it is
}

// digits are the characters of a section of a format: 0, # and ? stand for digits.
type digits struct {
	pieces    []piece
	zeros     int // digits before the point at least
	decimals  int
	optional  int // of the decimals
	percent   int
	thousands bool
}

type piece struct {
	text  string // empty: a place for a digit
	place bool
	after bool // the point
}

// builtIn are the formats without a code of their own, by their number.
// Source: ECMA-376 part 1, 18.8.30 numFmt.
var builtIn = map[int]string{
	1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%",
	37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
}

// isDayFormat reports whether a format without a code shows days or times.
func isDayFormat(id int) bool {
	return id >= 14 && id <= 22 || id >= 27 && id <= 36 || id >= 45 && id <= 47 || id >= 50 && id <= 58
}

// readStyles reads the part styles.xml: the format of each style.
func readStyles(r io.Reader) (styles []*numberFormat, err error) {
	codes := map[int]string{}
	formats := map[int]*numberFormat{}
	cells := false
	x := newXMLReader(r)
	for {
		if err := x.next(); err == io.EOF {
			return styles, nil
		} else if err != nil {
			return nil, err
		}
		switch {
		case x.name == "cellXfs":
			cells = x.kind == startTag
		case x.kind == endTag:
		case x.name == "numFmt":
			if id, err := strconv.Atoi(string(x.attr("numFmtId"))); err == nil {
				codes[id] = string(unescape(nil, x.attr("formatCode")))
			}
		case x.name == "xf" && cells:
			id, _ := strconv.Atoi(string(x.attr("numFmtId"))) // without one it is General
			f, ok := formats[id]
			if !ok {
				f = newFormat(id, codes)
				formats[id] = f
			}
			styles = append(styles, f)
		}
		if len(styles) > maxParts || len(codes) > maxParts {
			return nil, errXML
		}
	}
}

func newFormat(id int, codes map[int]string) *numberFormat {
	code, ok := codes[id]
	if !ok {
		code = builtIn[id]
		if isDayFormat(id) {
			return &numberFormat{days: true}
		}
	}
	return parseFormat(code)
}

// parseFormat reads a format's code. What it doesn't know (fractions, exponents,
// conditions) shows a number as it is.
func parseFormat(code string) *numberFormat {
	f := &numberFormat{}
	section := digits{}
	known, point := true, false
	end := func() {
		if section.zeros+section.decimals == 0 && !section.has() {
			known = false
		}
		f.sections = append(f.sections, section)
		section, point = digits{}, false
	}
	literal := func(s string) { section.pieces = append(section.pieces, piece{text: s}) }
	runes := []rune(code)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		next := func(stop rune) string {
			from := i + 1
			for i++; i < len(runes) && runes[i] != stop; i++ {
			}
			return string(runes[from:min(i, len(runes))])
		}
		switch {
		case c == '"':
			literal(next('"'))
		case c == '[':
			inside := next(']')
			switch lower := strings.ToLower(inside); {
			case strings.HasPrefix(inside, "$"):
				symbol, _, _ := strings.Cut(inside[1:], "-")
				literal(symbol)
			case strings.Trim(lower, "hms") == "" && lower != "":
				f.days = true
			case strings.ContainsAny(inside, "<>="):
				known = false
			}
		case c == '\\' && i+1 < len(runes):
			i++
			literal(string(runes[i]))
		case c == '_' || c == '*':
			i++ // a gap as wide as the next character, or filled with it
		case c == ';':
			end()
		case c == '0' || c == '#' || c == '?':
			section.pieces = append(section.pieces, piece{place: true, after: point})
			switch {
			case point:
				section.decimals++
				if c != '0' {
					section.optional++
				}
			case c == '0':
				section.zeros++
			}
		case c == '.':
			point = true
		case c == ',':
			section.thousands = true
		case c == '%':
			section.percent++
			literal("%")
		case strings.ContainsRune("yYdDhHsSmM", c):
			f.days = true
		case strings.ContainsRune("eEgGbB/@", c):
			known = false
		default:
			literal(string(c))
		}
	}
	end()
	if !known || f.days {
		f.sections = nil
	}
	return f
}

func (d *digits) has() bool {
	for _, p := range d.pieces {
		if p.place {
			return true
		}
	}
	return false
}

// numberCell is the cell of a number.
func numberCell(value string, format *numberFormat, y1904 bool) Cell {
	v, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return Cell{Text: value, Broken: true}
	}
	whole := plain(v)
	c := Cell{Text: whole, phone: whole}
	switch {
	case format == nil:
	case format.days:
		c.Text = day(v, y1904)
		c.phone = c.Text // a day is no number to call
	case len(format.sections) > 0:
		c.Text = format.show(v)
		c.phone = callable(c.Text, whole)
	}
	return c
}

// plain is a number with the 15 digits that Excel keeps, never with an exponent.
func plain(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	const digits = 15
	s := strconv.FormatFloat(v, 'e', digits-1, 64)
	rounded, err := strconv.ParseFloat(s, 64)
	if err != nil {
		rounded = v
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// callable is a phone number that is shown by a format: the digits that the format
// adds before it count, such as +49 or a zero; what it leaves out of it doesn't.
func callable(shown, whole string) string {
	var b strings.Builder
	if strings.HasPrefix(strings.TrimSpace(shown), "+") {
		b.WriteByte('+')
	}
	for _, c := range shown {
		if c >= '0' && c <= '9' {
			b.WriteRune(c)
		}
	}
	if strings.HasSuffix(b.String(), whole) && len(whole) > 1 {
		return b.String()
	}
	return whole
}

// show is what a format makes of a number.
func (f *numberFormat) show(v float64) string {
	d, minus := &f.sections[0], v < 0
	switch {
	case v < 0 && len(f.sections) > 1:
		d, minus = &f.sections[1], false
	case v == 0 && len(f.sections) > 2:
		d = &f.sections[2]
	}
	v = math.Abs(v) * math.Pow(100, float64(d.percent))
	if v >= 1e15 {
		return plain(v)
	}
	number := strconv.FormatFloat(v, 'f', d.decimals, 64)
	ahead, behind, _ := strings.Cut(number, ".")
	for i := d.optional; i > 0 && strings.HasSuffix(behind, "0"); i-- {
		behind = behind[:len(behind)-1]
	}
	if ahead == "0" && d.zeros == 0 && d.has() {
		ahead = ""
	}
	for len(ahead) < d.zeros {
		ahead = "0" + ahead
	}
	text := d.fill(ahead, behind)
	if minus && strings.Trim(number, "0.") != "" {
		text = "-" + text
	}
	return strings.TrimSpace(text)
}

// fill puts a number's digits into a format's places, those before the point from the
// right; the first place takes what is left.
func (d *digits) fill(ahead, behind string) string {
	first, places := -1, 0
	for i, p := range d.pieces {
		if p.place && !p.after {
			if first < 0 {
				first = i
			}
			places++
		}
	}
	var b strings.Builder
	digit := func(i int) { // of ahead
		if d.thousands && i > 0 && (len(ahead)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(ahead[i])
	}
	pointed, next, left := false, 0, places
	if first < 0 { // .00
		b.WriteString(ahead)
	}
	for i, p := range d.pieces {
		switch {
		case !p.place:
			b.WriteString(p.text)
		case p.after:
			if !pointed && behind != "" {
				b.WriteByte('.')
			}
			pointed = true
			if behind != "" {
				b.WriteByte(behind[0])
				behind = behind[1:]
			}
		default:
			left--
			until := len(ahead) - left
			if i == first && until < 0 {
				until = 0
			}
			for ; next < until; next++ {
				digit(next)
			}
		}
	}
	return b.String()
}

// day is a day, a time or both in the form of ISO 8601. Excel counts days from 1900,
// and has a 29th of February in that year.
func day(v float64, y1904 bool) string {
	const maxDay = 2958466 // the year 10000
	if v < 0 || v >= maxDay {
		return plain(v)
	}
	base := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case y1904:
		base = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case v < 60:
		base = base.AddDate(0, 0, 1)
	}
	seconds := int64(math.Round(v * 86400))
	at := base.AddDate(0, 0, int(seconds/86400)).Add(time.Duration(seconds%86400) * time.Second)
	switch {
	case seconds < 86400 && !y1904:
		return at.Format(time.TimeOnly)
	case seconds%86400 == 0:
		return at.Format(time.DateOnly)
	}
	return at.Format("2006-01-02T15:04:05")
}
