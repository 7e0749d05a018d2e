package report

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
)

const (
	// sheetRows is how many rows a sheet holds, with its header; Excel's own limit.
	sheetRows = 1 << 20
	// sheetCell is the longest text that Excel takes in a cell, in characters.
	sheetCell = 32767
)

// workbook writes rows as an Excel workbook: each row goes out as it comes, so that a
// campaign of any size takes no memory and no temporary file. Every cell is a text,
// which no program takes for a formula, but for the number of attempts.
type workbook struct {
	zip    *zip.Writer
	header []string
	sheet  io.Writer // nil: none is open
	rows   int       // of the open sheet
	next   int       // the next sheet's number
	max    int       // rows of a sheet, with its header
	b      bytes.Buffer
}

const (
	relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	packages  = "http://schemas.openxmlformats.org/package/2006"
	mainSpace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	mediaType = "application/vnd.openxmlformats-officedocument.spreadsheetml."
)

// newWorkbook begins a workbook of so many rows without headers: its list of sheets
// stands in front of them. maxRows is how many a sheet holds.
func newWorkbook(w io.Writer, header []string, rows, maxRows int) (*workbook, error) {
	book := &workbook{zip: zip.NewWriter(w), header: header, next: 1, max: maxRows}
	sheets := max(1, (rows+maxRows-2)/(maxRows-1))
	var types, list, related strings.Builder
	for n := range sheets {
		name := fmt.Sprintf("/xl/worksheets/sheet%d.xml", n+1)
		fmt.Fprintf(&types, `<Override PartName="%s" ContentType="%sworksheet+xml"/>`, name, mediaType)
		fmt.Fprintf(&list, `<sheet name="People %d" sheetId="%d" r:id="r%d"/>`, n+1, n+1, n+1)
		fmt.Fprintf(&related, `<Relationship Id="r%d" Type="%s/worksheet" Target="%s"/>`, n+1, relations, name)
	}
	for _, part := range []struct{ name, text string }{
		{"[Content_Types].xml", `<Types xmlns="` + packages + `/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="` + mediaType + `sheet.main+xml"/>` + types.String() + `</Types>`},
		{"_rels/.rels", `<Relationships xmlns="` + packages + `/relationships">` +
			`<Relationship Id="r1" Type="` + relations + `/officeDocument" Target="/xl/workbook.xml"/></Relationships>`},
		{"xl/workbook.xml", `<workbook xmlns="` + mainSpace + `" xmlns:r="` + relations + `"><sheets>` + list.String() + `</sheets></workbook>`},
		{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="` + packages + `/relationships">` + related.String() + `</Relationships>`},
	} {
		out, err := book.zip.Create(part.name)
		if err == nil {
			_, err = io.WriteString(out, xml.Header+part.text)
		}
		if err != nil {
			return nil, err
		}
	}
	return book, book.open()
}

// open begins the next sheet: the header stays in sight.
func (b *workbook) open() error {
	var err error
	if b.sheet, err = b.zip.Create(fmt.Sprintf("xl/worksheets/sheet%d.xml", b.next)); err != nil {
		return err
	}
	b.next, b.rows = b.next+1, 0
	_, err = io.WriteString(b.sheet, xml.Header+`<worksheet xmlns="`+mainSpace+`"><sheetViews><sheetView workbookViewId="0">`+
		`<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>`)
	if err != nil {
		return err
	}
	return b.put(b.header, false)
}

func (b *workbook) end() error {
	_, err := io.WriteString(b.sheet, `</sheetData></worksheet>`)
	return err
}

// write writes a row, on a new sheet if the last one is full.
func (b *workbook) write(row []string) error {
	if b.rows == b.max {
		if err := b.end(); err != nil {
			return err
		}
		if err := b.open(); err != nil {
			return err
		}
	}
	return b.put(row, true)
}

func (b *workbook) put(row []string, numbers bool) error {
	b.rows++
	b.b.Reset()
	b.b.WriteString("<row>")
	for i, cell := range row {
		if numbers && i == attemptsAt {
			b.b.WriteString("<c><v>" + cell + "</v></c>")
			continue
		}
		if cell == "" {
			b.b.WriteString("<c/>")
			continue
		}
		b.b.WriteString(`<c t="inlineStr"><is><t xml:space="preserve">`)
		// Replaces what XML can't hold by U+FFFD. A bytes.Buffer takes everything.
		_ = xml.EscapeText(&b.b, []byte(cellText(cell)))
		b.b.WriteString("</t></is></c>")
	}
	b.b.WriteString("</row>")
	_, err := b.sheet.Write(b.b.Bytes())
	return err
}

func (b *workbook) close() error {
	if err := b.end(); err != nil {
		return err
	}
	return b.zip.Close()
}

// escape is what Excel takes for a character by its number, as in _x0041_ for A.
var escape = regexp.MustCompile(`_(x[0-9A-Fa-f]{4}_)`)

// cellText is s so that Excel shows just that, cut to what it takes in a cell.
func cellText(s string) string {
	if strings.Contains(s, "_x") {
		s = escape.ReplaceAllString(s, "_x005F_$1")
	}
	if len(s) > sheetCell {
		if r := []rune(s); len(r) > sheetCell {
			s = string(r[:sheetCell])
		}
	}
	return s
}

// spreadsheetRow writes rows as CSV in which no program takes a cell for a formula:
// with an apostrophe in front, and all cells in quotes, as OWASP says
// (https://owasp.org/www-community/attacks/CSV_Injection). It begins with the mark by
// which Excel knows UTF-8.
func spreadsheetRow(w io.Writer) func([]string) error {
	b := []byte("\ufeff")
	return func(row []string) error {
		for i, cell := range row {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			// The last four are wide forms, which some programs take for the others.
			if strings.IndexAny(cell, "=+-@\t\r\n＝＋－＠") == 0 {
				b = append(b, '\'')
			}
			b = append(b, strings.ReplaceAll(cell, `"`, `""`)...)
			b = append(b, '"')
		}
		_, err := w.Write(append(b, '\r', '\n'))
		b = b[:0]
		return err
	}
}
