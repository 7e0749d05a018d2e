package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/internal/web/access"
)

func TestExport_IsAFileInWhichNothingIsAFormula(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 3, true, "")
	reader, clerk := h.login(t, "olga", access.Read), h.login(t, "petra", access.Read, access.People)
	reader.see(reader.get(http.StatusOK, "/campaigns/spring"),
		`href="/campaigns/spring/export?format=xlsx" download`, `href="/campaigns/spring/export?format=csv" download`)

	for who, phone := range map[*browser]string{reader: "+*********", clerk: "+120155501"} {
		a := who.get(http.StatusOK, "/campaigns/spring/export?format=csv")
		if !strings.Contains(a.body, `"'`+phone) || strings.Contains(a.body, `"+`) || strings.Count(a.body, "\r\n") != 4 ||
			a.header.Get("Content-Disposition") != `attachment; filename="spring.csv"` {
			t.Errorf("%v %s", a.header, a.body)
		}
		a = who.get(http.StatusOK, "/campaigns/spring/export?format=xlsx")
		f, err := excelize.OpenReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.GetRows("People 1")
		if err != nil || len(rows) != 4 || !strings.HasPrefix(rows[1][1], phone) || a.header.Get("Content-Disposition") != `attachment; filename="spring.xlsx"` {
			t.Errorf("%v %v %v", rows, err, a.header)
		}
	}
	for _, format := range []string{"", "?format=ndjson", "?format=spreadsheet-csv"} {
		reader.get(http.StatusNotFound, "/campaigns/spring/export"+format)
	}
	reader.get(http.StatusNotFound, "/campaigns/autumn/export?format=csv")
	h.browser(t).get(http.StatusSeeOther, "/campaigns/spring/export?format=csv")
}
