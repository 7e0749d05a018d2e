// Package shop reads customers and their orders from the shop's own database,
// by two SQL texts that may be replaced. It never writes to it, but for
// Generate, which makes a shop to try things with.
//
// # The contract of the two queries
//
// Both are plain SQL of the database, PostgreSQL's or SQLite's. Columns are
// found by name, in any order.
//
// The query for customers gives one row for each customer who may be sent a
// file, with the parameter @until:
//
//	customer_id    whole number or text; the same for good; never twice
//	phone          as a person writes it
//	name           may be empty
//	last_order_at  when the customer's last order before @until came about
//	orders         optional: how many orders the file must have at least
//
// Every further column travels into the campaign's list under its own name, for
// the templates, as text.
//
// The query for orders gives the lines of some customers' orders, with the
// parameters @until and @customers, a JSON array of customer IDs as text, at
// most 100. The rows of a customer stand together, those of an order too:
//
//	customer_id    as above
//	order_id       whole number or text
//	ordered_at     a moment; a text without a zone is UTC
//	item           text
//	quantity       decimal number
//	unit_price     decimal number: the price of one
//	currency       optional: of the price, three letters as in EUR
//
// A decimal number is a whole number, a numeric, a text such as 12.50, or a float,
// which stands for the shortest decimal that is it; with 6 places at most.
//
// @until is a moment before which an order belongs to the period, itself not
// included: a timestamp in PostgreSQL, a text such as 2026-11-23 00:00:00 in
// UTC in SQLite. A null is refused where nothing is said of it.
package shop

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // for the queries
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
	"github.com/handout-dev/handout/internal/orderhistory/decimal"
)

// MaxCustomers is how many customers' orders are asked for at once.
const MaxCustomers = 100

// ErrContract means that a query doesn't give what it has to.
var ErrContract = errors.New("the query breaks its contract")

// Queries are the two SQL texts.
type Queries struct{ Customers, Orders string }

var (
	//go:embed customers.sql
	customersSQL string
	//go:embed orders-sqlite.sql
	ordersSQLite string
	//go:embed orders-postgres.sql
	ordersPostgres string
)

// DefaultQueries are those for the tables that Generate makes.
func DefaultQueries(kind database.Kind) Queries {
	if kind == database.Postgres {
		return Queries{Customers: customersSQL, Orders: ordersPostgres}
	}
	return Queries{Customers: customersSQL, Orders: ordersSQLite}
}

// Customer is one row of the query for customers.
type Customer struct {
	ID, Phone, Name string
	LastOrder       time.Time
	Orders          int      // 0 if the query doesn't say
	Extra           []string // the values of the further columns
}

// Line is one row of the query for orders.
type Line struct {
	Customer, Order string
	At              time.Time
	Item            string
	Quantity, Price decimal.Decimal
	Currency        string // empty if the query doesn't say
}

// Shop is an open shop. It is safe for concurrent use.
type Shop struct {
	db      *database.DB
	queries Queries
}

// Open opens the shop at a URL; empty queries are the default ones.
func Open(ctx context.Context, rawURL string, q Queries) (*Shop, error) {
	db, err := database.Open(ctx, rawURL)
	if err != nil {
		return nil, err
	}
	d := DefaultQueries(db.Kind)
	return &Shop{db: db, queries: Queries{cmp.Or(q.Customers, d.Customers), cmp.Or(q.Orders, d.Orders)}}, nil
}

// Check says what is missing from a query's text: nil or ErrContract.
func (q Queries) Check() error {
	switch {
	case q.Customers != "" && !strings.Contains(q.Customers, "@until"):
		return fmt.Errorf("%w: the one for customers doesn't use @until", ErrContract)
	case q.Orders != "" && !strings.Contains(q.Orders, "@until"), q.Orders != "" && !strings.Contains(q.Orders, "@customers"):
		return fmt.Errorf("%w: the one for orders doesn't use @until and @customers", ErrContract)
	}
	return nil
}

// Close closes the database.
func (s *Shop) Close() error { return s.db.Close() }

// Customers hands each customer to each, as the rows come, and before the first
// the names of the further columns to columns. An error of either ends it.
func (s *Shop) Customers(ctx context.Context, until time.Time, columns func([]string) error, each func(*Customer) error) error {
	args := database.Args{"until": s.db.Time(until)}
	begin := func(rows *sql.Rows) (*table, error) {
		t, err := newTable(rows, []string{"customer_id", "phone", "name", "last_order_at"}, []string{"orders"}, true)
		if err != nil {
			return nil, fmt.Errorf("query customers: %w", err)
		}
		return t, columns(t.further)
	}
	return s.query(ctx, "customers", s.queries.Customers, args, begin, func(t *table) error {
		c := Customer{ID: t.text("customer_id"), Phone: t.textOrNull("phone"), Name: t.textOrNull("name"), LastOrder: t.moment("last_order_at")}
		if t.has("orders") {
			c.Orders = int(t.number("orders"))
		}
		for _, name := range t.further {
			c.Extra = append(c.Extra, t.textOrNull(name))
		}
		if t.err != nil {
			return fmt.Errorf("query customers: customer %s: %w", c.ID, t.err)
		}
		return each(&c)
	})
}

