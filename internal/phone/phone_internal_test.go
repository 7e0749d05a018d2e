package phone

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// library is what the library makes of a number, in its own words.
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
// valid and whether the automaton was sure of it. What is valid for the library is
// accepted as the same number, or refused as not certainly one; what isn't is
// accepted only as a range that may be new, or another way to write a valid one.
func comparePhone(t *testing.T, b *Book, phone string) (valid, fast bool) {
	t.Helper()
	want, valid := library(phone, b.region)
	valid = valid && len(want) <= 1+MaxDigits
	got, known, err := b.Normalize(phone)
	_, fast = b.fast(phone)
	switch {
	case err == nil:
		if !hasItsDigits(phone, got) {
			t.Fatalf("%q in region %q: %s has other digits", phone, b.region, got)
		}
		if again, sure, err := b.Normalize(got); err != nil || again != got || sure != known {
			t.Fatalf("%q in region %q: %s, which is %s itself (known: %v, then %v): %v", phone, b.region, got, again, known, sure, err)
		}
		if n, err := phonenumbers.Parse(got, ""); err != nil || phonenumbers.IsValidNumber(n) != known {
			t.Fatalf("%q in region %q: %s, which is known: %v: %v", phone, b.region, got, known, err)
		}
		if valid && got != want && plainDigits(phone) && hasItsDigits(phone, want) && got != "+"+phone {
			t.Fatalf("%q in region %q: %s, want %s", phone, b.region, got, want)
		}
	case strings.HasPrefix(phone, "00") && want != "+"+phone[2:]:
		// The library puts other digits there: Norfolk Island's +672 25183 it reads
		// as +672 325183.
	case valid && plainDigits(phone) && hasItsDigits(phone, want) && !uncertain(err):
		t.Fatalf("%q in region %q: valid for the library, error: %v", phone, b.region, err)
	}
	return valid, fast
}

func uncertain(err error) bool {
	return slices.Contains([]error{errUncertain, errTwoReads}, err)
}

// plainDigits reports whether a number is written without punctuation.
func plainDigits(phone string) bool {
	return strings.Trim(strings.TrimPrefix(phone, "+"), "0123456789") == ""
}

// hasItsDigits is the promise: what is accepted has, in order, exactly the digits
// that stood there, less a trunk prefix, plus the calling code. It knows nothing of
// how the text was read. A float's tail isn't a digit of a number; Mexico, Brazil and
// Argentina write some numbers in two ways.
func hasItsDigits(cell, e164 string) bool {
	digits := digitsIn(cell)
	if hasDigits(digits, e164[1:]) {
		return true
	}
	for _, tail := range []string{"0", "00"} {
		if rest, ok := strings.CutSuffix(digits, tail); ok && strings.ContainsAny(cell, ".,") && hasDigits(rest, e164[1:]) {
			return true
		}
	}
	n := e164[1:]
	switch {
	case strings.HasPrefix(n, "52"): // 521…, 044…, 045…
		return slices.Contains([]string{"521" + n[2:], "00521" + n[2:], "044" + n[2:], "045" + n[2:], "01" + n[2:]}, digits)
	case strings.HasPrefix(n, "55") && len(n) == 13: // without the ninth digit
		return strings.HasSuffix(digits, n[2:4]+n[5:])
	case strings.HasPrefix(n, "549"): // 15 after the area code
		return strings.Contains(digits, "15") && strings.Replace(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(digits, "00"), "54"), "0"), "15", "", 1) == n[3:] ||
			len(digits) >= 12 && strings.HasSuffix(digits, n[len(n)-6:])
	}
	return false
}

// hasDigits reports whether the digits of a cell are those of a number, but for what
// stands before them: at most an international prefix and a trunk prefix, of no more than
// six and two digits; or a calling code that is left out.
func hasDigits(cell, number string) bool {
	for code := 0; code <= 4 && code < len(number); code++ {
		national := number[code:]
		before, ok := strings.CutSuffix(cell, national)
		if !ok {
			continue
		}
		for _, prefix := range []string{number[:code], ""} {
			for i := range len(before) + 1 {
				abroad, rest := before[:i], before[i:]
				trunk, ok := strings.CutPrefix(rest, prefix)
				if ok && len(abroad) <= 6 && len(trunk) <= 2 {
					return true
				}
			}
		}
	}
	return false
}

// digitsIn are the digits in a text, of any script.
func digitsIn(s string) string {
	var b strings.Builder
	for _, r := range s {
		if d := digitValue(r); d >= 0 {
			b.WriteByte(byte('0' + d))
		}
	}
	return b.String()
}

func TestDigitValue_UnicodesDigitsStandInRowsOfTen(t *testing.T) {
	t.Parallel()
	rows := 0
	for _, r := range unicode.Nd.R16 {
		rows++
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("%U to %U by %d", r.Lo, r.Hi, r.Stride)
		}
	}
	for _, r := range unicode.Nd.R32 {
		rows++
		if r.Stride != 1 || (r.Hi-r.Lo+1)%10 != 0 {
			t.Errorf("%U to %U by %d", r.Lo, r.Hi, r.Stride)
		}
	}
	if rows < 50 {
		t.Errorf("%d rows", rows)
	}
	for text, want := range map[string]string{"0189": "0189", "０１８９": "0189", "٠١٨٩": "0189", "०१८९": "0189", "𝟎𝟏𝟗": "019", "𝟿": "9", "²Ⅷx": ""} {
		if got := digitsIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
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
	perExample := few(60)
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
	perExample := few(20) / 10
	r := rand.New(rand.NewPCG(3, 4))
	numbers := examples(t)
	var all, valid, fast int
	for _, region := range slices.Sorted(maps.Keys(phonenumbers.GetSupportedRegions())) {
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
		"4.91512E+11", "+1 201 555 0123 ext. 5", "tel:+1-201-555-0123", "+5215512345678", "5215512345678", "558299448232",
		"011 15-2345-6789", "1712345678.0", "0664/1234567", "+43/664/1234567", "0171 2345678 / 0172 2345678", "12.11.2026",
		"\u202a+44 7911 123456\u202c", "+81 60 2123 4567", "044 55 1234 5678", "＋４９１７１２３４５６７８", "٠١٢٣", "+", "00", "", "+800 12345678",
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
		for _, r := range []string{"", "AR", "IT", "RU", "BR", "MX", "US", "DE"} {
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
