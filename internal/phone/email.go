package phone

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxEmail is the longest e-mail address, in bytes.
// Source: RFC 5321, 4.5.3.1.3, a path of 256 with its angle brackets.
const MaxEmail = 254

var (
	errNoEmail   = errors.New("empty")
	errLongEmail = errors.New("longer than 254 bytes")
	errBadEmail  = errors.New("not an e-mail address such as anna@example.com")
)

// IsEmail reports whether an address is of e-mail, and no phone number.
func IsEmail(address string) bool { return strings.Contains(address, "@") }

// ParseEmail returns an e-mail address without the space around it. What Telesign takes
// beyond a well-formed address isn't known. No error quotes it.
func ParseEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	a, err := mail.ParseAddress(s)
	switch {
	case s == "":
		return "", errNoEmail
	case len(s) > MaxEmail:
		return "", errLongEmail
	case err != nil || a.Name != "" || a.Address != s || strings.ContainsFunc(s, unicode.IsSpace):
		return "", errBadEmail
	}
	domain := s[strings.LastIndexByte(s, '@')+1:]
	if dot := strings.LastIndexByte(domain, '.'); dot <= 0 || dot == len(domain)-1 || domain[0] == '[' {
		return "", errBadEmail
	}
	return s, nil
}

// FoldEmail returns the form by which e-mail addresses are compared: no provider of note
// tells two people apart by case.
func FoldEmail(address string) string { return strings.ToLower(address) }

// maskEmail hides an e-mail address but for the first letters of its parts and the end of
// its domain: a***@e***.com.
func maskEmail(address string) string {
	at := strings.LastIndexByte(address, '@')
	first := func(s string) string {
		_, n := utf8.DecodeRuneInString(s)
		return s[:n] + "***"
	}
	domain, end := address[at+1:], ""
	if dot := strings.LastIndexByte(domain, '.'); dot >= 0 {
		domain, end = domain[:dot], domain[dot:]
	}
	return first(address[:at]) + "@" + first(domain) + end
}

// hideEmail hides an e-mail address wherever it occurs in a text, whatever its case.
func hideEmail(text, address string) string {
	folded, address := strings.ToLower(text), strings.ToLower(address)
	if len(folded) != len(text) || !strings.Contains(folded, address) { // case changes the length of few letters
		return strings.ReplaceAll(text, address, maskEmail(address))
	}
	var b strings.Builder
	for {
		i := strings.Index(folded, address)
		if i < 0 {
			return b.String() + text
		}
		b.WriteString(text[:i] + maskEmail(text[i:i+len(address)]))
		text, folded = text[i+len(address):], folded[i+len(address):]
	}
}
