package decimal_test

import (
	"errors"
	"testing"

	"github.com/handout-dev/handout/internal/orderhistory/decimal"
)

func parse(t *testing.T, text string) decimal.Decimal {
	t.Helper()
	d, err := decimal.Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return d
}

func TestParse_ReadsWhatDatabasesWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"12.50": "12.5", "129.9900000000000000": "129.99", "0": "0", "-0.00": "0", "-3": "-3", "0.5": "0.5", "007": "7",
		"999999999999999": "999999999999999", "0.000001": "0.000001", "-0.05": "-0.05",
	} {
		if got := parse(t, text).String(); got != want {
			t.Errorf("%s is %s", text, got)
		}
	}
	for text, want := range map[string]error{
		"": decimal.ErrForm, ".5": decimal.ErrForm, "5.": decimal.ErrForm, "1e3": decimal.ErrForm, "12,50": decimal.ErrForm, "NaN": decimal.ErrForm,
		"--1": decimal.ErrForm, "1.2.3": decimal.ErrForm, "0.30000000000000004": decimal.ErrPlaces, "1000000000000000": decimal.ErrDigits,
	} {
		if _, err := decimal.Parse(text); !errors.Is(err, want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTimes_RoundsAHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b   string
		places int
		want   string
	}{
		{"0.5", "12.99", 2, "6.50"}, {"-0.5", "12.99", 2, "-6.50"}, {"0.5", "12.98", 2, "6.49"}, {"40.5", "1.799", 2, "72.86"}, {"3", "1290", 0, "3870"},
		{"1", "0.5", 0, "1"}, {"1", "0.4", 0, "0"}, {"2", "1.5", 3, "3.000"}, {"0.000001", "0.000001", 2, "0.00"},
	} {
		if got, err := parse(t, c.a).Times(parse(t, c.b), c.places); err != nil || got.String() != c.want {
			t.Errorf("%s × %s is %s, want %s, %v", c.a, c.b, got, c.want, err)
		}
	}
	if _, err := parse(t, "99999999").Times(parse(t, "99999999"), 2); !errors.Is(err, decimal.ErrDigits) {
		t.Error(err)
	}
}

// TestPlus_IsExactWhereFloatsAreNot adds a tenth ten thousand times.
func TestPlus_IsExactWhereFloatsAreNot(t *testing.T) {
	t.Parallel()
	var sum decimal.Decimal
	tenth := parse(t, "0.1")
	for range 10_000 {
		var err error
		if sum, err = sum.Plus(tenth); err != nil {
			t.Fatal(err)
		}
	}
	if sum.String() != "1000.0" || sum.Float() != 1000 {
		t.Errorf("%s, %v", sum, sum.Float())
	}
	if _, err := parse(t, "999999999999999").Plus(parse(t, "1")); !errors.Is(err, decimal.ErrDigits) {
		t.Error(err)
	}
}
