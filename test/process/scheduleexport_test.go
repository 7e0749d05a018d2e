package process_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/test/postgrestest"
	"github.com/handout-dev/handout/test/redistest"
)

// stop is a point of an export at which a test can keep it: how often it has come
// there, and what lets it go on.
type stop struct {
	came func() int
	free func()
}

// TestSchedule_AnExportKilledAnywhereIsOneFileAndOneMessageForEach has two
// schedulers run orderhistory. At one point of the export, in turn, the scheduler
// and the export are killed, the export alone, and the scheduler alone.
func TestSchedule_AnExportKilledAnywhereIsOneFileAndOneMessageForEach(t *testing.T) {
	t.Parallel()
	const customers = 150
	for point, begin := range map[string]func(t *testing.T, x *exported, b *bucket) stop{
		"reading": func(t *testing.T, x *exported, b *bucket) stop {
			db := postgrestest.URL(t)
			x.add("orders", db, customers, append(b.environment(), "ORDERHISTORY_STATE", db)...)
			lock, unlock := lockTable(t, db, "orders")
			return stop{lock, unlock}
		},
		"uploading": func(_ *testing.T, x *exported, b *bucket) stop {
			x.add("orders", "", customers, append(b.environment(), "ORDERHISTORY_UPLOADS", "2", "ORDERHISTORY_WORKERS", "2")...)
			b.shutAfter(60)
			return stop{b.waiting, b.open}
		},
		"submitting": func(t *testing.T, x *exported, b *bucket) stop {
			w := newWire(t, x.redis.URL(), ":page:")
			x.add("orders", "", customers, append(b.environment(), "REDIS_URL", w.url)...)
			return stop{w.waiting, w.release}
		},
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			x, b := exporting(t), newBucket(t)
			at := begin(t, x, b)
			schedulers := []*process{serve(t, x.env, "schedule"), serve(t, x.env, "schedule")}
			came := 0
			// reached waits for the nth export to come to the point, and says which
			// scheduler runs it.
			reached := func(n int) (export, owner int) {
				t.Helper()
				await(t, fmt.Sprintf("export %d comes to the point", n), func() bool { return len(x.pids("orders")) >= n && at.came() > came })
				came = at.came()
				pids := x.pids("orders")
				if len(pids) != n {
					t.Fatalf("exports %v, want %d", pids, n)
				}
				for _, pid := range pids[:n-1] {
					if lives(pid) {
						t.Errorf("export %d runs beside %d", pid, pids[n-1])
					}
				}
				for i, p := range schedulers {
					if strings.Contains(p.out.String(), fmt.Sprintf(`msg="tick runs" schedule=orders period=%s attempt=%d`, x.due.Format("2006-01-02T15:04Z"), n)) {
						return pids[n-1], i
					}
				}
				t.Fatal("no scheduler says that it runs the tick")
				return 0, 0
			}
			kill := func(pid int) {
				t.Helper()
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			ended := func(pid int) {
				t.Helper()
				await(t, "the export's end", func() bool { return !lives(pid) })
				came = at.came()
			}
			nothingYet := func() {
				t.Helper()
				if info, err := ledger.New(x.redis.Client()).Info(t.Context(), campaign.ID(x.campaignOf("orders"))); err == nil && info.Phase != campaign.Draft {
					t.Errorf("the campaign stands: %+v", info)
				}
			}

			export, owner := reached(1)
			kill(export)
			schedulers[owner].signal(syscall.SIGKILL)
			ended(export)
			nothingYet()
			schedulers[owner] = serve(t, x.env, "schedule")

			export, _ = reached(2)
			kill(export)
			ended(export)
			await(t, "the tick is to be tried again", func() bool { return ticksOf(t, x.env, "orders")[0].Attempt == 3 })
			nothingYet()

			export, owner = reached(3)
			schedulers[owner].signal(syscall.SIGKILL)
			if runtime.GOOS != "linux" {
				kill(export) // elsewhere it would go on
			}
			ended(export)
			schedulers[owner] = serve(t, x.env, "schedule")

			reached(4)
			nothingYet()
			at.free()
			await(t, "the tick is done", func() bool { return ticksOf(t, x.env, "orders")[0].State == "done" })
			x.once(b, "orders", customers)
			out := done(t, x.env, "schedule", "list", "orders")
			if want := fmt.Sprintf("done   campaign %s, %d recipients; %d delivered", x.campaignOf("orders"), customers, customers); !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(want), " ")) {
				t.Errorf("%s\nwant %s", out, want)
			}
			if n := len(x.pids("orders")); n != 4 {
				t.Errorf("%d exports", n)
			}
			for _, p := range schedulers {
				p.stop()
			}
		})
	}
}

