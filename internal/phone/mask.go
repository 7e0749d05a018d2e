package phone

import "strings"

const (
	// maskKept is how many of a number's last digits stay readable.
	maskKept = 2
	// maskTail is how many of a number's last digits in a row in a name tell
	// that the name is the number.
	maskTail = 7
)

// Mask hides a phone number in E.164 form but for its last two digits, and an e-mail
// address but for its first letters and the end of its domain.
func Mask(e164 string) string {
	if IsEmail(e164) {
		return maskEmail(e164)
	}
	number := strings.TrimPrefix(e164, "+")
	hidden := max(0, len(number)-maskKept)
	return e164[:len(e164)-len(number)] + strings.Repeat("*", hidden) + number[hidden:]
}

// MaskName hides the phone number in a recipient's name, if the name is, or
// holds, the number: every digit of it but the last two; and the name if it is an e-mail
// address.
func MaskName(name, e164 string) string {
	if IsEmail(name) {
		if _, err := ParseEmail(name); err == nil {
			return maskEmail(name)
		}
	}
	digits := digitsOf(name)
	if len(digits) < maskTail || len(e164) < maskTail || !strings.Contains(digits, e164[len(e164)-maskTail:]) {
		return name
	}
	b, left := []byte(name), len(digits)
	for i, c := range b {
		if isDigit(c) {
			if left > maskKept {
				b[i] = '*'
			}
			left--
		}
	}
	return string(b)
}

// digitsOf are the digits of a text alone; empty if there are too few to matter.
func digitsOf(s string) string {
	n := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	if n < maskTail {
		return ""
	}
	b := make([]byte, 0, n)
	for i := range len(s) {
		if isDigit(s[i]) {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// HideIn hides a phone number wherever it occurs in a text, in whichever
// form, but for its last two digits; or an e-mail address. An empty one is nowhere.
func HideIn(text, e164 string) string {
	switch {
	case e164 == "":
		return text
	case IsEmail(e164):
		return hideEmail(text, e164)
	}
	const maskTail, maskKept = 7, 2
	number := strings.TrimPrefix(e164, "+")
	tail := number[max(0, len(number)-maskTail):]
	var out []byte
	digits := make([]byte, 0, len(text))
	at := make([]int, 0, len(text)) // where each of digits stands in text
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			digits, at = append(digits, c), append(at, i)
		case strings.IndexByte(" -.()/", c) < 0:
			digits, at = append(digits, 0), append(at, i) // matches nothing
		}
	}
	for from := 0; ; {
		i := strings.Index(string(digits[from:]), tail)
		if i < 0 {
			break
		}
		end := from + i + len(tail)
		if out == nil {
			out = []byte(text)
		}
		for j, k := end-1, len(number)-1; j >= 0 && k >= 0 && digits[j] == number[k]; j, k = j-1, k-1 {
			if len(number)-k > maskKept {
				out[at[j]] = '*'
			}
		}
		from += i + 1
	}
	if out == nil {
		return text
	}
	return string(out)
}
