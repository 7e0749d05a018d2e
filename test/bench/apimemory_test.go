package bench_test

import (
	"fmt"
	"testing"
)

// BenchmarkMemoryOfAnUpload is what handout console takes for a list of a million
// rows, of two, and of five: a list isn't kept while it is read, but for what finds
// the rows that stand in it twice. Phone numbers stand in a compressed bitmap, 3 to 6
// bytes each, names in a table of hashes, 11 to 16 bytes each; and Go collects when
// there is twice as much. What is measured is some 20 MiB more or less, by when.
func BenchmarkMemoryOfAnUpload(b *testing.B) {
	const (
		million  = 1_000_000
		mostMore = 44 // bytes a row: twice 6 and 16
	)
	for b.Loop() {
		upload := func(rows int) (mib, rate float64) {
			c := newConsole(b)
			rate = c.upload(b, rows)
			return c.stop(), rate
		}
		one, rateOne := upload(1 * million)
		two, _ := upload(2 * million)
		five, rateFive := upload(5 * million)
		more := (five - two) * (1 << 20) / (3 * million)
		b.ReportMetric(one, "MiB-1M")
		b.ReportMetric(two, "MiB-2M")
		b.ReportMetric(five, "MiB-5M")
		b.ReportMetric(rateOne, "rows/s-1M")
		b.ReportMetric(rateFive, "rows/s-5M")
		table = append(table,
			line{"API: upload of 1,000,000 rows, its process's memory at most", fmt.Sprintf("%.0f MiB", one), "", "", "", noRequirement},
			line{"  of 2,000,000", fmt.Sprintf("%.0f MiB", two), "", "", "", noRequirement},
			line{"  of 5,000,000", fmt.Sprintf("%.0f MiB", five), "", "", "", noRequirement},
			line{"  more for each row over 2,000,000", fmt.Sprintf("%.0f B", more), "", "", fmt.Sprintf("≤ %d B", mostMore), met(more <= mostMore)},
			line{"  rate of 5,000,000", count(rateFive) + "/s", "", "", "", noRequirement},
		)
	}
	noTime(b)
}
