package listfile

import (
	"strconv"
)

// Cell is a cell of a row.
type Cell struct {
	// Text is what the cell shows: numbers by their format, days and times in the form
	// of ISO 8601.
	Text string
	// Broken means that the cell has no value: an error such as #N/A, or a formula that
	// was never computed.
	Broken bool

	phone string // of a number: its digits, whole
}

// Phone is the cell's text as a phone number: of a number all its digits, whatever
// its format shows of them.
func (c *Cell) Phone() string {
	if c.phone != "" {
		return c.phone
	}
	return c.Text
}

// maxSheetColumns is Excel's own bound.
const maxSheetColumns = 16384

func (s *Sheet) readCell(row *Row) error {
	at := column(s.x.attr("r"), len(row.Cells))
	if at < len(row.Cells) || at >= maxSheetColumns {
		return errXML
	}
	for len(row.Cells) < at {
		row.Cells = append(row.Cells, Cell{})
	}
	var format *numberFormat
	if n, err := strconv.Atoi(string(s.x.attr("s"))); err == nil && n >= 0 && n < len(s.styles) {
		format = s.styles[n]
	}
	kind := cellKind(s.x.attr("t"))
	value, inline, formula, computed := s.cell[:0], false, false, false
	for {
		if err := s.x.next(); err != nil {
			return unexpected(err)
		}
		switch {
		case s.x.name == "v" && s.x.kind == endTag:
			value, computed = s.x.appendText(value), true
		case s.x.name == "f":
			formula = true
		case s.x.name == "is" && s.x.kind == startTag:
			var err error
			if value, err = richText(s.x, "is", value); err != nil {
				return err
			}
			inline = true
		case s.x.name == "c" && s.x.kind == endTag:
			s.cell = value
			c, err := s.value(kind, string(value), format, inline)
			c.Broken = c.Broken || formula && !computed
			row.Cells = append(row.Cells, c)
			return err
		}
	}
}

// cellKind is a cell's type without an allocation.
func cellKind(t []byte) string {
	for _, k := range [...]string{"s", "str", "inlineStr", "n", "b", "e", "d"} {
		if string(t) == k {
			return k
		}
	}
	return ""
}

func (s *Sheet) value(kind, value string, format *numberFormat, inline bool) (Cell, error) {
	switch {
	case inline:
		return Cell{Text: value}, nil
	case kind == "s":
		i, err := strconv.Atoi(value)
		if err != nil {
			return Cell{Broken: value != ""}, nil
		}
		text, ok, err := s.texts.get(i)
		return Cell{Text: text, Broken: !ok}, err
	case kind == "str":
		return Cell{Text: string(escapes([]byte(value)))}, nil
	case kind == "d": // written as ISO 8601
		return Cell{Text: value}, nil
	case kind == "e":
		return Cell{Text: value, Broken: true}, nil
	case kind == "b":
		return Cell{Text: map[string]string{"1": "TRUE", "0": "FALSE"}[value]}, nil
	case value == "":
		return Cell{}, nil
	}
	return numberCell(value, format, s.y1904), nil
}

// column is the place of a cell by its reference such as AB12, counted from 0;
// without one it is the next.
func column(reference []byte, next int) int {
	n := 0
	for _, c := range reference {
		if c < 'A' || c > 'Z' {
			break
		}
		if n = n*26 + int(c-'A') + 1; n > maxSheetColumns {
			break
		}
	}
	if n == 0 {
		return next
	}
	return n - 1
}

// escapes resolves _x000D_, in which form workbooks write characters that XML can't
// have.
func escapes(text []byte) []byte {
	for i := 0; i+len("_x000D_") <= len(text); i++ {
		if text[i] != '_' || text[i+1] != 'x' || text[i+6] != '_' {
			continue
		}
		n, err := strconv.ParseUint(string(text[i+2:i+6]), 16, 16)
		if err != nil {
			continue
		}
		text = append(text[:i], append([]byte(string(rune(n))), text[i+7:]...)...)
	}
	return text
}
