package orderhistory_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/orderhistory"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/orderhistory/store"
	"github.com/handout-dev/handout/producer"
)

// shopWith opens the shop with other queries.
func (w *world) shopWith(customers, orders string) *shop.Shop {
	w.t.Helper()
	s, err := shop.Open(w.t.Context(), w.shopURL, shop.Queries{Customers: customers, Orders: orders})
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, s.Close()) })
	return s
}

// refused holds a run to a refusal that sent nothing, and is counted.
func (w *world) refused(key string, want orderhistory.Reason, says string) {
	w.t.Helper()
	_, err := w.run(key, orderhistory.RunOptions{})
	if reasonOf(err) != want || !strings.Contains(err.Error(), says) {
		w.t.Fatalf("reason %q, want %s, %q: %v", reasonOf(err), want, says, err)
	}
	if strings.Contains(err.Error(), "\n") {
		w.t.Errorf("the reason has several lines: %v", err)
	}
	if w.recipients("order-history-"+"2026-11-23") != nil && key == "2026-11-23" {
		w.t.Error("a campaign stands")
	}
	counts, err := w.x.State.Refusals(w.t.Context())
	must(w.t, err)
	if counts[string(want)] == 0 {
		w.t.Errorf("it wasn't counted: %v", counts)
	}
}

func TestRefuse_NobodyToSendTo(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 5})
	w.sql("DELETE FROM order_items", "DELETE FROM orders")
	w.refused("2026-11-23", orderhistory.Empty, "no customer")
}

func TestRefuse_FarMoreOrLessThanTheLastTime(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 40})
	w.runs("2026-11-22", orderhistory.RunOptions{Everybody: true})
	all := orderhistory.RunOptions{Everybody: true}
	w.sql("DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders WHERE customer_id > 19)", "DELETE FROM orders WHERE customer_id > 19")
	_, err := w.run("2026-11-23", all)
	if reasonOf(err) != orderhistory.Drift || !strings.Contains(err.Error(), "19 files are more than 50 % off the 40") {
		t.Fatal(err)
	}
	// A person decides otherwise, and it's kept who, and why.
	all.Force = &orderhistory.Force{By: "ada", Why: "we sold half of the shop"}
	if r := w.runs("2026-11-23", all); r.Files != 19 || r.Drifted == "" {
		t.Errorf("%+v", r)
	}
	if n := count(t, w.stateURL, "SELECT count(*) FROM orderhistory_decisions WHERE period = '2026-11-23' AND by_whom = 'ada' AND why = 'we sold half of the shop' AND what LIKE '%19 files%'"); n != 1 {
		t.Errorf("the decision is kept %d times", n)
	}
	// Those for everybody are measured against those for everybody.
	if _, err := w.run("2026-11-24", orderhistory.RunOptions{}); reasonOf(err) != orderhistory.Empty {
		t.Error(err)
	}
}

func TestRefuse_FilesThatAreFarSmallerThanTheLastTime(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 10, orders: 300})
	all := orderhistory.RunOptions{Everybody: true}
	w.runs("2026-11-22", all)
	// The query has lost most of the lines, and says so nowhere.
	w.x.Shop = w.shopWith(`SELECT c.id AS customer_id, c.phone, c.name, max(o.ordered_at) AS last_order_at
		FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.ordered_at < @until GROUP BY c.id`,
		strings.Replace(shop.DefaultQueries(0).Orders, "ORDER BY", "AND o.id % 50 = 0 ORDER BY", 1))
	_, err := w.run("2026-11-23", all)
	if reasonOf(err) != orderhistory.Drift || !strings.Contains(err.Error(), "bytes") {
		t.Fatal(err)
	}
	// Mended, the files are written anew.
	w.x.Shop = w.shopWith("", "")
	if r := w.runs("2026-11-23", all); r.Files != 10 {
		t.Errorf("%+v", r)
	}
}

