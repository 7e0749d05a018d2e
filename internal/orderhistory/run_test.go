package orderhistory_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory"
	"github.com/handout-dev/handout/internal/orderhistory/sheet"
	"github.com/handout-dev/handout/internal/orderhistory/state"
)

// TestRun_EveryoneHasAFileAndTheLinkBringsIt is the whole way on both databases
// and both stores.
func TestRun_EveryoneHasAFileAndTheLinkBringsIt(t *testing.T) {
	t.Parallel()
	for _, p := range []parts{{customers: 230}, {customers: 230, s3: true}, {customers: 230, postgres: true}, {customers: 120, postgres: true, s3: true}} {
		t.Run(name(p), func(t *testing.T) {
			t.Parallel()
			w := begin(t, p)
			r := w.runs("2026-11-23", orderhistory.RunOptions{})
			if r.Customers != p.customers || r.Files != p.customers || r.SetAside != 0 || r.Already || r.Bytes < 1000 {
				t.Fatalf("%+v", r)
			}
			if r.Campaign != "order-history-2026-11-23" {
				t.Errorf("campaign %s", r.Campaign)
			}
			if n := len(w.files()); n != p.customers {
				t.Errorf("the store has %d files", n)
			}
			all := w.recipients(r.Campaign)
			if len(all) != p.customers {
				t.Fatalf("%d recipients", len(all))
			}
			seen := map[string]bool{}
			for i, one := range all {
				seen[one.ID] = true
				if i%40 == 0 {
					w.compare(one)
				}
			}
			if len(seen) != p.customers {
				t.Errorf("%d of the recipients are different", len(seen))
			}
		})
	}
}

// compare fetches a customer's link and holds the file against the shop.
func (w *world) compare(one campaign.Recipient) {
	t := w.t
	t.Helper()
	resp := fetch(t, one.Values[0])
	content, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != sheet.ContentType {
		t.Fatalf("HTTP status %d, %s: %.200s", resp.StatusCode, resp.Header.Get("Content-Type"), content)
	}
	f, err := excelize.OpenReader(bytes.NewReader(content))
	must(t, err)
	defer f.Close()
	rows, err := f.GetRows(sheet.English().Sheet, excelize.Options{RawCellValue: true})
	must(t, err)
	lines := count(t, w.shopURL, "SELECT count(*) FROM order_items i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = "+one.ID)
	cents := count(t, w.shopURL, "SELECT CAST(sum(quantity * unit_cents) AS bigint) FROM order_items i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = "+one.ID)
	if len(rows) != lines+4 {
		t.Fatalf("customer %s: %d rows for %d lines", one.ID, len(rows), lines)
	}
	total := rows[lines+1]
	if got, want := total[5], strings.TrimSuffix(strings.TrimSuffix(fmt.Sprintf("%.2f", float64(cents)/100), "0"), ".0"); total[0] != "Total" || strings.TrimSuffix(got, ".0") != want {
		t.Errorf("customer %s: the total is %s, want %s", one.ID, got, want)
	}
	if name := rows[lines+3][1]; name != one.Values[1] {
		t.Errorf("the file is %q's, the message %q's", name, one.Values[1])
	}
	first, err := excelize.ExcelDateToTime(number(t, rows[1][1]), false)
	must(t, err)
	if first.Before(today.AddDate(-1, 0, -1)) || !first.Before(today) {
		t.Errorf("an order of %s", first)
	}
}

func number(t testing.TB, text string) float64 {
	t.Helper()
	var n float64
	_, err := fmt.Sscan(text, &n)
	must(t, err)
	return n
}

func TestRun_AgainItChangesNothing(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 30})
	first := w.runs("2026-11-23", orderhistory.RunOptions{})
	for _, f := range w.files() {
		must(t, os.Remove(f))
	}
	w.redis.Kill() // it isn't asked either
	again := w.runs("2026-11-23", orderhistory.RunOptions{})
	if !again.Already || again.Files != 30 || again.Bytes != first.Bytes {
		t.Errorf("%+v", again)
	}
	if n := len(w.files()); n != 0 {
		t.Errorf("%d files were written again", n)
	}
}

