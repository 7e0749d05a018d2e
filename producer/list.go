package producer

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
)

// Format is how a list is written.
type Format string

// The formats. CSV has a header line with recipient, phone and further columns
// in any order, separated by commas, semicolons, tabs or bars; NDJSON has an object
// with the same names on every line; XLSX is a sheet of an Excel workbook. Each may
// be compressed by gzip or zstd. A workbook is known by its content, whatever it is
// said to be.
const (
	CSV       Format = "csv"
	NDJSON    Format = "ndjson"
	XLSX      Format = "xlsx"
	ByContent Format = "" // a text that begins with { is NDJSON, any other CSV
)

// FormatOf returns a list's format by the ending of its name, less one of compression:
// .csv, .tsv, .txt, .ndjson, .jsonl or .xlsx. The error is [ErrUnknownFormat].
func FormatOf(name string) (Format, error) {
	name = strings.ToLower(name)
	if ending := filepath.Ext(name); ending == ".gz" || ending == ".zst" {
		name = strings.TrimSuffix(name, ending)
	}
	switch filepath.Ext(name) {
	case ".csv", ".tsv", ".tab", ".txt":
		return CSV, nil
	case ".ndjson", ".jsonl":
		return NDJSON, nil
	case ".xlsx", ".xlsm":
		return XLSX, nil
	}
	return "", ErrUnknownFormat
}

// ListOptions are how a list is to be read, beside what its content says.
type ListOptions struct {
	// Sheet is the workbook's sheet to read; empty: the first that isn't hidden.
	Sheet string
	// Columns are the list's own names of columns, by the names that templates use
	// for them, before those of the campaign file.
	Columns map[string]string
}

// With returns the list, to be read with these options.
func (l List) With(o ListOptions) List {
	l.options = o
	return l
}

// Limits of a list, which bound the memory that a broken file takes.
const (
	MaxCell    = 4096      // bytes of one cell
	MaxRow     = 64 * 1024 // bytes of one row as it is written
	MaxColumns = 100       // recipient and phone included
)

// Row is one person of a list that comes from a Go program.
type Row struct {
	Recipient string   // the caller's own name for the person; not empty
	Phone     string   // as a person writes it
	Values    []string // one for each column, in their order
}

// List is where the recipients of a campaign come from. It may be read any number
// of times, unless it was made from a reader that can't seek.
type List struct {
	name    string
	open    func() (io.ReadCloser, error)
	format  Format
	err     error
	options ListOptions

	columns []string
	rows    iter.Seq2[Row, error]
}

// ListFile is the list in a file, in the format that the ending of its name says.
func ListFile(path string) List {
	format, err := FormatOf(path)
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return List{name: path, format: format, err: err, open: func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err // names the path itself
		}
		return f, nil
	}}
}

// ListReader is the list read from r; name stands in faults. It is read once, and
// once more when another submit has interfered: then r must be an io.Seeker, else
// the error is [ErrNotRereadable]. A Read that blocks holds up Submit even after its
// context is done.
func ListReader(name string, format Format, r io.Reader) List {
	used := false
	return List{name: name, format: format, open: func() (io.ReadCloser, error) {
		if used {
			s, ok := r.(io.Seeker)
			if !ok {
				return nil, ErrNotRereadable
			}
			if _, err := s.Seek(0, io.SeekStart); err != nil {
				return nil, errors.Join(ErrNotRereadable, err)
			}
		}
		used = true
		return io.NopCloser(r), nil
	}}
}

// ListRows is the list that rows yields, with these columns beside recipient and
// phone. rows must give the same rows each time it is ranged over; an error
// that it yields ends the submit, and nothing is sent.
func ListRows(columns []string, rows iter.Seq2[Row, error]) List {
	return List{columns: columns, rows: rows}
}

// readError adds the list's name to an error of reading, unless it is there.
func (l List) readError(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return err
	}
	return &ReadError{List: l.name, Err: err}
}