func TestRefuse_FilesThatLackOrders(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 30})
	w.x.Shop = w.shopWith("", strings.Replace(shop.DefaultQueries(0).Orders, "ORDER BY", "AND o.id % 7 <> 0 ORDER BY", 1))
	w.refused("2026-11-23", orderhistory.Incomplete, " came, and the plan knows of")
}

// halfWay breaks a SQLite query off in the middle: abs of the smallest number
// overflows when its row comes.
const halfWay = `CASE WHEN %s = 25 THEN abs(-9223372036854775807 - 1) ELSE %[1]s END`

func TestRefuse_AQueryThatBreaksOffHalfWay(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 30})
	d := shop.DefaultQueries(0)
	w.x.Shop = w.shopWith("SELECT "+fmt.Sprintf(halfWay, "id")+` AS customer_id, phone, name, '2026-01-01' AS last_order_at
		FROM customers WHERE @until IS NOT NULL`, "")
	w.refused("2026-11-23", orderhistory.Query, "it broke off")
	if n := count(t, w.stateURL, "SELECT count(*) FROM orderhistory_files"); n != 0 {
		t.Errorf("half a plan of %d stands", n)
	}
	w.x.Shop = w.shopWith("", strings.Replace(d.Orders, "i.quantity", fmt.Sprintf(halfWay, "o.customer_id")+" AS quantity", 1))
	w.refused("2026-11-23", orderhistory.Query, "integer overflow")
	w.x.Shop = w.shopWith("", "")
	if r := w.runs("2026-11-23", orderhistory.RunOptions{}); r.Files != 30 {
		t.Errorf("%+v", r)
	}
}

func TestRefuse_AQueryThatBreaksItsContract(t *testing.T) {
	t.Parallel()
	const from = " FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.ordered_at < @until"
	for says, queries := range map[string][2]string{
		"no column phone":         {"SELECT c.id AS customer_id, c.name, o.ordered_at AS last_order_at" + from, ""},
		"last_order_at isn't a":   {"SELECT c.id AS customer_id, c.name, c.phone, 'soon' AS last_order_at" + from, ""},
		"customer_id is null":     {"SELECT NULL AS customer_id, c.name, c.phone, o.ordered_at AS last_order_at" + from, ""},
		"a customer comes twice":  {"SELECT c.id AS customer_id, c.name, c.phone, o.ordered_at AS last_order_at" + from, ""},
		"which the export makes":  {"SELECT c.id AS customer_id, c.name, c.phone, '' AS url, o.ordered_at AS last_order_at" + from, ""},
		"no such table":           {"SELECT 1 FROM nobody WHERE 1 < @until", ""},
		"don't stand together":    {"SELECT c.id AS customer_id, c.name, c.phone, max(o.ordered_at) AS last_order_at" + from + " GROUP BY c.id", strings.Replace(shop.DefaultQueries(0).Orders, "ORDER BY o.customer_id, ", "ORDER BY ", 1)},
		"quantity isn't a dec":    {"", strings.Replace(shop.DefaultQueries(0).Orders, "i.quantity", "'12,5' AS quantity", 1)},
		"quantity has over 6":     {"", strings.Replace(shop.DefaultQueries(0).Orders, "i.quantity", "0.1 + 0.2 AS quantity", 1)},
		"currency isn't a":        {"", strings.Replace(shop.DefaultQueries(0).Orders, "i.quantity", "i.quantity, 'euro' AS currency", 1)},
		"a column line, which me": {"", strings.Replace(shop.DefaultQueries(0).Orders, "i.quantity", "i.quantity, i.line", 1)},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			w := begin(t, parts{customers: 30})
			w.x.Shop = w.shopWith(queries[0], queries[1])
			w.refused("2026-11-23", orderhistory.Query, says)
		})
	}
}

