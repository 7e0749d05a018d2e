package producer

import (
	"strings"
	"testing"
)

func TestSMSParts_FollowTheStandard(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"nothing", "", 1},
		{"160 of GSM", strings.Repeat("a", 160), 1},
		{"161 of GSM", strings.Repeat("a", 161), 2},
		{"306 of GSM", strings.Repeat("é", 306), 2},
		{"307 of GSM", strings.Repeat("ñ", 307), 3},
		{"80 of the extension", strings.Repeat("€", 80), 1},
		{"81 of the extension", strings.Repeat("[", 81), 2},
		// 76 pairs fill 152 of 153 places: the last one stays empty.
		{"escapes are not split", strings.Repeat("^", 153), 3},
		{"70 of UTF-16", strings.Repeat("ж", 70), 1},
		{"71 of UTF-16", strings.Repeat("ж", 71), 2},
		{"134 of UTF-16", strings.Repeat("ж", 134), 2},
		{"135 of UTF-16", strings.Repeat("ж", 135), 3},
		{"35 astral", strings.Repeat("😀", 35), 1},
		{"36 astral", strings.Repeat("😀", 36), 2},
		{"astral are not split", strings.Repeat("😀", 67), 3},
		{"one character makes all of it UTF-16", strings.Repeat("a", 70) + "ж", 2},
		{"backquote is not GSM", strings.Repeat("a", 80) + "`", 2},
	} {
		if got := smsParts(c.text); got != c.want {
			t.Errorf("%s: %d parts, want %d", c.name, got, c.want)
		}
	}
}

func TestCheckURL_TheShortWayTakesNothingThatTheLongWayRefuses(t *testing.T) {
	for url, want := range map[string]error{
		"https://example.com/a b":        errURLSpace,
		"https://example.com/a\nb":       errURLSpace,
		"https://example.com/a%20b.xlsx": nil,
		"http://[::1]:8080/x":            nil,
		"https://example.com":            nil,
		"https://münchen.example/ü":      nil,
		"https://":                       errNotURL,
		"https:///path":                  errNotURL,
		"ftp://example.com/a":            errNotURL,
		"example.com/a":                  errNotURL,
		"/a":                             errNotURL,
		"":                               errNotURL,
		"https://example.com/%zz":        errNotURL,
		"javascript:alert(1)":            errNotURL,
	} {
		if got := checkURL(url); got != want {
			t.Errorf("%q: %v, want %v", url, got, want)
		}
	}
}
