package shop_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/shop"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/telesign/simulator"
)

func TestGenerate_NumbersAreValidAndTellEveryStory(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "shop.db")
	until := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	if err := shop.Generate(t.Context(), url, shop.GenerateOptions{Customers: 8000, Orders: 1, Until: until, Seed: 7}); err != nil {
		t.Fatal(err)
	}
	s, err := shop.Open(t.Context(), url, shop.Queries{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	numbers, stories := map[string]bool{}, map[string]bool{}
	err = s.Customers(t.Context(), until, func([]string) error { return nil }, func(c *shop.Customer) error {
		phone, err := phone.Normalize(c.Phone, "")
		if err != nil || phone != c.Phone {
			t.Fatalf("customer %s: %s, %v", c.ID, phone, err)
		}
		numbers[phone] = true
		stories[simulator.StoryOf(phone[1:]).Name] = true
		return nil
	})
	if err != nil || len(numbers) != 8000 || len(stories) != len(simulator.Stories()) {
		t.Errorf("%d numbers, %d of %d stories, %v", len(numbers), len(stories), len(simulator.Stories()), err)
	}
}

func TestGenerate_SameSeedSameShopAndNeverIntoAFullOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sum := func(name string, seed uint64) int {
		url := "sqlite:" + filepath.Join(dir, name)
		o := shop.GenerateOptions{Customers: 50, Until: time.Unix(1e9, 0), Seed: seed}
		if err := shop.Generate(t.Context(), url, o); err != nil {
			t.Fatal(err)
		}
		if err := shop.Generate(t.Context(), url, o); err == nil {
			t.Error("it was made twice")
		}
		db, err := database.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT sum(order_id * line * quantity * unit_cents) FROM order_items").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if a, b, c := sum("a", 1), sum("b", 1), sum("c", 2); a != b || a == c {
		t.Errorf("%d, %d, %d", a, b, c)
	}
}

func TestQueries_Check(t *testing.T) {
	t.Parallel()
	for _, q := range []shop.Queries{{Customers: "SELECT 1"}, {Orders: "SELECT @until"}, {Orders: "SELECT @customers"}} {
		if err := q.Check(); !errors.Is(err, shop.ErrContract) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	for _, kind := range []database.Kind{database.SQLite, database.Postgres} {
		if err := shop.DefaultQueries(kind).Check(); err != nil {
			t.Error(err)
		}
	}
}
