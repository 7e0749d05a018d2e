package phone_test

import (
	"testing"

	"github.com/handout-dev/handout/internal/phone"
)

func TestNormalize_ACellIsOneNumberOrItsReason(t *testing.T) {
	t.Parallel()
	const no = "" // no number: reason has the words
	for _, c := range []struct{ cell, region, want, reason string }{
		// A number and more.
		{"+43 664 1234567 Max", "", no, "letters after the number"},
		{"+49 30 1234567 Fax", "", no, "letters after the number"},
		{"0301234567 (Mutter)", "DE", no, "letters after the number"},
		{"Tel. +49 30 1234567", "", no, "letters before the number"},
		{"1-800-FLOWERS", "US", no, "letters after the number"},
		{"+1 201 555 0123 x12", "", no, "an extension after the number: no message reaches it"},
		{"+1 201 555 0123 ext. 5", "", no, "an extension after the number: no message reaches it"},
		{"+1 201 555 0123;ext=5", "", no, "an extension after the number: no message reaches it"},
		{"+1 201 555 0123 #5", "", no, "an extension after the number: no message reaches it"},
		{"+12015550123p5", "", no, "an extension after the number: no message reaches it"},
		{"+1 201 555 0123; +1 201 555 0124", "", no, "more than one number"},
		{"+1 201 555 0123 / +1 201 555 0124", "", no, "more than one number"},
		{"+1 201 555 0123/0124", "", no, "more than one number"},
		{"+1 201 555 0123, 5", "", no, "more than one number"},
		{"(201) 555-0123 or (201) 555-0124", "US", no, "more than one number"},
		{"0171 2345678 oder 0172 2345678", "DE", no, "more than one number"},
		{"0171 2345678 / 0172 2345678", "DE", no, "more than one number"},
		{"030/123456/030/123457", "DE", no, "more than one number"},
		{"0171 2345678\n0172 2345678", "DE", no, "more than one number"},
		{"+12015550123 +12015550124", "", no, "more than one number"},
		{"0301234 0305678", "DE", no, "more than one number"},
		{"3012345 3012346", "DE", no, "more than one number"},
		{"+49 3012345 3012346", "", no, "more than one number"},
		{"Ann", "DE", no, "not a phone number"},
		{"n/a", "DE", no, "not a phone number"},
		{"-", "DE", no, "not a phone number"},
		{"1st", "DE", no, "letters after the number"},
		{"*100#", "DE", no, "the character U+002A, which stands in no number"},
		{" \u00a0\u200b", "DE", no, "empty"},

		// What table programs make of numbers.
		{"1712345678.0", "DE", "+491712345678", ""},
		{"1601234567,00", "DE", "+491601234567", ""},
		{"491712345678.0", "DE", "+491712345678", ""},
		{"+41791234567.0", "", "+41791234567", ""},
		{"41791234567.0", "", no, "not in international form, which begins with + and a calling code"},
		{"1712345678.5", "DE", no, "a number with decimals"},
		{"1712345678.000", "DE", no, "a number with decimals"},
		{"4.179E+10", "CH", no, "written as 1.5E+10 by a spreadsheet: its last digits are lost, format the column as text"},
		{"4,9171e10", "DE", no, "written as 1.5E+10 by a spreadsheet: its last digits are lost, format the column as text"},
		{"'+491712345678", "", "+491712345678", ""},
		{`="01712345678"`, "DE", "+491712345678", ""},
		{"12.11.2026", "DK", no, "a date"},
		{"2026-11-25", "DK", no, "a date"},

		// How people write one number.
		{"+49 (0) 171 / 2345678", "", "+491712345678", ""},
		{"+43/664/1234567", "", "+436641234567", ""},
		{"0664/1234567", "AT", "+436641234567", ""},
		{"0043 664/1234567", "", "+436641234567", ""},
		{"02.12345678", "IT", "+390212345678", ""},
		{"201.555.0123", "US", "+12015550123", ""},
		{"1 (201) 555–0123", "US", "+12015550123", ""},
		{"[+1] 201 555-0123", "", "+12015550123", ""},
		{"+12015550123;", "", "+12015550123", ""},
		{"20 12 34 56", "DK", "+4520123456", ""},
		{"01 23 45 67 89", "FR", "+33123456789", ""},
		{"8 (912) 345-67-89", "RU", "+79123456789", ""},
		{"011 44 20 7946 0958", "US", "+442079460958", ""},
		{"\u202a+44 7911 123456\u202c", "", "+447911123456", ""},
		{"\u202d+44\u00a07911\u2009123456\u202c", "", "+447911123456", ""},
		{"\ufeff+44\u200b7911123456\u200f", "", "+447911123456", ""},
		{"＋４４　７９１１　１２３４５６", "", "+447911123456", ""},
		{"+٤٤ ٧٩١١ ١٢٣٤٥٦", "", "+447911123456", ""},
		{"\u202e654321 1197 44+", "", no, "a character that reverses what is read"},

		// Two ways to write one number.
		{"5215512345678", "", "+525512345678", ""},
		{"+5215512345678", "", "+525512345678", ""},
		{"0052 1 55 1234 5678", "", "+525512345678", ""},
		{"044 55 1234 5678", "MX", "+525512345678", ""},
		{"+558299448232", "", "+5582999448232", ""},
		{"558299448232", "", "+5582999448232", ""},
		{"5582999448232", "", "+5582999448232", ""},
		{"0 82 9944-8232", "BR", "+5582999448232", ""},
		{"+551132345678", "", "+551132345678", ""}, // of a house
		{"5491123456789", "", "+5491123456789", ""},
		{"011 15-2345-6789", "AR", "+5491123456789", ""},
		{"+54 11 15 2345 6789", "", "+5491123456789", ""},
		{"491712345678", "DE", "+491712345678", ""},
		{"43664123456", "AT", "+43664123456", ""},
		{"5215512345678", "DE", no, "could be two numbers: write it with + and its calling code"},
		{"0 15 11 98765-4321", "BR", no, "not certainly one number: write it with + and its calling code"},
	} {
		got, err := phone.Normalize(c.cell, c.region)
		reason := ""
		if err != nil {
			reason = err.Error()
		}
		if got != c.want || reason != c.reason {
			t.Errorf("%q in region %q: %q (%s), want %q (%s)", c.cell, c.region, got, reason, c.want, c.reason)
		}
	}
}

func TestNormalize_RangesNewerThanTheDataAreMarked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cell, region, want string
		known              bool
	}{
		{"+81 60 2123 4567", "", "+816021234567", false},
		{"060-2123-4567", "JP", "+816021234567", false},
		{"+46 78 244 49 28", "", "+46782444928", false},
		{"+263 790 332 746", "", "+263790332746", false},
		{"0086 161 0926 9413", "", "+8616109269413", false},
		{"+12015550123", "", "+12015550123", true},
		{"60-2123-4567", "JP", "", false},  // whose it is is a guess
		{"+1 111 555 0123", "", "", false}, // no area code begins with 1
		{"+49 1234", "", "", false},
		{"+81 60 2123 45678", "", "", false},
		{"+999 1234567", "", "", false},
	} {
		b, err := phone.NewBook(c.region)
		if err != nil {
			t.Fatal(err)
		}
		got, known, err := b.Normalize(c.cell)
		if got != c.want || known != c.known || (err == nil) != (c.want != "") {
			t.Errorf("%q in region %q: %q, known: %v (%v), want %q, %v", c.cell, c.region, got, known, err, c.want, c.known)
		}
	}
}
