package producer_test

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/handout-dev/handout/producer"
	"github.com/handout-dev/handout/test/redistest"
)

const fileThenText = `
id: order-history
message_type: MKT
channels:
  - channel: whatsapp
    fallback_time: 10m
    template: file
    parameters: {url: "{{.url}}", file_name: "order history.xlsx"}
  - channel: sms
    template: text
    parameters: {text: "Your viatu.com order history is ready for download at {{.url}}."}
rate: 10
`

func parse(t testing.TB, src string) *producer.File {
	t.Helper()
	f, err := producer.ParseCampaign("campaign.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// generated is a CSV of rows that are made as they are read.
type generated struct {
	rows, n int
	buf     []byte
	rest    []byte
}

func (g *generated) Read(p []byte) (int, error) {
	if len(g.rest) == 0 {
		if g.n > g.rows {
			return 0, io.EOF
		}
		g.rest = g.line()
		g.n++
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

func (g *generated) line() []byte {
	if g.n == 0 {
		return []byte("recipient,phone,url\n")
	}
	areas := [...]string{"201", "212", "415", "512", "617", "702"}
	b := append(g.buf[:0], "customer-"...)
	b = strconv.AppendInt(b, int64(g.n), 10)
	b = append(append(b, ",+1"...), areas[g.n%len(areas)]...)
	b = strconv.AppendInt(b, int64(2000000+g.n), 10)
	b = append(b, ",https://s3.amazonaws.com/346542/viatu/customer"...)
	b = strconv.AppendInt(b, int64(g.n*7919%1000003), 10)
	b = append(b, "-order-history.xlsx\n"...)
	g.buf = b
	return b
}

// peakRSS is the most memory that this process has had, in MiB.
func peakRSS(t testing.TB) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not Linux
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}

// BenchmarkSubmit submits a million rows to a Redis on this machine.
func BenchmarkSubmit(b *testing.B) {
	const rows = 1_000_000
	file := parse(b, fileThenText)
	for b.Loop() {
		server := redistest.Start(b)
		client := producer.New(server.Client())
		result, err := client.Submit(b.Context(), file,
			producer.ListReader("list.csv", producer.CSV, &generated{rows: rows}), producer.SubmitOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if result.Info.Total != rows {
			b.Fatalf("%d recipients", result.Info.Total)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(peakRSS(b), "MiB-peak")
}

// BenchmarkCheck reads a million rows and writes nothing.
func BenchmarkCheck(b *testing.B) {
	const rows = 1_000_000
	file := parse(b, fileThenText)
	for b.Loop() {
		_, err := producer.Check(b.Context(), file,
			producer.ListReader("list.csv", producer.CSV, &generated{rows: rows}), producer.CheckOptions{})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(peakRSS(b), "MiB-peak")
}