func TestRefuse_TooManyBadNumbers(t *testing.T) {
	t.Parallel()
	for _, p := range []parts{{customers: 40}, {customers: 40, postgres: true}} {
		w := begin(t, p)
		w.sql("UPDATE customers SET phone = '12' WHERE id = 3", "UPDATE customers SET phone = '' WHERE id = 4",
			"UPDATE customers SET phone = (SELECT phone FROM customers WHERE id = 1) WHERE id = 5")
		w.refused("2026-11-23", orderhistory.BadRows, "3 of 40 customers set aside, 7.5 %")
		w.x.MaxBad = 0.1
		r := w.runs("2026-11-23", orderhistory.RunOptions{})
		if r.Files != 37 || len(w.files()) != 37 || r.SetAside != 3 {
			t.Errorf("%+v", r)
		}
		var said []string
		for _, f := range r.Aside {
			said = append(said, f.Customer+": "+f.Reason)
			if strings.Contains(f.Reason, "12") {
				t.Errorf("the reason holds the number: %s", f.Reason)
			}
		}
		if len(said) != 3 || !strings.HasPrefix(said[0], "3: ") || said[1] != "4: no phone number" || said[2] != "5: the phone number is another customer's, too" {
			t.Errorf("%q", said)
		}
	}
}

// TestRefuse_NoFileWithoutOrders has the plan know customers for whom no line
// comes.
func TestRefuse_NoFileWithoutOrders(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 40})
	w.sql("DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders WHERE customer_id = 8)")
	r := w.runs("2026-11-23", orderhistory.RunOptions{})
	if r.Files != 39 || len(r.Aside) != 1 || r.Aside[0].Customer != "8" {
		t.Errorf("%+v", r)
	}
	w.sql("DELETE FROM order_items")
	w.sql("UPDATE orders SET ordered_at = '2026-11-23 12:00:00'")
	w.refused("2026-11-24", orderhistory.BadRows, "40 of 40")
}

// bad is a store that has something else than it was given.
type bad struct {
	orderhistory.Store
	put  func(o *store.Object, content []byte) ([]byte, error)
	link func(link string) string
}

func (b bad) Put(ctx context.Context, o *store.Object, content []byte) error {
	if b.put != nil {
		var err error
		if content, err = b.put(o, content); err != nil {
			return err
		}
	}
	return b.Store.Put(ctx, o, content)
}

func (b bad) Link(ctx context.Context, name string, lifetime time.Duration) (string, error) {
	link, err := b.Store.Link(ctx, name, lifetime)
	if b.link != nil {
		link = b.link(link)
	}
	return link, err
}

