package shop

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

// GenerateOptions are what a made-up shop looks like.
type GenerateOptions struct {
	Customers int
	Orders    int       // of each customer; 0: 1 to 6
	Until     time.Time // the orders are from the year before
	Seed      uint64    // the same seed makes the same shop
}

// MaxGenerated is how many customers have numbers of their own.
const MaxGenerated = 1_000_000

const tables = `
CREATE TABLE customers (
	id bigint PRIMARY KEY, name text NOT NULL, phone text NOT NULL, zone text NOT NULL, locale text NOT NULL
);
CREATE TABLE orders (
	id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, ordered_at timestamptz NOT NULL
);
CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at);
CREATE TABLE order_items (
	order_id bigint NOT NULL REFERENCES orders, line bigint NOT NULL, item text NOT NULL,
	quantity bigint NOT NULL, unit_cents bigint NOT NULL, PRIMARY KEY (order_id, line)
);`

// Generate makes tables with customers and orders in an empty database. The
// phone numbers are reserved for fiction, or at least not known to be in use,
// and valid; their last two digits go through all the simulator's stories.
func Generate(ctx context.Context, rawURL string, o GenerateOptions) (err error) {
	if o.Customers < 1 || o.Customers > MaxGenerated || o.Orders < 0 {
		return fmt.Errorf("1 to %d customers can be generated", MaxGenerated)
	}
	db, err := database.Create(ctx, rawURL)
	if err != nil {
		return err
	}
	defer func() {
		if e := db.Close(); err == nil {
			err = e
		}
	}()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	defer tx.Rollback() // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, tables); err != nil {
		return fmt.Errorf("make tables: %w", err)
	}
	g := &generator{db: db, tx: tx, o: o, chance: rand.New(rand.NewPCG(o.Seed, 1))}
	for first := 1; first <= o.Customers; first += generatedAtOnce {
		if err := g.some(ctx, first, min(first+generatedAtOnce-1, o.Customers)); err != nil {
			return fmt.Errorf("generate: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if db.Kind == database.SQLite { // one file, which can be read without writing beside it
		if _, err := db.ExecContext(ctx, "PRAGMA journal_mode = DELETE"); err != nil {
			return fmt.Errorf("generate: %w", err)
		}
	}
	return nil
}

// generatedAtOnce is how many customers are inserted by one statement.
const generatedAtOnce = 200

type generator struct {
	db     *database.DB
	tx     *sql.Tx
	o      GenerateOptions
	chance *rand.Rand
	order  int // the last one's ID
}

func (g *generator) some(ctx context.Context, first, last int) error {
	var customers, orders, items []database.Args
	for id := first; id <= last; id++ {
		place := places[g.chance.IntN(len(places))]
		customers = append(customers, database.Args{
			"id": id, "name": g.name(id), "phone": phone(id - 1), "zone": place[0], "locale": place[1],
		})
		n := g.o.Orders
		if n == 0 {
			n = 1 + g.chance.IntN(6)
		}
		for range n {
			g.order++
			at := g.o.Until.Add(-time.Duration(1+g.chance.IntN(365*24*3600)) * time.Second)
			orders = append(orders, database.Args{"id": g.order, "customer_id": id, "ordered_at": g.moment(at)})
			for line := range 1 + g.chance.IntN(3) {
				p := products[g.chance.IntN(len(products))]
				items = append(items, database.Args{
					"order_id": g.order, "line": line + 1, "item": p.name, "quantity": 1 + g.chance.IntN(3), "unit_cents": p.cents,
				})
			}
		}
	}
	for _, insert := range []struct {
		into   string
		fields []string
		rows   []database.Args
	}{
		{"customers", []string{"id bigint", "name text", "phone text", "zone text", "locale text"}, customers},
		{"orders", []string{"id bigint", "customer_id bigint", "ordered_at timestamptz"}, orders},
		{"order_items", []string{"order_id bigint", "line bigint", "item text", "quantity bigint", "unit_cents bigint"}, items},
	} {
		names := strings.Join(database.Names(insert.fields), ", ")
		into := "INSERT INTO " + insert.into + " (" + names + ") "
		_, err := g.db.ExecRows(ctx, g.tx, into+database.Values(insert.fields), into+"SELECT "+names+" FROM %s", insert.fields, insert.rows, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// moment is one as the database keeps it: SQLite has no type for it.
func (g *generator) moment(at time.Time) string {
	if g.db.Kind == database.Postgres {
		return at.UTC().Format(time.RFC3339)
	}
	return at.UTC().Format(time.DateTime)
}

// name is a customer's. Every hundredth begins as a formula would.
func (g *generator) name(id int) string {
	name := given[g.chance.IntN(len(given))] + " " + family[g.chance.IntN(len(family))]
	if id%100 == 0 {
		return "=" + name
	}
	return name
}

// phone is the number of the n-th customer: 555-0100 to 555-0199 of each area,
// which are kept free for fiction, then further exchanges.
func phone(n int) string {
	hundred, exchange := n/100, 555
	if wrap := hundred / len(areas); wrap > 0 {
		exchange = 200 + wrap
	}
	return fmt.Sprintf("+1%s%03d01%02d", areas[hundred%len(areas)], exchange, n%100)
}

var areas = []string{
	"201", "202", "203", "205", "206", "207", "208", "209", "210", "212", "213", "214", "215", "216", "217", "218",
	"219", "224", "225", "228", "229", "231", "234", "239", "240", "248", "251", "252", "253", "254", "256", "260",
	"262", "267", "269", "270", "276", "281", "301", "302", "303", "304", "305", "307", "308", "309", "310", "312",
	"313", "314", "315", "316", "317", "318", "319", "320", "321", "323", "325", "330", "331", "334", "336", "337",
}

var places = [][2]string{
	{"America/New_York", "en-US"}, {"America/Chicago", "en-US"}, {"America/Denver", "en-US"},
	{"America/Los_Angeles", "en-US"}, {"America/Los_Angeles", "es-US"},
}

var (
	given  = []string{"Ada", "Grace", "Alan", "Edsger", "Barbara", "Ken", "Radia", "Niklaus", "Frances", "Donald", "Margaret", "Dennis"}
	family = []string{"Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Thompson", "Perlman", "Wirth", "Allen", "Knuth", "Hamilton", "Ritchie"}
)

var products = []struct {
	name  string
	cents int
}{
	{"Trail shoes, blue", 12999}, {"Wool socks, 3 pairs", 2490}, {"Rain jacket", 18900}, {"Water bottle, 1 l", 1950},
	{"Tent for two", 34900}, {"Sleeping bag, -5 °C", 21900}, {"Head torch", 4599}, {"Map of the Alps", 1495},
	{"Gas stove", 5990}, {"Backpack, 40 l", 14900}, {"+5 % gift card", 5000}, {"Compass", 2999},
}
