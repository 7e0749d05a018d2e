package bench_test

import (
	"fmt"
	"testing"
)

// BenchmarkMemoryOfAnUpload is what handout console takes for a list of a million
// rows, and for one of three: a list isn't kept while it is read, but for 10 to 16
// bytes a row, by which duplicates are found, and what Go leaves to its collector.
func BenchmarkMemoryOfAnUpload(b *testing.B) {
	const (
		large, larger = 1_000_000, 3_000_000
		mostMore      = 40 // bytes a row
	)
	for b.Loop() {
		upload := func(rows int) float64 {
			c := newConsole(b)
			c.upload(b, rows)
			return c.stop()
		}
		one, three := upload(large), upload(larger)
		more := (three - one) * (1 << 20) / (larger - large)
		b.ReportMetric(one, "MiB-1M")
		b.ReportMetric(three, "MiB-3M")
		table = append(table,
			line{"API: upload of 1,000,000 rows, its process's memory at most", fmt.Sprintf("%.0f MiB", one), "", "", "", noRequirement},
			line{"  of 3,000,000", fmt.Sprintf("%.0f MiB", three), "", "", "", noRequirement},
			line{"  more for each row", fmt.Sprintf("%.0f B", more), "", "", fmt.Sprintf("≤ %d B", mostMore), met(more <= mostMore)},
		)
	}
	noTime(b)
}
