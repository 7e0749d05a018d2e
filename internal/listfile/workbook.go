package listfile

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
)

// Sheet is a sheet of an Excel workbook, read row by row.
type Sheet struct {
	Name string
	// Hidden counts the rows read so far that Excel doesn't show: a filter hides them.
	// They are read.
	Hidden int

	book   *zip.Reader
	close  func()
	part   io.ReadCloser
	x      *xmlReader
	texts  *sharedTexts
	styles []*numberFormat // by a cell's style
	y1904  bool            // days are counted from 1904
	line   int
	ended  bool
	cell   []byte
}

// Row is a row of a sheet. Its cells are valid until the next one is read.
type Row struct {
	Line  int // as Excel counts
	Cells []Cell
}

const errNoWorkbook = FileError("a zip file that is no Excel workbook (.xlsx)")

// OpenSheet opens a workbook's sheet of this name, or without a name the first one
// that isn't hidden.
func OpenSheet(r io.ReaderAt, size int64, name string) (*Sheet, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	s := &Sheet{book: z, close: func() {}}
	if err := s.open(name); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close frees what the sheet holds.
func (s *Sheet) Close() {
	if s.part != nil {
		_ = s.part.Close() // it was only read
	}
	s.texts.close()
	s.close()
}

// maxWorkbook is the longest workbook, in bytes. A million rows take 30 MB.
const maxWorkbook = 1 << 30

// Sheet opens a sheet of the file, which is a workbook; see [OpenSheet]. A workbook
// that doesn't come from a file is written to one, without a name.
func (f *File) Sheet(name string) (*Sheet, error) {
	if file, ok := f.source.(*os.File); ok && f.Compression == "" {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			return OpenSheet(file, info.Size(), name)
		}
	}
	file, err := os.CreateTemp("", "handout-workbook-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("keep a workbook: %w", err)
	}
	_ = os.Remove(file.Name()) // where a system can't, it goes with its temporary files
	n, err := io.Copy(file, io.LimitReader(f.in, maxWorkbook+1))
	if err == nil && n > maxWorkbook {
		err = FileError("the workbook is longer than 1 GB")
	}
	var s *Sheet
	if err == nil {
		s, err = OpenSheet(file, n, name)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	s.close = func() { _ = file.Close() }
	return s, nil
}

func (s *Sheet) open(name string) error {
	main, err := s.relations("_rels/.rels", "")
	if err != nil {
		return errNoWorkbook
	}
	book := ""
	for _, r := range main {
		if strings.HasSuffix(r.kind, "/officeDocument") && strings.HasSuffix(r.target, ".xml") {
			book = r.target
		}
	}
	if book == "" {
		return errNoWorkbook
	}
	parts, err := s.relations(path.Join(path.Dir(book), "_rels", path.Base(book)+".rels"), path.Dir(book))
	if err != nil {
		return err
	}
	sheet, err := s.choose(book, name, parts)
	if err != nil {
		return err
	}
	for _, r := range parts {
		switch {
		case strings.HasSuffix(r.kind, "/styles"):
			err = s.each(r.target, func(p io.Reader) (err error) { s.styles, err = readStyles(p); return err })
		case strings.HasSuffix(r.kind, "/sharedStrings"):
			err = s.each(r.target, func(p io.Reader) (err error) { s.texts, err = readSharedTexts(p); return err })
		}
		if err != nil {
			return err
		}
	}
	if s.part, err = s.find(sheet); err != nil {
		return err
	}
	s.x = newXMLReader(s.part)
	for {
		if err := s.x.next(); err != nil {
			return unexpected(err)
		}
		if s.x.name == "sheetData" {
			return nil
		}
	}
}

// relation is what a part refers to.
type relation struct{ id, kind, target string }

func (s *Sheet) relations(part, folder string) (all []relation, err error) {
	err = s.each(part, func(p io.Reader) error {
		return tags(p, func(x *xmlReader) error {
			if x.name != "Relationship" || string(x.attr("TargetMode")) == "External" {
				return nil
			}
			target := string(unescape(nil, x.attr("Target")))
			if rooted, ok := strings.CutPrefix(target, "/"); ok {
				target = rooted
			} else {
				target = path.Join(folder, target)
			}
			all = append(all, relation{string(x.attr("Id")), string(x.attr("Type")), target})
			if len(all) > maxParts {
				return errXML
			}
			return nil
		})
	})
	return all, err
}

// maxParts bounds what a workbook lists of sheets, styles and parts; Excel's own
// bound is 65,490 styles.
const maxParts = 1 << 16

// choose finds the sheet in the workbook's own part, and returns the sheet's.
func (s *Sheet) choose(book, name string, parts []relation) (part string, err error) {
	var names []string
	err = s.each(book, func(p io.Reader) error {
		return tags(p, func(x *xmlReader) error {
			if x.name == "workbookPr" {
				v := string(x.attr("date1904"))
				s.y1904 = v == "1" || v == "true"
			}
			if x.name != "sheet" || part != "" {
				return nil
			}
			title, id := string(unescape(nil, x.attr("name"))), string(x.attr("id"))
			for _, r := range parts {
				if r.id != id || !strings.HasSuffix(r.kind, "/worksheet") {
					continue // a sheet of a chart
				}
				names = append(names, title)
				shown := string(x.attr("state")) == "" || string(x.attr("state")) == "visible"
				if title == name || name == "" && shown {
					part, s.Name = r.target, title
				}
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return "", err
	case part == "" && name != "":
		return "", FileError(fmt.Sprintf("the workbook has no sheet named %q, only %s", name, strings.Join(names[:min(len(names), 10)], ", ")))
	case part == "":
		return "", FileError("the workbook has no sheet that is shown")
	}
	return part, nil
}

// tags calls f for each tag that begins.
func tags(r io.Reader, f func(*xmlReader) error) error {
	x := newXMLReader(r)
	for {
		switch err := x.next(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if x.kind == startTag {
			if err := f(x); err != nil {
				return err
			}
		}
	}
}

// find opens a part of the workbook.
func (s *Sheet) find(name string) (io.ReadCloser, error) {
	for _, f := range s.book.File {
		if !strings.EqualFold(strings.ReplaceAll(f.Name, `\`, "/"), name) {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		packed := int64(f.CompressedSize64)
		return &partReader{&guarded{r: r, packed: func() int64 { return packed }}, r}, nil
	}
	return nil, errPart
}

type partReader struct {
	io.Reader
	io.Closer
}

func (s *Sheet) each(part string, f func(io.Reader) error) error {
	r, err := s.find(part)
	if err != nil {
		return err
	}
	defer r.Close()
	return f(r)
}

// Next reads the next row that has cells; io.EOF when there is none.
func (s *Sheet) Next(row *Row) error {
	row.Cells = row.Cells[:0]
	for !s.ended {
		if err := s.x.next(); err != nil {
			return unexpected(err)
		}
		switch {
		case s.x.name == "sheetData" && s.x.kind == endTag:
			s.ended = true
		case s.x.name == "row" && s.x.kind == startTag:
			s.line++
			if n, err := strconv.Atoi(string(s.x.attr("r"))); err == nil && n >= s.line {
				s.line = n
			}
			row.Line = s.line
			if h := string(s.x.attr("hidden")); h == "1" || h == "true" {
				s.Hidden++
			}
		case s.x.name == "row" && len(row.Cells) > 0:
			return nil
		case s.x.name == "c" && s.x.kind == startTag:
			if err := s.readCell(row); err != nil {
				return err
			}
		}
	}
	return io.EOF
}
