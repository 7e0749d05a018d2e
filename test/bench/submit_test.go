package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/test/program"
	"github.com/handout-dev/handout/test/redistest"
)

// BenchmarkSubmitOfAMillionRows runs handout submit on a CSV file, as a person
// would, in a process of its own: every number is validated, every template
// tried, duplicates are found. The plain way is a task for each row, without
// any of that.
func BenchmarkSubmitOfAMillionRows(b *testing.B) {
	const (
		recipients    = 1_000_000
		plainTasks    = 100_000
		leastRows     = 60_000
		leastTimes    = 8
		mostResidentM = 100
	)
	for b.Loop() {
		rate, resident := submitProcess(b, "list.csv", recipients)
		plain := enqueueOnly(b, plainTasks)

		b.ReportMetric(rate, "rows/s")
		b.ReportMetric(resident, "MiB-resident")
		b.ReportMetric(plain, "plain-enqueues/s")
		b.ReportMetric(rate/plain, "ratio")
		table = append(table,
			line{"submit of 1,000,000 rows, numbers validated", count(rate) + "/s", count(plain) + "/s", ratio(rate, plain), "≥ 60,000/s", met(rate >= leastRows)},
			line{"  the same, beside plain enqueues", "", "", ratio(rate, plain), fmt.Sprintf("ratio ≥ %d", leastTimes), met(rate >= leastTimes*plain)},
			line{"  its process, resident at most", fmt.Sprintf("%.0f MiB", resident), "", "", fmt.Sprintf("≤ %d MiB", mostResidentM), met(resident <= mostResidentM)},
		)
	}
	noTime(b)
}

// BenchmarkSubmitOfAMillionRowsInAWorkbook is the same with an Excel workbook, in which
// every text stands among three million shared ones.
func BenchmarkSubmitOfAMillionRowsInAWorkbook(b *testing.B) {
	const (
		recipients = 1_000_000
		maxTime    = 60 // seconds
		maxMemory  = 150
	)
	for b.Loop() {
		rate, resident := submitProcess(b, "list.xlsx", recipients)
		took := recipients / rate
		b.ReportMetric(rate, "rows/s")
		b.ReportMetric(resident, "MiB-resident")
		table = append(table,
			line{"submit of 1,000,000 rows in an Excel workbook", fmt.Sprintf("%.0f s", took), "", "", fmt.Sprintf("≤ %d s", maxTime), met(took <= maxTime)},
			line{"  its process, resident at most", fmt.Sprintf("%.0f MiB", resident), "", "", fmt.Sprintf("≤ %d MiB", maxMemory), met(resident <= maxMemory)},
		)
	}
	noTime(b)
}

func enqueueOnly(b *testing.B, n int) float64 {
	b.Helper()
	server := redistest.Start(b)
	defer server.Kill()
	return newPlain(b, server).enqueue(b, people(n, acceptedDigits, false))
}

// submitProcess returns rows per second and the most memory resident, in MiB.
func submitProcess(b *testing.B, name string, n int) (rate, resident float64) {
	b.Helper()
	dir := b.TempDir()
	list, file := filepath.Join(dir, name), filepath.Join(dir, "campaign.yaml")
	bin, err := program.Find("handout", dir)
	if err != nil {
		b.Fatal(err)
	}
	if filepath.Ext(name) == ".xlsx" {
		writeWorkbook(b, list, people(n, acceptedDigits, false))
	} else {
		writeCSV(b, list, people(n, acceptedDigits, false))
	}
	if err := os.WriteFile(file, []byte(campaignFile), 0o600); err != nil {
		b.Fatal(err)
	}
	server := redistest.Start(b)
	defer server.Kill()

	cmd := exec.Command(bin, "submit", file, list)
	cmd.Env = append(os.Environ(), "REDIS_URL="+server.URL())
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan float64)
	go func() { done <- peakResident(cmd.Process.Pid) }()
	err = cmd.Wait()
	took := time.Since(start)
	if err != nil {
		b.Fatalf("handout submit: %v\n%s", err, said.String())
	}
	if resident = <-done; resident == 0 { // not Linux
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			resident = float64(usage.Maxrss) / (1 << 10)
		}
	}
	info, err := newHandout(b, server).ledger.Info(b.Context(), campaignID)
	if err != nil || info.Total != n || info.Phase != campaign.Running {
		b.Fatalf("submitted: %+v, %v", info, err)
	}
	return float64(n) / took.Seconds(), resident
}

// peakResident follows a process to its end and returns the most memory that it
// has had, in MiB. The ru_maxrss of a child isn't it: that of a process started
// by vfork, as Go does, is at least its parent's.
func peakResident(pid int) float64 {
	var peak float64
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return peak
		}
		lived := false
		for l := range strings.Lines(string(status)) {
			var kb float64
			if n, _ := fmt.Sscanf(l, "VmHWM: %f kB", &kb); n == 1 {
				peak, lived = max(peak, kb/(1<<10)), true
			}
		}
		if !lived { // a zombie has no memory
			return peak
		}
		time.Sleep(10 * time.Millisecond)
	}
}
