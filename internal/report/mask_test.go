package report_test

import (
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/report"
)

func TestMaskPhone_LeavesTheLastTwoDigits(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{"+12015550123": "+*********23", "+1": "+1", "+12": "+12", "+123": "+*23", "": ""} {
		if got := report.MaskPhone(number); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}

func TestMaskName_HidesANumberThatServesAsAName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"customer-1": "customer-1", "customer-99988877": "customer-99988877", "+12015550123": "+*********23",
		"1 (201) 555-0123": "* (***) ***-**23", "john 555 0123": "john *** **23", "ç": "ç",
	} {
		if got := report.MaskName(name, "+12015550123"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestExportMasked_NamesNoNumber(t *testing.T) {
	t.Parallel()
	ledger, info := held(t)
	for _, format := range []report.Format{report.CSV, report.NDJSON} {
		out := text(t, func(b *strings.Builder) error { return report.ExportMasked(t.Context(), ledger, info, b, format) })
		if strings.Contains(out, "555") || strings.Count(out, "+*********0") != 3 {
			t.Errorf("%s:\n%s", format, out)
		}
	}
}
