package phone_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/handout-dev/handout/internal/phone"
)

func TestVariants_AreAllFormsOfALine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dialled string
		other   string // empty: there is none
	}{
		"Mexico":                         {"+525512345678", "+5215512345678"},
		"Mexico, an area code of three":  {"+526641234567", "+5216641234567"},
		"Argentina":                      {"+5491123456789", "+541123456789"},
		"Argentina, a longer area code":  {"+5492966123456", "+542966123456"},
		"Brazil, São Paulo":              {"+5511987654321", "+551187654321"},
		"Brazil, Maceió":                 {"+5582999448232", "+558299448232"},
		"Brazil, began with 6":           {"+5531961234567", "+553161234567"},
		"a landline of Brazil":           {"+551131234567", ""},
		"a mobile like it":               {"+5511931234567", ""},
		"Côte d'Ivoire, Moov":            {"+2250102345678", "+22502345678"},
		"Côte d'Ivoire, MTN":             {"+2250554345678", "+22554345678"},
		"Côte d'Ivoire, Orange":          {"+2250707345678", "+22507345678"},
		"Côte d'Ivoire, a later number":  {"+2250701345678", ""},
		"a landline of Côte d'Ivoire":    {"+2252720345678", ""},
		"an old landline there":          {"+22520345678", ""},
		"Benin":                          {"+2290197123456", "+22997123456"},
		"Mexico with a digit too many":   {"+5225512345678", ""},
		"Argentina with a digit too few": {"+54112345678", ""},
		"the United States":              {"+12015550123", ""},
		"Germany":                        {"+4915112345678", ""},
		"a number that is no number":     {"+5", ""},
		"nothing":                        {"", ""},
	} {
		want := []string{c.dialled}
		if c.other != "" {
			want = append(want, c.other)
		}
		for _, form := range want {
			if d := cmp.Diff(want, phone.Variants(form)); d != "" {
				t.Errorf("%s, of %s: %s", name, form, d)
			}
		}
	}
}

// Whichever form is asked for, the answer is the same, and has the form in it: two
// people never share a form.
func FuzzVariants(f *testing.F) {
	for _, s := range []string{"+525512345678", "+5511987654321", "+22507345678", "+2290197123456", "", "+"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		all := phone.Variants(s)
		if !slices.Contains(all, s) {
			t.Errorf("%q isn't in %q", s, all)
		}
		for _, other := range all {
			if d := cmp.Diff(all, phone.Variants(other)); d != "" {
				t.Errorf("%q: %s", s, d)
			}
		}
	})
}
