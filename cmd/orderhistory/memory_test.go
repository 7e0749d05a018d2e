//go:build linux

package main_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// TestRun_MemoryDoesNotGrowWithTheList follows a run of 2,000 customers, one of
// whom has ordered 30,000 times.
func TestRun_MemoryDoesNotGrowWithTheList(t *testing.T) {
	t.Parallel()
	const most = 200 // MiB
	p := settle(t, 2000)
	shop, err := database.Create(t.Context(), p.env["ORDERHISTORY_SHOP"])
	must(t, err)
	for _, s := range []string{
		`INSERT INTO orders (id, customer_id, ordered_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
			SELECT 1000000 + i, 7, '2020-01-01 00:00:00' FROM n`,
		`INSERT INTO order_items (order_id, line, item, quantity, unit_cents) SELECT id, 1, 'Map of the Alps', 1, 1495 FROM orders WHERE id > 1000000`,
	} {
		_, err := shop.ExecContext(t.Context(), s)
		must(t, err)
	}
	must(t, shop.Close())
	r := p.launch("run", "--period", day)
	peak := 0.0
	for !r.ended() {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
		for line := range strings.Lines(string(status)) {
			var kb float64
			if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kb); n == 1 {
				peak = max(peak, kb/1024)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	if r.cmd.ProcessState.ExitCode() != 0 {
		t.Fatal(r.out.String())
	}
	if peak == 0 || peak > most {
		t.Errorf("%.0f MiB resident, at most %d may be", peak, most)
	}
	t.Logf("%.0f MiB resident", peak)
	if n := p.asks("SELECT count(*) FROM orderhistory_files WHERE state = 'enqueued'"); n != 2000 {
		t.Errorf("%d files", n)
	}
}
