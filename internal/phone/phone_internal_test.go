package phone

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// library is what normalisation must be equal to, in the library's own words.
func library(phone, region string) (string, bool) {
	if n, err := phonenumbers.Parse(phone, region); err == nil && phonenumbers.IsValidNumber(n) {
		return phonenumbers.Format(n, phonenumbers.E164), true
	}
	if rest, ok := strings.CutPrefix(strings.TrimLeft(phone, " "), "00"); ok {
		if n, err := phonenumbers.Parse("+"+rest, region); err == nil && phonenumbers.IsValidNumber(n) {
			return phonenumbers.Format(n, phonenumbers.E164), true
		}
	}
	return "", false
}

// comparePhone checks one number against the library, and reports whether it is
// valid and whether the automaton was sure of it.
func comparePhone(t *testing.T, b *Book, phone string) (valid, fast bool) {
	t.Helper()
	want, valid := library(phone, b.region)
	valid = valid && len(want) <= 1+MaxDigits
	got, n, err := b.Normalize(phone)
	if (err == nil) != valid {
		t.Fatalf("%q in region %q: valid for the library: %v, error: %v", phone, b.region, valid, err)
	}
	if valid && (got != want || "+"+strconv.FormatUint(n, 10) != want) {
		t.Fatalf("%q in region %q: %s and %d, want %s", phone, b.region, got, n, want)
	}
	_, _, fast = b.fast(phone)
	return valid, fast
}

// examples are valid numbers of every calling code and every type, as national
// digits by calling code.
func examples(t testing.TB) map[int][]string {
	t.Helper()
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	found := map[int][]string{}
	for _, m := range all.GetMetadata() {
		code := int(m.GetCountryCode())
		for _, d := range []*phonenumbers.PhoneNumberDesc{
			m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(),
			m.GetVoip(), m.GetPersonalNumber(), m.GetPager(), m.GetUan(), m.GetVoicemail(),
		} {
			if e := d.GetExampleNumber(); e != "" && !slices.Contains(found[code], e) {
				found[code] = append(found[code], e)
			}
		}
	}
	return found
}

// few is how often to do what the library makes slow, and the race detector
// twenty times slower, without being of interest to it.
func few(often int) int {
	if raceEnabled || testing.Short() {
		return often / 10
	}
	return often
}

func mutateDigits(r *rand.Rand, s string) string {
	b := []byte(s)
	for range r.IntN(4) {
		switch i := r.IntN(len(b)); r.IntN(8) {
		case 0:
			if len(b) > 2 {
				b = slices.Delete(b, i, i+1)
			}
		case 1:
			b = slices.Insert(b, i, byte('0'+r.IntN(10)))
		case 2:
			b = append(b, byte('0'+r.IntN(10)))
		default:
			b[i] = byte('0' + r.IntN(10))
		}
	}
	// The end of a number decides the least, so that most of these stay valid.
	for i := max(2, len(b)-4); i < len(b); i++ {
		if r.IntN(2) == 0 {
			b[i] = byte('0' + r.IntN(10))
		}
	}
	return string(b)
}

func punctuate(r *rand.Rand, s string) string {
	var b strings.Builder
	for i := range len(s) {
		if r.IntN(5) == 0 {
			b.WriteByte(" -.()"[r.IntN(5)])
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func TestPhone_InternationalFormIsJudgedAsTheLibraryJudges(t *testing.T) {
	t.Parallel()
	perExample := few(200)
	r := rand.New(rand.NewPCG(1, 2))
	b, err := NewBook("")
	if err != nil {
		t.Fatal(err)
	}
	var all, valid, fast int
	count := func(phone string) {
		v, f := comparePhone(t, b, phone)
		all++
		if v {
			valid++
		}
		if f {
			fast++
		}
	}
	defer func() { t.Logf("%d numbers, %d valid, %d of them without the library", all, valid, fast) }()
	for code, nationals := range examples(t) {
		for _, national := range nationals {
			for range perExample {
				digits := strconv.Itoa(code) + mutateDigits(r, national)
				count("+" + digits)
			}
		}
	}
	if fast*100 < valid*97 {
		t.Errorf("only %d of %d valid numbers were found without the library", fast, valid)
	}
	for code, nationals := range examples(t) {
		for _, national := range nationals {
			digits := strconv.Itoa(code) + mutateDigits(r, national)
			count(punctuate(r, "+"+digits))
			count("00" + digits)
			count(punctuate(r, "00"+digits))
			count(digits)
			count("+" + strconv.Itoa(code) + "0" + national)
			count("+" + strconv.Itoa(code) + strconv.Itoa(code) + national)
		}
	}
	for range all / 4 {
		count("+" + strconv.FormatUint(r.Uint64()>>r.IntN(40), 10))
	}
	for code := range 1000 {
		for range max(1, perExample/10) {
			count(fmt.Sprintf("+%d%0*d", code, r.IntN(13)+1, r.IntN(1e9)))
		}
	}
}

func TestPhone_NationalFormIsJudgedAsTheLibraryJudges(t *testing.T) {
	t.Parallel()
	perExample := few(20) / 2
	r := rand.New(rand.NewPCG(3, 4))
	numbers := examples(t)
	var all, valid, fast int
	for region := range phonenumbers.GetSupportedRegions() {
		b, err := NewBook(region)
		if err != nil {
			t.Fatal(err)
		}
		prefix := phonenumbers.GetNddPrefixForRegion(region, true)
		for _, national := range numbers[b.code] {
			for range perExample {
				m := mutateDigits(r, national)
				for _, phone := range []string{
					m, prefix + m, punctuate(r, prefix+m), "0" + m, strconv.Itoa(b.code) + m,
					"00" + strconv.Itoa(b.code) + m, "+" + strconv.Itoa(b.code) + m, "011" + m, "1" + m, "+" + strconv.Itoa(b.code) + prefix + m,
				} {
					v, f := comparePhone(t, b, phone)
					all++
					if v {
						valid++
					}
					if f {
						fast++
					}
				}
			}
		}
	}
	t.Logf("%d numbers, %d valid, %d of them without the library", all, valid, fast)
}

func FuzzPhone(f *testing.F) {
	for _, s := range []string{
		"+12015550123", "+49 (0) 151-23456789", "0044 20 7946 0958", "+39 06 6982", "+5491123456789", "15558675309",
		"4.91512E+11", "+1 201 555 0123 ext. 5", "tel:+1-201-555-0123", "٠١٢٣", "+", "00", "", "+800 12345678",
	} {
		f.Add(s, "")
		f.Add(s, "DE")
		f.Add(s, "US")
	}
	f.Fuzz(func(t *testing.T, phone, region string) {
		b, err := NewBook(region)
		if err != nil {
			return // not a region
		}
		comparePhone(t, b, phone)
		for _, r := range []string{"", "AR", "IT", "RU", "BR"} {
			b, err := NewBook(r)
			if err != nil {
				t.Fatal(err)
			}
			comparePhone(t, b, phone)
		}
	})
}

func BenchmarkPhone(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 6))
	phones := make([]string, 1<<16)
	for i := range phones {
		phones[i] = fmt.Sprintf("+1%d5%06d", []int{201, 212, 415, 512, 617, 702}[r.IntN(6)], 550000+r.IntN(9999))
	}
	b.Run("automaton", func(b *testing.B) {
		book, err := NewBook("")
		if err != nil {
			b.Fatal(err)
		}
		for _, p := range phones {
			_, _, _ = book.Normalize(p)
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			_, _, _ = book.Normalize(phones[i&(1<<16-1)])
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			library(phones[i&(1<<16-1)], "")
		}
	})
}
