package campaign

import (
	"strconv"
	"strings"
)

// ReferenceValue is what stands in the index for a reference: a number, which
// Redis keeps in a few bytes, or <position>.<attempt> for a rare high attempt.
func ReferenceValue(p Place, attempt int) string {
	if attempt > 15 {
		return strconv.Itoa(p.Position()) + "." + strconv.Itoa(attempt)
	}
	return strconv.Itoa(p.Position()*16 + attempt)
}

// ParseReferenceValue reads it.
func ParseReferenceValue(s string) (p Place, attempt int, ok bool) {
	if position, rest, high := strings.Cut(s, "."); high {
		n, ok1 := ParseNumber(position)
		attempt, ok2 := ParseNumber(rest)
		return PlaceOf(n), attempt, ok1 && ok2
	}
	n, err := strconv.Atoi(s)
	return PlaceOf(n / 16), n % 16, err == nil && n >= 0
}
