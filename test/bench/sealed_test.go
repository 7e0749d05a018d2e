package bench_test

import (
	"fmt"
	"testing"

	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkEncryption is what a master key costs: the same campaign with one and
// without, in turns, sent without a limit. Bytes are those of the list and of the records
// of everyone accepted; CPU is that of the worker and of Redis together.
func BenchmarkEncryption(b *testing.B) {
	const (
		recipients = 15_000
		turns      = 4
		most       = 1.15
	)
	keys, err := sealed.NewRing(sealed.NewMasterKey(), "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		to, stop := startVendor(b, vendorOptions{})
		var bytes, time rounds
		send := func(keys *sealed.Ring) (stored, cpu float64) {
			server := redistest.Start(b)
			defer server.Kill()
			h := newHandout(b, server)
			h.keys = keys
			empty := server.UsedMemory()
			h.submit(b, people(recipients, acceptedDigits, false))
			before := cpuTime(b, server, nil)
			h.send(b, to, recipients)
			used := cpuTime(b, server, nil).minus(before)
			return float64(server.UsedMemory()-empty) / recipients, float64((used.self + used.redis).Nanoseconds()) / recipients / 1000
		}
		for turn := range turns {
			var stored, times [2]float64
			for i := range 2 {
				with := (turn + i) % 2
				stored[with], times[with] = send([]*sealed.Ring{nil, keys}[with])
			}
			bytes.add(stored[1], stored[0])
			time.add(times[1], times[0])
		}
		stop()
		add := func(what, unit string, r *rounds) {
			times := median(r.ratios)
			b.ReportMetric(times, what)
			table = append(table, line{
				"encrypted, beside the same in clear: " + what, fmt.Sprintf("%.1f %s", median(r.ours), unit), fmt.Sprintf("%.1f %s", median(r.plain), unit),
				fmt.Sprintf("%.3f", times), fmt.Sprintf("ratio ≤ %.2f", most), met(times <= most),
			})
			b.Logf("%s: %.2f %s with a master key, %.2f without: %.3f times (%.3v)", what, median(r.ours), unit, median(r.plain), times, r.ratios)
		}
		add("Redis-bytes/recipient", "B", &bytes)
		add("CPU/send", "µs", &time)
	}
	noTime(b)
}
