package console

import (
	"net/http"
	"time"

	"github.com/handout-dev/handout/internal/report"
	"github.com/handout-dev/handout/internal/web/access"
)

// exports are what a page hands out for spreadsheets, by the file's ending. No cell of
// either is a formula.
var exports = map[string]report.Format{"xlsx": report.XLSX, "csv": report.SpreadsheetCSV}

// export hands out a line for everyone in a campaign, as a stream.
func (c *Console) export(v *visit) error {
	format, ok := exports[v.URL.Query().Get("format")]
	if !ok {
		return errNoPage
	}
	s, err := c.standing(v)
	if err == nil {
		err = s.Info.Gone()
	}
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", report.Media[format])
	h.Set("Content-Disposition", `attachment; filename="`+string(s.Info.ID)+"."+v.URL.Query().Get("format")+`"`)
	w := steady{v.w, http.NewResponseController(v.w)}
	if err := c.reports.Export(v.Context(), s.Info, w, format, !v.may(access.People)); err != nil {
		c.o.Logger.WarnContext(v.Context(), "an export broke off", "campaign", s.Info.ID, "error", err)
		panic(http.ErrAbortHandler) // a cut connection can't be taken for the end of the list
	}
	return nil
}

// steady moves the deadline with each write: a browser may take its time, but not
// fall silent.
type steady struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (m steady) Write(b []byte) (int, error) {
	_ = m.control.SetWriteDeadline(time.Now().Add(uploadSilence)) // without one there is nothing to move
	return m.ResponseWriter.Write(b)
}
