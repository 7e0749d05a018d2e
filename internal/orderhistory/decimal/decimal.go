// Package decimal has exact decimal numbers, as prices and quantities are, of the
// size that a sheet keeps exactly: Excel has 15 significant digits.
package decimal

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
)

const (
	maxDigits = 15 // Excel's
	// MaxPlaces is how many digits may follow the point: more than any price has. What
	// has more comes from arithmetic with binary fractions, and is to be rounded where
	// that was done.
	MaxPlaces = 6
)

// The faults of a number.
var (
	ErrForm   = errors.New("isn't a decimal number such as 12.50")
	ErrPlaces = errors.New("has over 6 decimal places: round it in the query")
	ErrDigits = errors.New("has over 15 digits, more than a sheet keeps")
)

// Decimal is a number. The zero value is 0.
type Decimal struct {
	units  int64 // the number without its point
	places int   // how many of its digits follow the point
}

// Parse reads digits with a point or without, and a sign before them. Zeros at the end
// of a fraction don't count.
func Parse(text string) (Decimal, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	fraction = strings.TrimRight(fraction, "0")
	if whole == "" || point && strings.HasSuffix(digits, ".") || strings.Trim(whole+fraction, "0123456789") != "" {
		return Decimal{}, ErrForm
	}
	digits = strings.TrimLeft(whole+fraction, "0")
	switch {
	case len(fraction) > MaxPlaces:
		return Decimal{}, ErrPlaces
	case len(digits) > maxDigits:
		return Decimal{}, ErrDigits
	case digits == "":
		return Decimal{}, nil
	}
	units, err := strconv.ParseInt(digits, 10, 64)
	if negative {
		units = -units
	}
	return Decimal{units, len(fraction)}, err
}

// Places returns how many digits follow the point.
func (d Decimal) Places() int { return d.places }

// Times returns the product, rounded to as many places, a half away from zero.
func (d Decimal) Times(e Decimal, places int) (Decimal, error) {
	product := new(big.Int).Mul(big.NewInt(d.units), big.NewInt(e.units))
	surplus := d.places + e.places - places
	if surplus <= 0 {
		return fit(product.Mul(product, power(-surplus)), places)
	}
	divisor := power(surplus)
	half := new(big.Int).Quo(divisor, big.NewInt(2))
	if product.Sign() < 0 {
		half.Neg(half)
	}
	return fit(product.Quo(product.Add(product, half), divisor), places)
}

// Plus returns the sum, with the places of the longer one.
func (d Decimal) Plus(e Decimal) (Decimal, error) {
	places := max(d.places, e.places)
	a := new(big.Int).Mul(big.NewInt(d.units), power(places-d.places))
	return fit(a.Add(a, new(big.Int).Mul(big.NewInt(e.units), power(places-e.places))), places)
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func fit(units *big.Int, places int) (Decimal, error) {
	if limit := power(maxDigits); units.CmpAbs(limit) >= 0 {
		return Decimal{}, ErrDigits
	}
	return Decimal{units.Int64(), places}, nil
}

// String returns the number with all its places.
func (d Decimal) String() string {
	text := strconv.FormatInt(d.units, 10)
	digits, negative := strings.CutPrefix(text, "-")
	if short := d.places + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	if d.places > 0 {
		digits = digits[:len(digits)-d.places] + "." + digits[len(digits)-d.places:]
	}
	if negative {
		return "-" + digits
	}
	return digits
}

// Float returns the float64 that is written with the same digits.
func (d Decimal) Float() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64) // it is of the form
	return f
}