// once holds everything against "each customer has one file and one message, of
// one campaign".
func (x *exported) once(b *bucket, name string, customers int) {
	t := x.t
	t.Helper()
	ids, err := ledger.New(x.redis.Client()).Campaigns(t.Context(), 10)
	if err != nil || len(ids) != 1 || string(ids[0]) != x.campaignOf(name) {
		t.Errorf("campaigns %v (%v)", ids, err)
	}
	if r := reportOf(t, x.env, x.campaignOf(name)); r.State != "done" || r.Total != customers || r.Balance["delivered"] != customers {
		t.Errorf("%+v", r)
	}
	accepted := x.accepted(t)
	for phone, n := range accepted {
		if n != 1 {
			t.Errorf("%s was sent %d messages", phone, n)
		}
	}
	if len(accepted) != customers {
		t.Errorf("%d were sent a message", len(accepted))
	}
	if stats := x.stats(t); stats.FilesFetched != customers || stats.FilesRefused != 0 {
		t.Errorf("%d files were fetched, and %d couldn't be", stats.FilesFetched, stats.FilesRefused)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	again := 0
	for _, n := range b.puts {
		again += n - 1
	}
	// What was on its way when a process was killed is written again under its
	// name; what was noted isn't.
	if n := b.objects(t); n != customers || len(b.puts) != customers || again > customers {
		t.Errorf("%d objects of %d names, %d times written again", n, len(b.puts), again)
	}
	t.Logf("%d files, %d of them written again", customers, again)
}

// lockTable keeps everybody from reading a table, and says how many came.
func lockTable(t *testing.T, url, table string) (came func() int, unlock func()) {
	t.Helper()
	db, err := database.Create(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("LOCK TABLE " + table + " IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	return func() int {
		rows, err := db.QueryContext(t.Context(), "SELECT pid::text || ' ' || backend_start::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var who string
			if err := rows.Scan(&who); err != nil {
				t.Fatal(err)
			}
			seen[who] = true
		}
		return len(seen)
	}, func() { _ = tx.Rollback() }
}

// TestSchedule_WhatAnExportRefusesIsSaidCountedAndNotSent has each fault end in a
// tick that says why, in a metric with an alert, and without any message.
func TestSchedule_WhatAnExportRefusesIsSaidCountedAndNotSent(t *testing.T) {
	t.Parallel()
	x := exporting(t, "HANDOUT_RATE", "1")
	nowhere := []string{"ORDERHISTORY_FOLDER_URL", "http://127.0.0.1:9"}
	folder := func(name string) []string {
		return []string{"ORDERHISTORY_FOLDER", filepath.Join(x.folder, name+"-files"), "ORDERHISTORY_FOLDER_URL", x.serves(filepath.Join(x.folder, name+"-files"))}
	}
	// half breaks a query off at the customer with this number.
	halfSQLite := "CASE WHEN %[1]s = 25 THEN abs(-9223372036854775807 - 1) ELSE %[1]s END"
	halfPostgres := "1 / (25 - %[1]s) * 0 + %[1]s"
	customersBy := func(half, moment string) string {
		return fmt.Sprintf("SELECT %s AS customer_id, phone, name, CAST('2026-01-01 00:00:00' AS %s) AS last_order_at FROM customers WHERE CAST(@until AS %[2]s) IS NOT NULL",
			fmt.Sprintf(half, "id"), moment)
	}

	empty := x.add("empty", "", 40, folder("empty")...)
	x.sql(empty["ORDERHISTORY_SHOP"], "DELETE FROM order_items", "DELETE FROM orders")

	drift := x.add("drift", "", 40, folder("drift")...)
	// The two before went to another Redis, which has no worker: the first one, and one
	// of those with new orders, by which this one is measured.
	elsewhere := drift.with("REDIS_URL", redistest.Start(t).URL())
	for _, end := range []time.Duration{-49 * time.Hour, -25 * time.Hour} {
		x.sql(drift["ORDERHISTORY_SHOP"], fmt.Sprintf("UPDATE orders SET ordered_at = '%s'", x.due.Add(end-time.Hour).Format(time.DateTime)))
		x.orderhistory(elsewhere, 0, "run", "--period", x.due.Add(end).Format("2006-01-02T15:04"))
	}
	x.sql(drift["ORDERHISTORY_SHOP"], fmt.Sprintf("UPDATE orders SET ordered_at = '%s' WHERE customer_id <= 5", x.due.Add(-20*time.Hour).Format(time.DateTime)))

	x.add("query-sqlite", "", 40, append(folder("query-sqlite"), "ORDERHISTORY_CUSTOMERS_SQL",
		x.write("customers-sqlite.sql", customersBy(halfSQLite, "text")))...)
	x.add("orders-sqlite", "", 40, append(folder("orders-sqlite"), "ORDERHISTORY_ORDERS_SQL", x.write("orders-sqlite.sql",
		strings.Replace(shopFile(t, "orders-sqlite.sql"), "i.quantity", fmt.Sprintf(halfSQLite, "o.customer_id")+" AS quantity", 1)))...)
	x.add("query-postgres", postgrestest.URL(t), 40, append(folder("query-postgres"), "ORDERHISTORY_CUSTOMERS_SQL",
		x.write("customers-postgres.sql", customersBy(halfPostgres, "timestamptz")))...)
	x.add("orders-postgres", postgrestest.URL(t), 40, append(folder("orders-postgres"), "ORDERHISTORY_ORDERS_SQL", x.write("orders-postgres.sql",
		strings.Replace(shopFile(t, "orders-postgres.sql"), "i.quantity", fmt.Sprintf(halfPostgres, "o.customer_id")+" AS quantity", 1)))...)

	x.add("unreachable", "", 40, append(folder("unreachable"), nowhere...)...)
	// Not tried by the export: the worker finds it out.
	x.add("unreachable-held", "", 40, append(append(folder("unreachable-held"), nowhere...), "ORDERHISTORY_TRY_LINKS", "0")...)
	// 2 hours at the campaign's rate, and 10 minutes and the hour.
	x.add("expiring", "", 40, append(folder("expiring"), "ORDERHISTORY_LINK_LIFE", "3h")...)
	x.slow("expiring", 40, 2*time.Hour)

	s := serve(t, x.env, "schedule")
	for name, want := range map[string]struct{ kind, reason string }{
		"empty":           {"empty", "there is no customer to send a file to"},
		"drift":           {"drift", "5 files are more than 50 % off the 40 of the last time"},
		"query-sqlite":    {"export", "integer overflow"},
		"orders-sqlite":   {"export", "integer overflow"},
		"query-postgres":  {"export", "division by zero"},
		"orders-postgres": {"export", "division by zero"},
		"unreachable":     {"export", "the link can't be fetched"},
		"expiring":        {"export", "the links hold for 3 h, and have to for 3 h 1"},
	} {
		var tick shownTick
		await(t, name+" is refused", func() bool {
			ticks := ticksOf(t, x.env, name)
			if len(ticks) == 1 {
				tick = ticks[0]
			}
			return tick.State == "refused" || tick.State == "running" && tick.Campaign != ""
		})
		if tick.State != "refused" || !strings.Contains(tick.Reason, want.reason) || tick.Attempt != 1 || tick.Campaign != "" {
			t.Errorf("%s: %+v", name, tick)
		}
		// HandoutScheduleRefused fires on it: see deploy/alertstest.
		if line := fmt.Sprintf("handout_schedule_refused_total{reason=%q,schedule=%q} 1\n", want.kind, name); !strings.Contains(s.metrics(t), line) {
			t.Errorf("no %s", line)
		}
		if out := done(t, x.env, "schedule", "list", name); !strings.Contains(out, want.reason) {
			t.Errorf("schedule list says: %s", out)
		}
		text, err := os.ReadFile(filepath.Join(x.folder, name+".prom"))
		if err != nil || !strings.Contains(string(text), "handout_export_refused_total{reason=") || !strings.Contains(string(text), "} 1\n") {
			t.Errorf("%v: %s", err, text)
		}
	}
	held := x.campaignOf("unreachable-held")
	await(t, "the campaign is held", func() bool {
		// HandoutCampaignHeld fires on it.
		return strings.Contains(x.work.metrics(t), fmt.Sprintf("handout_campaign_limit{campaign=%q,limit=\"held\"} 1\n", held))
	})
	out := done(t, x.env, "schedule", "list", "unreachable-held")
	if !strings.Contains(out, "running  campaign "+held+", 40 recipients; held: files: 20 of 20 can't be sent: the server can't be reached (0.0)") {
		t.Errorf("schedule list says: %s", out)
	}
	if n := x.stats(t).Requests; n != 0 {
		t.Errorf("the simulator was asked %d times", n)
	}
	if stats := x.accepted(t); len(stats) != 0 {
		t.Errorf("%d were sent to", len(stats))
	}
	newLeaks(numbers(40, plainly)).look(t, "the scheduler's output", s.out.String())
	s.stop()
}

// shopFile is one of the queries for a generated shop.
func shopFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../internal/orderhistory/shop", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