func TestRefuse_AStoreThatHasSomethingElse(t *testing.T) {
	t.Parallel()
	for says, b := range map[string]bad{
		"bytes of a file of":          {put: func(_ *store.Object, c []byte) ([]byte, error) { return c[:len(c)/2], nil }},
		"another content of the same": {put: func(_ *store.Object, c []byte) ([]byte, error) { c[len(c)/2]++; return c, nil }},
		"the link answers with HTTP":  {link: func(link string) string { return link + "x" }},
		"the link can't be fetched":   {link: func(string) string { return "http://127.0.0.1:9/" }},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			w := begin(t, parts{customers: 30})
			b.Store = w.store
			w.x.Store = b
			w.refused("2026-11-23", orderhistory.Check, says)
			w.x.Store = w.store
			if r := w.runs("2026-11-23", orderhistory.RunOptions{}); r.Files != 30 {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("no space", func(t *testing.T) {
		t.Parallel()
		w := begin(t, parts{customers: 30})
		w.x.Store = bad{Store: w.store, put: func(*store.Object, []byte) ([]byte, error) { return nil, errors.New("no space left") }}
		w.refused("2026-11-23", orderhistory.Upload, "no space left")
	})
	t.Run("another type", func(t *testing.T) {
		t.Parallel()
		w := begin(t, parts{customers: 30, s3: true})
		w.x.Store = bad{Store: w.store, put: func(o *store.Object, c []byte) ([]byte, error) { o.Type = "text/html"; return c, nil }}
		w.refused("2026-11-23", orderhistory.Check, `the store has the file as "text/html"`)
	})
}

// TestRefuse_LinksThatEndBeforeTheCampaignMay has a campaign take two hours at its
// rate, and 10 minutes for the fallback: with the hour on top 3:11.
func TestRefuse_LinksThatEndBeforeTheCampaignMay(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 40})
	w.x.Campaign.Rate = 40 / (0.98 * 7200)
	w.x.LinkLife = 3 * time.Hour
	w.refused("2026-11-23", orderhistory.Check, "the links hold for 3 h, and have to for 3 h 1")
	// Hours count: there is a day without any.
	w.x.LinkLife = 12 * time.Hour
	yesterday := campaign.Weekdays[(int(time.Now().UTC().Weekday())+5)%7]
	w.x.Campaign.Hours = &campaign.Hours{From: "00:00", To: "24:00", Days: []string{yesterday}, Zone: "UTC"}
	w.refused("2026-11-23", orderhistory.Check, "the links hold for 12 h, and have to for ")
	w.x.Campaign.Hours = nil
	w.x.LinkLife = 4 * time.Hour
	if r := w.runs("2026-11-23", orderhistory.RunOptions{}); r.Files != 40 || time.Until(*r.LinksExpire) > 4*time.Hour {
		t.Errorf("%+v", r)
	}
}

func TestRefuse_ACampaignFileThatDoesntFitBeforeTheFirstFile(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 5})
	good := w.x.Campaign
	file, err := producer.ParseCampaign("wrong.yaml", []byte(strings.Replace(campaignFile, "{{.url}}", "{{.nothing}}", 1)))
	must(t, err)
	w.x.Campaign = *file.Spec
	if _, err := w.rehearses("2026-11-23", orderhistory.RunOptions{}); reasonOf(err) != orderhistory.Campaign {
		t.Errorf("the dry run: %v", err)
	}
	w.refused("2026-11-23", orderhistory.Campaign, "nothing")
	if n := count(t, w.stateURL, "SELECT count(*) FROM orderhistory_exports"); n != 0 || len(w.files()) != 0 {
		t.Errorf("%d plans stand, and %d files", n, len(w.files()))
	}
	// A name that is empty for one customer makes a file without a name.
	w.x.Campaign = good
	w.sql("UPDATE customers SET name = '' WHERE id = 4")
	w.refused("2026-11-23", orderhistory.Campaign, "customer 4: ")
	w.sql("UPDATE customers SET name = 'Ada' WHERE id = 4")
	w.runs("2026-11-23", orderhistory.RunOptions{})
}

func TestRefuse_NoErrorHoldsALinkOrANumber(t *testing.T) {
	t.Parallel()
	w := begin(t, parts{customers: 5, s3: true})
	for link, reason := range map[string]orderhistory.Reason{
		"http://127.0.0.1:9/secret": orderhistory.Check, "http://secret\x7f": orderhistory.Campaign, "gopher://secret": orderhistory.Campaign,
	} {
		w.x.Store = bad{Store: w.store, link: func(string) string { return link }}
		_, err := w.run("2026-11-23", orderhistory.RunOptions{})
		if reasonOf(err) != reason || strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
	must(t, os.RemoveAll(w.bucket.Dir))
	w.x.HTTP = http.DefaultClient
	w.x.Store = w.store
	w.sql("UPDATE customers SET name = 'Grace' WHERE id = 1")
	w.stateSQL("UPDATE orderhistory_files SET state = 'planned'")
	_, err := w.run("2026-11-23", orderhistory.RunOptions{})
	if reasonOf(err) != orderhistory.Upload || strings.Contains(err.Error(), ".xlsx") {
		t.Error(err)
	}
}
