package sheet

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Words are what stands in a file beside the orders.
type Words struct {
	Sheet                                                    string // its name
	Order, Date, Item, Quantity, UnitPrice, Amount, Currency string // over the columns
	Total, Customer                                          string // under them
}

// English are the words unless others are set.
func English() Words {
	return Words{
		Sheet: "Orders", Order: "Order", Date: "Date", Item: "Item", Quantity: "Quantity", UnitPrice: "Unit price", Amount: "Amount",
		Currency: "Currency", Total: "Total", Customer: "Customer",
	}
}

// Set sets some of the words, by names such as unit_price.
func (w *Words) Set(words map[string]string) error {
	names := map[string]*string{
		"sheet": &w.Sheet, "order": &w.Order, "date": &w.Date, "item": &w.Item, "quantity": &w.Quantity, "unit_price": &w.UnitPrice,
		"amount": &w.Amount, "currency": &w.Currency, "total": &w.Total, "customer": &w.Customer,
	}
	for name, word := range words {
		into := names[name]
		if into == nil {
			return fmt.Errorf("there is no word %q, only sheet, order, date, item, quantity, unit_price, amount, currency, total and customer", name)
		}
		*into = word
	}
	// Excel's rules for the name of a sheet.
	if n := utf8.RuneCountInString(w.Sheet); n == 0 || n > 31 || strings.ContainsAny(w.Sheet, `:\/?*[]`) || strings.HasPrefix(w.Sheet, "'") || strings.HasSuffix(w.Sheet, "'") {
		return fmt.Errorf(`the word "sheet" must be 1 to 31 characters without : \ / ? * [ ] and without ' at its ends`)
	}
	return nil
}

// Currencies whose amounts don't have two places, from ISO 4217's list one.
var (
	noPlaces    = []string{"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"}
	threePlaces = []string{"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
	fourPlaces  = []string{"CLF", "UYW"}
)

// places returns how many places the amounts of a currency have.
func places(currency string) int {
	switch {
	case slices.Contains(noPlaces, currency):
		return 0
	case slices.Contains(threePlaces, currency):
		return 3
	case slices.Contains(fourPlaces, currency):
		return 4
	}
	return 2
}
