package producer

import (
	"errors"
	"io"
	"strings"

	"github.com/handout-dev/handout/internal/listfile"
)

// sheetSource is a list in an Excel workbook.
type sheetSource struct {
	sheet *listfile.Sheet
	h     *header
	read  *Reading
	row   listfile.Row
}

// sheetRow is where a workbook's row ends among the cells of a block.
type sheetRow struct{ end, line int }

func newSheet(name string, sheet *listfile.Sheet, w *wanted, read *Reading) (*sheetSource, error) {
	s := &sheetSource{sheet: sheet, read: read}
	for {
		if err := sheet.Next(&s.row); errors.Is(err, io.EOF) {
			return nil, errNoBytes
		} else if err != nil {
			return nil, err
		}
		names := make([]string, len(s.row.Cells))
		for i := range s.row.Cells {
			names[i] = s.row.Cells[i].Text
		}
		if strings.TrimSpace(strings.Join(names, "")) == "" {
			continue
		}
		h, wrong := newHeader(names, w)
		var faults Faults
		for _, f := range wrong {
			faults.Add(Fault{File: name, Line: s.row.Line, Message: "header: " + f.reason})
		}
		s.h = h
		return s, faults.Err()
	}
}

func (s *sheetSource) header() *header { return s.h }

func (s *sheetSource) fill(b *block) error {
	const limit = 1000
	for len(b.ends) < limit {
		switch err := s.sheet.Next(&s.row); {
		case errors.Is(err, io.EOF) && len(b.ends) > 0:
			return nil
		case err != nil:
			return err
		}
		for i := range s.row.Cells {
			c := &s.row.Cells[i]
			text := c.Text
			if i == s.h.phone {
				text = c.Phone()
			}
			b.cells = append(b.cells, cell{text: text, offset: -1, broken: c.Broken})
		}
		b.ends = append(b.ends, sheetRow{len(b.cells), s.row.Line})
		s.read.HiddenRows = s.sheet.Hidden
	}
	return nil
}

func (s *sheetSource) check(b *block, c *rowChecker) {
	c.begin(b, len(b.ends))
	c.checkUTF8 = true
	from := 0
	for _, r := range b.ends {
		cells := b.cells[from:r.end]
		from = r.end
		if blankCells(cells) {
			b.blank++
			continue
		}
		size := 0
		for i := range cells {
			size += len(cells[i].text)
		}
		if size > MaxRow {
			c.refuse(rowAt{line: r.line}, -1, reasonLongRow)
			continue
		}
		for len(cells) < len(s.h.names) {
			cells = append(cells[:len(cells):len(cells)], cell{offset: -1}) // Excel leaves out empty ones
		}
		c.row(rowAt{line: r.line}, cells)
	}
}
