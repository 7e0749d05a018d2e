package producer

import (
	"io"
	"iter"

	"github.com/handout-dev/handout/campaign"
)

// rowsSource is a list that comes from a Go program.
type rowsSource struct {
	h    *header
	next func() (Row, error, bool)
	stop func()
	n    int
}

func newRows(columns []string, rows iter.Seq2[Row, error], w *wanted) (*rowsSource, error) {
	h, wrong := newHeader(append([]string{"recipient", "phone"}, columns...), w)
	if len(wrong) > 0 {
		var faults Faults
		for _, f := range wrong {
			faults.Add(Fault{Message: "columns: " + f.reason})
		}
		return nil, faults.Err()
	}
	s := &rowsSource{h: h}
	s.next, s.stop = iter.Pull2(rows)
	return s, nil
}

func (s *rowsSource) header() *header { return s.h }

func (s *rowsSource) fill(b *block) error {
	const limit = 1000
	b.first = s.n + 1
	for len(b.rows) < limit {
		row, err, ok := s.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		b.rows = append(b.rows, row)
	}
	if len(b.rows) == 0 {
		return io.EOF
	}
	s.n += len(b.rows)
	return nil
}

func (s *rowsSource) check(b *block, c *rowChecker) {
	c.begin(b, len(b.rows))
	c.checkUTF8 = true
	cells := make([]cell, len(s.h.names))
	for i := range b.rows {
		r := &b.rows[i]
		at := rowAt{line: b.first + i}
		if len(r.Values) != len(s.h.values) {
			c.refuse(at, -1, campaign.Count(len(r.Values), "value")+" for "+campaign.Count(len(s.h.values), "column"))
			continue
		}
		cells[0], cells[1] = cell{text: r.Recipient, offset: -1}, cell{text: r.Phone, offset: -1}
		size := len(r.Recipient) + len(r.Phone)
		for j, v := range r.Values {
			cells[2+j] = cell{text: v, offset: -1}
			size += len(v)
		}
		if size > MaxRow {
			c.refuse(at, -1, reasonLongRow)
			continue
		}
		c.row(at, cells)
	}
}