func TestRun_OnlyThoseWithOrdersSinceTheirLastFile(t *testing.T) {
	t.Parallel()
	for _, p := range []parts{{customers: 40}, {customers: 40, postgres: true}} {
		t.Run(name(p), func(t *testing.T) {
			t.Parallel()
			w := begin(t, p)
			w.runs("2026-11-23", orderhistory.RunOptions{})
			w.sql(`INSERT INTO orders (id, customer_id, ordered_at) VALUES (9001, 3, '2026-11-23 00:00:00'), (9002, 7, '2026-11-25 10:00:00'), (9003, 9, '2026-11-30 00:00:00')`,
				`INSERT INTO order_items (order_id, line, item, quantity, unit_cents) VALUES (9001, 1, 'Map', 1, 100), (9002, 1, 'Map', 1, 100), (9003, 1, 'Map', 1, 100)`)
			r := w.runs("2026-11-30", orderhistory.RunOptions{})
			var ids []string
			for _, one := range w.recipients(r.Campaign) {
				ids = append(ids, one.ID)
				w.compareCount(one, count(t, w.shopURL, "SELECT count(*) FROM order_items i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = "+one.ID))
			}
			// The order at the very moment of the period's end belongs to the next.
			if got := strings.Join(ids, " "); got != "3 7" {
				t.Errorf("a file for %q, want 3 7", got)
			}
			everybody := w.runs("2026-12-01", orderhistory.RunOptions{Everybody: true})
			if everybody.Files != 40 {
				t.Errorf("%d files for everybody", everybody.Files)
			}
		})
	}
}

func (w *world) compareCount(one campaign.Recipient, lines int) {
	w.t.Helper()
	content, err := io.ReadAll(fetch(w.t, one.Values[0]).Body)
	must(w.t, err)
	f, err := excelize.OpenReader(bytes.NewReader(content))
	must(w.t, err)
	defer f.Close()
	rows, err := f.GetRows(sheet.English().Sheet)
	must(w.t, err)
	if len(rows) != lines+4 {
		w.t.Errorf("customer %s: %d rows for %d lines", one.ID, len(rows), lines)
	}
}

func TestRun_LastFileMovesOnlyWhenTheCampaignStands(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 20})
	w.stateSQL(`CREATE TRIGGER dies BEFORE UPDATE OF phase ON orderhistory_exports WHEN NEW.phase = 'sending'
		BEGIN SELECT RAISE(ABORT, 'power cut'); END`)
	if _, err := w.run("2026-11-23", orderhistory.RunOptions{}); err == nil || !strings.Contains(err.Error(), "power cut") {
		t.Fatal(err)
	}
	if n := count(t, w.stateURL, "SELECT count(*) FROM orderhistory_last"); n != 0 || w.recipients("order-history-2026-11-23") != nil {
		t.Errorf("%d last files, and %d recipients", n, len(w.recipients("order-history-2026-11-23")))
	}
	w.stateSQL("DROP TRIGGER dies")
	w.runs("2026-11-23", orderhistory.RunOptions{})
	if n := count(t, w.stateURL, "SELECT count(*) FROM orderhistory_last"); n != 20 {
		t.Errorf("%d last files", n)
	}
}

func TestRun_ItForgetsNumbersNamesAndLinksAtTheEnd(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 20})
	w.runs("2026-11-23", orderhistory.RunOptions{})
	if n := count(t, w.stateURL, "SELECT count(*) FROM orderhistory_files WHERE state = 'enqueued' AND phone = '' AND name = '' AND link = ''"); n != 20 {
		t.Errorf("%d files are without them", n)
	}
}

