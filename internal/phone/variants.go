package phone

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Numbers of three countries are written in two ways that are one number. These are
// the only digits that reading a number adds or takes away but for a calling code and
// a trunk prefix.
//
// Mexico: a 1 stood after +52 before mobile numbers until 2019, and WhatsApp's IDs
// keep it; at home 044, 045 and 01 stood before them. Brazil: mobile numbers got a 9
// after their area code until 2016, and WhatsApp's IDs of older accounts lack it.
// Argentina: at home 15 stands after the area code where +54 has a 9 before it.

// variant returns the number that another way of writing certainly is.
func variant(b *Book, w written) (string, bool) {
	digits, ok := w.digits, w.plus
	if !ok && strings.HasPrefix(digits, "00") {
		digits, ok = digits[2:], true
	}
	if ok {
		return whatsAppID(nil, digits)
	}
	if b.region == "MX" {
		for _, trunk := range []string{"044", "045", "01"} {
			if rest, ok := strings.CutPrefix(digits, trunk); ok && len(rest) == 10 {
				return valid("52" + rest)
			}
		}
	}
	return "", false
}

// whatsAppID returns the number of an ID that isn't what is called. With a book it
// takes IDs that are, too: 549 and ten digits, 55 and eleven.
func whatsAppID(b *Book, digits string) (string, bool) {
	bare := b != nil
	switch {
	case strings.HasPrefix(digits, "521") && len(digits) == 13:
		return valid("52" + digits[3:])
	case strings.HasPrefix(digits, "55") && len(digits) == 12 && digits[4] >= '6':
		return valid(digits[:4] + "9" + digits[4:])
	case bare && strings.HasPrefix(digits, "55") && len(digits) == 13 && digits[4] == '9',
		bare && strings.HasPrefix(digits, "549") && len(digits) == 13:
		return valid(digits)
	}
	return "", false
}

// valid returns the number with these digits if the library knows it.
func valid(digits string) (string, bool) {
	n, err := phonenumbers.Parse("+"+digits, "")
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return "", false
	}
	e164 := phonenumbers.Format(n, phonenumbers.E164)
	return e164, e164 == "+"+digits
}

// ar15 reports whether a national number of Argentina is what was written with 15
// after the area code.
func ar15(digits string, code int, national string) bool {
	rest, ok := strings.CutPrefix(national, "9")
	if code != 54 || !ok {
		return false
	}
	for _, before := range []string{"0054", "54", ""} {
		tail, ok := strings.CutPrefix(digits, before)
		if !ok {
			continue
		}
		tail = strings.TrimPrefix(tail, "0")
		for area := 2; area <= 4; area++ {
			if len(rest) == 10 && tail == rest[:area]+"15"+rest[area:] {
				return true
			}
		}
	}
	return false
}
