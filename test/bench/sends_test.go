package bench_test

import (
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkSendsWithoutALimit sends as fast as it goes: Redis, the vendor and
// the sender share the machine. The plain way's tasks are in the queue before
// the clock starts; ours are fed, claimed and recorded while it runs.
func BenchmarkSendsWithoutALimit(b *testing.B) {
	const (
		recipients = 15_000
		turns      = 4
	)
	var r rounds
	for b.Loop() {
		to, stop := startVendor(b, vendorOptions{})
		r.run(turns,
			func(int) float64 { return sendOurs(b, to, recipients) },
			func(int) float64 { return sendPlain(b, to, recipients) })
		stop()
	}
	r.report(b, "sends/s", "sends without a limit", 1.8)
	noTime(b)
}

// BenchmarkSendsToASlowVendor is the same beside a vendor who takes 200 ms for
// an answer: what counts is how many sends are in flight.
func BenchmarkSendsToASlowVendor(b *testing.B) {
	const (
		recipients = 4_000
		latency    = 200 * time.Millisecond
	)
	for b.Loop() {
		to, stop := startVendor(b, vendorOptions{Latency: latency})
		ours, plain := sendOurs(b, to, recipients), sendPlain(b, to, recipients)
		stop()
		b.ReportMetric(ours, "sends/s")
		b.ReportMetric(plain, "plain-sends/s")
		b.ReportMetric(ours/plain, "ratio")
		table = append(table, line{
			"  the same, the vendor answers after 200 ms", count(ours) + "/s", count(plain) + "/s", ratio(ours, plain),
			"ratio ≥ 1.00", met(ours/plain >= 0.995), // rounded
		})
	}
	noTime(b)
}

// BenchmarkSendsOfThreeWorkersToASlowVendor has three workers share one campaign. One
// of them feeds it, and sees its tasks before the others.
func BenchmarkSendsOfThreeWorkersToASlowVendor(b *testing.B) {
	const (
		recipients = 12_000
		latency    = 200 * time.Millisecond
		workers    = 3
		least      = 1450 // a second; as many as are in flight allow 1,920
	)
	for b.Loop() {
		to, stop := startVendor(b, vendorOptions{Latency: latency})
		server := redistest.Start(b)
		h := newHandout(b, server)
		h.submit(b, people(recipients, acceptedDigits, false))
		first := h.work(b, to, 0)
		stops := []func(){first.stop}
		for range workers - 1 {
			stops = append(stops, newHandout(b, server).work(b, to, 0).stop)
		}
		await(b, func() bool { return h.balance(b).Of(campaign.Accepted) == recipients })
		rate := recipients / first.first.since().Seconds()
		for _, stop := range stops {
			stop()
		}
		stop()
		server.Kill()
		b.ReportMetric(rate, "sends/s")
		table = append(table, line{
			"  the same, three workers", count(rate) + "/s", "", "", "≥ " + count(least) + "/s", met(rate >= least),
		})
	}
	noTime(b)
}

func sendOurs(b *testing.B, to *vendor, n int) float64 {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	h := newHandout(b, server)
	h.submit(b, people(n, acceptedDigits, false))
	before := cpuTime(b, server, to)
	stop := profile(b, "sends")
	rate := h.send(b, to, n)
	stop()
	b.Logf("handout: %s sends/s; a send takes %s", count(rate), cpuTime(b, server, to).minus(before).per(n))
	return rate
}

func sendPlain(b *testing.B, to *vendor, n int) float64 {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	p := newPlain(b, server)
	enqueued := p.enqueue(b, people(n, acceptedDigits, false))
	before := cpuTime(b, server, to)
	stop := profile(b, "sends-plain")
	rate := p.send(b, to, n, concurrency)
	stop()
	b.Logf("plain: %s sends/s (enqueued %s/s); a send takes %s", count(rate), count(enqueued), cpuTime(b, server, to).minus(before).per(n))
	return rate
}
