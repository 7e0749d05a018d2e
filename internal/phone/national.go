package phone

import (
	"bytes"
	"regexp"
	"strconv"

	"github.com/nyaruka/phonenumbers"
)

// nationalReader reads the numbers of the default region in national form.
type nationalReader struct {
	plan   *numbering // by the region's own rules; nil: ask the library
	code   []byte     // the region's calling code, as digits
	abroad *regexp.Regexp
	// trunk is true where the national prefix is a plain 0 and the region has
	// its calling code to itself. Then 0 before a valid number is taken away.
	trunk bool
}

// fastNational is fast for digits without an international prefix.
func (b *Book) fastNational(digits []byte) (string, bool) {
	r := b.nationalReader()
	if r.plan == nil || len(digits) < 3 || len(digits) >= bareDigits {
		return "", false
	}
	// Both may mean that an international number was written without its plus
	// sign; the library knows when.
	if bytes.HasPrefix(digits, r.code) || r.abroad.Match(digits) {
		return "", false
	}
	if r.trunk && digits[0] == '0' {
		digits = digits[1:]
	}
	if len(r.code)+len(digits) > MaxDigits || !r.plan.surelyValid(digits) {
		return "", false
	}
	e164 := make([]byte, 0, 1+MaxDigits)
	e164 = append(append(append(e164, '+'), r.code...), digits...)
	return string(e164), true
}

func (b *Book) nationalReader() *nationalReader {
	if r := b.national.Load(); r != nil {
		return r
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.national.Load(); r != nil {
		return r
	}
	r := b.newNationalReader()
	b.national.Store(r)
	return r
}

func (b *Book) newNationalReader() *nationalReader {
	m := b.metadata[b.region]
	plan, err := newNumbering(b.code, b.metadata, m)
	if err != nil {
		return &nationalReader{}
	}
	abroad, err := regexp.Compile("^(?:" + m.GetInternationalPrefix() + ")")
	if err != nil {
		return &nationalReader{}
	}
	return &nationalReader{
		plan:   plan,
		code:   strconv.AppendInt(nil, int64(b.code), 10),
		abroad: abroad,
		trunk: m.GetNationalPrefixForParsing() == "0" && m.GetNationalPrefixTransformRule() == "" &&
			len(phonenumbers.GetRegionCodesForCountryCode(b.code)) == 1,
	}
}
