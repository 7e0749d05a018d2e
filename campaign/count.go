package campaign

import (
	"strconv"
	"strings"
)

// Number is a number for people, with its thousands apart, as in 12,345. What programs
// read has plain digits.
func Number(n int) string {
	if n < 0 {
		return "-" + Number(-n)
	}
	text := strconv.Itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// Count is a number for people with its word, in the singular or the plural, as in 1
// bad row and 12,345 bad rows.
func Count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return Number(n) + " " + plural(word)
}

func plural(word string) string {
	stem, y := strings.CutSuffix(word, "y")
	switch {
	case strings.HasSuffix(word, "person"):
		return strings.TrimSuffix(word, "person") + "people"
	case y && !strings.HasSuffix(stem, "a") && !strings.HasSuffix(stem, "e") && !strings.HasSuffix(stem, "o"):
		return stem + "ies"
	case strings.HasSuffix(word, "s"):
		return word + "es"
	}
	return word + "s"
}
