package shop

import (
	_ "embed" // for the queries

	"github.com/handout-dev/handout/internal/orderhistory/database"
)

//go:embed customers.sql
var customersSQL string

//go:embed orders-sqlite.sql
var ordersSQLite string

//go:embed orders-postgres.sql
var ordersPostgres string

// DefaultQueries are those for the tables that Generate makes.
func DefaultQueries(kind database.Kind) Queries {
	if kind == database.Postgres {
		return Queries{Customers: customersSQL, Orders: ordersPostgres}
	}
	return Queries{Customers: customersSQL, Orders: ordersSQLite}
}
