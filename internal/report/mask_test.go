package report_test

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/report"
)

func TestExportMasked_NamesNoNumber(t *testing.T) {
	t.Parallel()
	ledger, info := held(t)
	for _, format := range []report.Format{report.CSV, report.NDJSON} {
		out := text(t, func(b *strings.Builder) error { return ledger.Export(t.Context(), info, b, format, true) })
		if strings.Contains(out, "555") || strings.Count(out, "+*********0") != 3 {
			t.Errorf("%s:\n%s", format, out)
		}
	}
}