func TestRun_DryRunLeavesNoTrace(t *testing.T) {
	t.Parallel()
	for _, p := range []parts{{customers: 30}, {customers: 30, postgres: true}} {
		w := begin(t, p)
		w.sql("UPDATE customers SET phone = '12' WHERE id = 5")
		r, err := w.rehearses("2026-11-23", orderhistory.RunOptions{})
		must(t, err)
		if !r.DryRun || r.Customers != 30 || r.SetAside != 1 || len(r.Aside) != 1 || r.Aside[0].Customer != "5" {
			t.Errorf("%+v", r)
		}
		for _, table := range []string{"exports", "files", "last", "refusals", "settings WHERE name <> 'tables'"} {
			if n := count(t, w.stateURL, "SELECT count(*) FROM orderhistory_"+table); n != 0 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
		if len(w.files()) != 0 || w.recipients(r.Campaign) != nil {
			t.Error("a dry run wrote files or a campaign")
		}
		// After a night it sees what was done, beside a run that holds the lock.
		w.x.MaxBad = 1
		w.runs("2026-11-23", orderhistory.RunOptions{})
		if _, err = w.rehearses("2026-11-24", orderhistory.RunOptions{}); reasonOf(err) != orderhistory.Empty {
			t.Error(err)
		}
	}
}

// TestRun_TheFirstNightsAreMeasuredByTheirLike has 40 customers, then 4 with new
// orders, then 6, then all of them by a fault of the query.
func TestRun_TheFirstNightsAreMeasuredByTheirLike(t *testing.T) {
	t.Parallel()
	for _, p := range []parts{{customers: 40}, {customers: 40, postgres: true}} {
		t.Run(name(p), func(t *testing.T) {
			t.Parallel()
			w := begin(t, p)
			order := func(day string, customers int) {
				w.sql(fmt.Sprintf("UPDATE orders SET ordered_at = '%s 10:00:00' WHERE customer_id <= %d", day, customers))
			}
			for _, night := range []struct {
				day, period      string
				customers, files int
			}{{"2026-11-22", "2026-11-23", 0, 40}, {"2026-11-23", "2026-11-24", 4, 4}, {"2026-11-24", "2026-11-25", 6, 6}} {
				order(night.day, night.customers)
				if r := w.runs(night.period, orderhistory.RunOptions{}); r.Files != night.files {
					t.Errorf("%s: %+v", night.period, r)
				}
			}
			order("2026-11-25", 40)
			w.refused("2026-11-26", orderhistory.Drift, "40 files are more than 50 % off the 6 of the last time, in period 2026-11-25")
			// All on purpose is measured by the first night.
			if r := w.runs("2026-11-26", orderhistory.RunOptions{Everybody: true}); r.Files != 40 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRun_FurtherColumnsTravelIntoTheList(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 10})
	w.x.Shop = w.shopWith(`SELECT c.id AS customer_id, c.phone, c.zone, c.name, max(o.ordered_at) AS last_order_at, c.locale
		FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.ordered_at < @until GROUP BY c.id`, "")
	r := w.runs("2026-11-23", orderhistory.RunOptions{})
	info, err := w.ledger.Info(t.Context(), r.Campaign)
	must(t, err)
	if got := strings.Join(info.Columns, " "); got != "url name zone locale" {
		t.Errorf("columns %q", got)
	}
	if v := w.recipients(r.Campaign)[0].Values; !strings.HasPrefix(v[2], "America/") || len(v[3]) != 5 {
		t.Errorf("%q", v)
	}
}

func TestRun_TwoAtOnceOneSaysSo(t *testing.T) {
	t.Parallel()
	for _, p := range []parts{{customers: 10}, {customers: 10, postgres: true}} {
		t.Run(name(p), func(t *testing.T) {
			t.Parallel()
			w := begin(t, p)
			other := w.state()
			must(t, other.Lock(t.Context()))
			if _, err := w.run("2026-11-23", orderhistory.RunOptions{}); !errors.Is(err, state.ErrBusy) {
				t.Fatalf("error: %v", err)
			}
			must(t, other.Close())
			w.runs("2026-11-23", orderhistory.RunOptions{})
		})
	}
}

// TestRun_LinksThatLostWhatTheCampaignNeedsAreMadeAnew has 40 h left of links that
// hold for 72 h, and a campaign that takes 50.
func TestRun_LinksThatLostWhatTheCampaignNeedsAreMadeAnew(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 10})
	w.x.Campaign.Rate = 10 / (0.98 * 50 * 3600)
	w.stopsBeforeItsCampaign("2026-11-23")
	old := count(t, w.stateURL, "SELECT links_expire FROM orderhistory_exports")
	w.stateSQL("UPDATE orderhistory_exports SET links_expire = links_expire - 32*3600")
	if r := w.runs("2026-11-23", orderhistory.RunOptions{}); r.LinksExpire.Before(time.Unix(int64(old), 0)) {
		t.Errorf("they expire at %s", r.LinksExpire)
	}
}

func TestRun_LinksThatLostHalfTheirLifeAreMadeAnew(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 10})
	w.stopsBeforeItsCampaign("2026-11-23")
	old := count(t, w.stateURL, "SELECT links_expire FROM orderhistory_exports")
	w.stateSQL("UPDATE orderhistory_exports SET links_expire = links_expire - 40*3600")
	w.stateSQL("UPDATE orderhistory_files SET link = 'http://127.0.0.1:9/old'")
	r := w.runs("2026-11-23", orderhistory.RunOptions{})
	if r.LinksExpire.Before(time.Unix(int64(old), 0)) {
		t.Errorf("they expire at %s", r.LinksExpire)
	}
	for _, one := range w.recipients(r.Campaign) {
		if strings.Contains(one.Values[0], "old") {
			t.Fatal("an old link was sent")
		}
	}
}

func TestRun_StoredLinksAreSentEvenIfTheCampaignIsSubmittedLater(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 10, s3: true})
	w.stopsBeforeItsCampaign("2026-11-23")
	stored := map[string]bool{}
	st := w.state()
	for files, err := range st.Chunks(t.Context(), "2026-11-23", 100, state.Uploaded, state.Uploaded) {
		must(t, err)
		for _, f := range files {
			stored[f.Link] = true
		}
	}
	for _, one := range w.recipients(w.runs("2026-11-23", orderhistory.RunOptions{}).Campaign) {
		if !stored[one.Values[0]] {
			t.Error("another link was sent than was stored")
		}
	}
}