// query hands each row of a query to row, which sees the columns that begin has found.
func (s *Shop) query(ctx context.Context, what, text string, args database.Args, begin func(*sql.Rows) (*table, error), row func(*table) error) error {
	rows, err := s.db.Query(ctx, s.db, text, args)
	if err != nil {
		return fmt.Errorf("query %s: %w", what, err)
	}
	defer rows.Close()
	t, err := begin(rows)
	if err != nil {
		return err
	}
	for rows.Next() {
		t.err = nil
		if err := rows.Scan(t.into...); err != nil {
			return fmt.Errorf("query %s: %w", what, err)
		}
		if err := row(t); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("query %s: it broke off: %w", what, err)
	}
	return nil
}

// Orders hands each line of the customers' orders to each, as the rows come. An
// error of each ends it. That the rows of a customer stand together is the
// caller's to check.
func (s *Shop) Orders(ctx context.Context, customers []string, until time.Time, each func(*Line) error) error {
	ids, err := json.Marshal(customers)
	if err != nil {
		return err
	}
	args := database.Args{"until": s.db.Time(until), "customers": string(ids)}
	begin := func(rows *sql.Rows) (*table, error) {
		t, err := newTable(rows, []string{"customer_id", "order_id", "ordered_at", "item", "quantity", "unit_price"}, []string{"currency"}, false)
		if err != nil {
			return nil, fmt.Errorf("query orders: %w", err)
		}
		return t, nil
	}
	return s.query(ctx, "orders", s.queries.Orders, args, begin, func(t *table) error {
		l := Line{
			Customer: t.text("customer_id"), Order: t.text("order_id"), At: t.moment("ordered_at"),
			Item: t.text("item"), Quantity: t.decimal("quantity"), Price: t.decimal("unit_price"),
		}
		if t.has("currency") {
			l.Currency = t.currency("currency")
		}
		if t.err != nil {
			return fmt.Errorf("query orders: customer %s: %w", l.Customer, t.err)
		}
		return each(&l)
	})
}

// table is the columns of a result, with the values of its current row.
type table struct {
	at      map[string]int
	further []string
	values  []any
	into    []any
	err     error // of the first value that isn't what it should be
}

// newTable finds the columns by their names.
func newTable(rows *sql.Rows, required, optional []string, more bool) (*table, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	t := &table{at: map[string]int{}, values: make([]any, len(names)), into: make([]any, len(names))}
	for i, name := range names {
		if _, twice := t.at[name]; twice {
			return nil, fmt.Errorf("%w: two columns %s", ErrContract, name)
		}
		t.at[name] = i
		t.into[i] = &t.values[i]
		switch {
		case slices.Contains(required, name), slices.Contains(optional, name):
		case !more:
			return nil, fmt.Errorf("%w: a column %s, which means nothing", ErrContract, name)
		case name == "recipient" || name == "url":
			return nil, fmt.Errorf("%w: a column %s, which the export makes itself", ErrContract, name)
		default:
			t.further = append(t.further, name)
		}
	}
	for _, name := range required {
		if !t.has(name) {
			return nil, fmt.Errorf("%w: no column %s", ErrContract, name)
		}
	}
	return t, nil
}

func (t *table) has(name string) bool { _, ok := t.at[name]; return ok }

// fail keeps the first fault. It names the column and never the value.
func (t *table) fail(name, what string) {
	if t.err == nil {
		t.err = fmt.Errorf("%w: %s %s", ErrContract, name, what)
	}
}

func (t *table) textOrNull(name string) string {
	if t.values[t.at[name]] == nil {
		return ""
	}
	return t.text(name)
}

func (t *table) text(name string) string {
	switch v := t.values[t.at[name]].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339)
	case nil:
		t.fail(name, "is null")
		return ""
	default:
		return fmt.Sprint(v)
	}
}

func (t *table) number(name string) int64 {
	n, ok := t.values[t.at[name]].(int64)
	if !ok {
		t.fail(name, "isn't a whole number")
	}
	return n
}

func (t *table) decimal(name string) decimal.Decimal {
	text := ""
	switch v := t.values[t.at[name]].(type) {
	case int64:
		text = strconv.FormatInt(v, 10)
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		text = t.text(name)
	}
	d, err := decimal.Parse(text)
	if err != nil {
		t.fail(name, err.Error())
	}
	return d
}

// IsCurrency reports whether a text is of the form of a currency's code.
func IsCurrency(code string) bool {
	return len(code) == 3 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (t *table) currency(name string) string {
	code := t.text(name)
	if !IsCurrency(code) {
		t.fail(name, "isn't a currency's three letters, as in EUR")
	}
	return code
}

// layouts are how SQLite's texts write a moment.
var layouts = []string{time.DateTime, time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04", time.DateOnly}

func (t *table) moment(name string) time.Time {
	switch v := t.values[t.at[name]].(type) {
	case time.Time:
		return v
	case string:
		for _, layout := range layouts {
			if at, err := time.Parse(layout, v); err == nil {
				return at
			}
		}
	}
	t.fail(name, "isn't a moment")
	return time.Time{}
}
