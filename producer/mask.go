package producer

import "strings"

const (
	// maskTail is how many of a number's last digits tell that it is meant: any
	// seven digits in a row that end it, with punctuation between or not.
	maskTail = 7
	// maskKept is how many of them stay readable.
	maskKept = 2
)

// maskPhone hides a phone number wherever it occurs in a text, in whichever
// form, but for its last two digits.
func maskPhone(text, e164 string) string {
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