func TestRun_ObjectNamesAreStableAndNobodyCanGuessThem(t *testing.T) {
	t.Parallel()
	names := func(w *world) []string {
		w.stopsBeforeItsCampaign("2026-11-23")
		var all []string
		for _, f := range w.files() {
			_, name, _ := strings.Cut(f, "/orders/")
			all = append(all, name)
		}
		return all
	}
	w := begin(t, parts{customers: 5})
	first := names(w)
	w.stateSQL("DELETE FROM orderhistory_exports")
	w.stateSQL("DELETE FROM orderhistory_files")
	if again := names(w); strings.Join(again, " ") != strings.Join(first, " ") {
		t.Errorf("%q, then %q", first, again)
	}
	other := names(begin(t, parts{customers: 5})) // another secret
	for _, n := range other {
		if strings.Contains(strings.Join(first, " "), n) || len(n) != len("2026-11-23/.xlsx")+32 {
			t.Errorf("%s", n)
		}
	}
}

func TestRun_AStateThatWasLostIsNotTakenForANewPeriod(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 5})
	w.runs("2026-11-23", orderhistory.RunOptions{})
	w.stateSQL("DELETE FROM orderhistory_exports")
	w.stateSQL("DELETE FROM orderhistory_files")
	if _, err := w.run("2026-11-23", orderhistory.RunOptions{}); !errors.Is(err, orderhistory.ErrLost) {
		t.Errorf("error: %v", err)
	}
}

func TestRun_WhatWasLongAgoIsPrunedAndStillKnown(t *testing.T) {
	t.Parallel()
	for _, p := range []parts{{customers: 10}, {customers: 10, postgres: true}} {
		t.Run(name(p), func(t *testing.T) {
			t.Parallel()
			w := begin(t, p)
			w.x.Keep = 400 * 24 * time.Hour
			w.x.MaxBad, w.x.MaxDrift = 0.5, 100
			w.sql("UPDATE customers SET phone = '12' WHERE id = 3")
			first := w.runs("2026-11-23", orderhistory.RunOptions{})
			w.sql("UPDATE orders SET ordered_at = '2026-11-23 10:00:00' WHERE customer_id IN (1, 2)")
			w.runs("2026-11-24T00:00", orderhistory.RunOptions{}) // 1, 2 and 3
			// One that was planned, and never came to anything.
			w.stateSQL("INSERT INTO orderhistory_exports SELECT 'stuck', campaign, 'writing', until, everybody, initial, further, customers, set_aside, 0, 0, planned_at - 401 * 86400, 0, 0 FROM orderhistory_exports WHERE period = '2026-11-23'")
			w.stateSQL("INSERT INTO orderhistory_files (period, customer, seq, state, phone, name, further, orders, last_order, object) SELECT 'stuck', customer, seq, 'planned', '+12015550100', 'Ada', '[]', 1, 1, 'x' FROM orderhistory_files WHERE period = '2026-11-23'")
			rows := func(period string) int {
				return count(t, w.stateURL, "SELECT count(*) FROM orderhistory_files WHERE period = '"+period+"'")
			}
			w.stateSQL("UPDATE orderhistory_exports SET done_at = done_at - 399 * 86400 WHERE period = '2026-11-23'")
			w.sql("UPDATE orders SET ordered_at = '2026-11-24 10:00:00' WHERE customer_id = 4")
			w.runs("2026-11-25T00:00", orderhistory.RunOptions{}) // 3 and 4
			if rows("2026-11-23") != 10 || rows("stuck") != 0 || count(t, w.stateURL, "SELECT count(*) FROM orderhistory_exports") != 3 {
				t.Errorf("%d rows of a period of 399 days ago, %d of one that never was", rows("2026-11-23"), rows("stuck"))
			}
			w.stateSQL("UPDATE orderhistory_exports SET done_at = done_at - 2 * 86400 WHERE period = '2026-11-23'")
			w.sql("UPDATE orders SET ordered_at = '2026-11-25 10:00:00' WHERE customer_id = 5")
			last := w.runs("2026-11-26T00:00", orderhistory.RunOptions{})
			if last.Customers != 2 || last.Files != 1 {
				t.Errorf("those without orders since their last file are in it: %+v", last)
			}
			if rows("2026-11-23") != 0 || rows("2026-11-24T00:00") != 3 {
				t.Errorf("%d rows are left, and %d", rows("2026-11-23"), rows("2026-11-24T00:00"))
			}
			again := w.runs("2026-11-23", orderhistory.RunOptions{})
			if !again.Already || again.Customers != first.Customers || again.Files != first.Files || again.SetAside != first.SetAside || again.Bytes != first.Bytes {
				t.Errorf("it was %+v, and is %+v", first, again)
			}
		})
	}
}
