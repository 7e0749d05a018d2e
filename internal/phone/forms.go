package phone

import (
	"slices"
	"strings"
)

// insertion is a change of a numbering plan: the same line has had a number with
// these digits and one without them. WhatsApp's IDs keep the form in which an
// account was registered, and its webhooks bring that one, whatever was dialled.
type insertion struct {
	code    string // the calling code
	at      int    // where the digits stand in the national number
	digits  string
	rest    int  // digits of the national number without them
	dialled bool // with them; otherwise without
	// is reports whether a national number without the digits is of this kind; nil:
	// all are.
	is func(national string) bool
}

var insertions = []insertion{
	// Mexico: until August 2019 mobiles were dialled from abroad with a 1.
	{code: "52", digits: "1", rest: 10},
	// Argentina: mobiles are dialled from abroad with a 9.
	{code: "54", digits: "9", rest: 10, dialled: true},
	// Brazil: mobiles, which began with 6 to 9, got a 9 after the area code from
	// 2012 to 2016. What begins with 2 to 5 is a landline, and other than the mobile
	// with a 9 before the same digits.
	{code: "55", at: 2, digits: "9", rest: 10, dialled: true, is: func(n string) bool { return n[2] >= '6' }},
	// Côte d'Ivoire: since January 2021 mobiles begin with their operator's two
	// digits, which the second of the old digits decides; 2 and 3 began landlines.
	{code: "225", digits: "01", rest: 8, dialled: true, is: ivorian('0', '3')},
	{code: "225", digits: "05", rest: 8, dialled: true, is: ivorian('4', '6')},
	{code: "225", digits: "07", rest: 8, dialled: true, is: ivorian('7', '9')},
	// Benin: since November 2024 all numbers begin with 01.
	{code: "229", digits: "01", rest: 8, dialled: true},
}

func ivorian(from, to byte) func(string) bool {
	return func(n string) bool { return n[0] != '2' && n[0] != '3' && n[1] >= from && n[1] <= to }
}

// Variants returns the numbers in E.164 form under which one line is known: the one
// that is dialled today first, and the number itself among them. For most numbers
// that is the number alone.
func Variants(e164 string) []string {
	for i := range insertions {
		c := &insertions[i]
		national, ok := strings.CutPrefix(e164, "+"+c.code)
		if !ok {
			continue
		}
		without, with := national, ""
		switch len(national) {
		case c.rest:
			with = national[:c.at] + c.digits + national[c.at:]
		case c.rest + len(c.digits):
			if national[c.at:c.at+len(c.digits)] != c.digits {
				continue
			}
			without, with = national[:c.at]+national[c.at+len(c.digits):], national
		default:
			continue
		}
		if c.is != nil && !c.is(without) {
			continue
		}
		both := []string{"+" + c.code + with, "+" + c.code + without}
		if !c.dialled {
			slices.Reverse(both)
		}
		return both
	}
	return []string{e164}
}
