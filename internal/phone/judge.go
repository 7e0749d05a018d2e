package phone

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// The reasons that one number isn't one to send to.
var (
	errNoCode     = errors.New("not in international form, which begins with + and a calling code")
	errNoSuchCode = errors.New("begins with no country's calling code")
	errTwoReads   = errors.New("could be two numbers: write it with + and its calling code")
	errUncertain  = errors.New("not certainly one number: write it with + and its calling code")
)

// judge reads one number by the library's data. The library gets nothing but a plus
// sign and digits, and what it makes of them must have exactly these digits.
func (b *Book) judge(w written) (e164 string, known bool, err error) {
	if err := b.two(w); err != nil {
		return "", false, err
	}
	if n, ok := variant(b, w); ok {
		return n, true, nil
	}
	e164, known, err = b.read(w)
	if err == nil && !w.plus && e164 != "+"+w.digits && b.withItsCode(w.digits) {
		// Germany and Austria have landline numbers that begin with the digits of
		// their own calling code. None has as many digits.
		if len(w.digits) < bareDigits {
			return "", false, errTwoReads
		}
		return "+" + w.digits, true, nil
	}
	if err == nil && !known {
		if n, ok := whatsAppID(nil, e164[1:]); ok {
			return n, true, nil
		}
	}
	// In regions with another international prefix, and without a region, 00 is
	// still what most of the world writes for the plus sign.
	if rest, ok := strings.CutPrefix(w.digits, "00"); ok && !w.plus && (err != nil || !known) {
		if other, sure, err2 := b.read(written{plus: true, digits: rest}); err2 == nil || b.region == "" {
			return other, sure, err2
		}
	}
	if w.plus || len(w.digits) < bareDigits {
		return e164, known, err
	}
	// Without its plus sign a long number may be WhatsApp's ID.
	id, ok := whatsAppID(b, w.digits)
	switch {
	case !ok || id == e164:
		return e164, known, err
	case err == nil:
		return "", false, errTwoReads
	}
	return id, true, nil
}

// withItsCode reports whether digits are a mobile number of the book's region with its
// calling code before it.
func (b *Book) withItsCode(digits string) bool {
	if b.code == 0 || !strings.HasPrefix(digits, strconv.Itoa(b.code)) {
		return false
	}
	n, err := phonenumbers.Parse("+"+digits, "")
	if err != nil || phonenumbers.Format(n, phonenumbers.E164) != "+"+digits {
		return false
	}
	kind := phonenumbers.GetNumberType(n)
	return kind == phonenumbers.MOBILE || kind == phonenumbers.FIXED_LINE_OR_MOBILE
}

// bareDigits is how many digits a number has at least that is read as WhatsApp's ID
// without a plus sign: no country's own numbers are as long as a rule.
const bareDigits = 12

// read reads one number as it stands.
func (b *Book) read(w written) (e164 string, known bool, err error) {
	text := w.digits
	if w.plus {
		text = "+" + text
	}
	number, err := phonenumbers.Parse(text, b.region)
	switch {
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		if w.plus {
			return "", false, errNoSuchCode
		}
		return "", false, errNoCode
	case errors.Is(err, phonenumbers.ErrTooShortNSN), errors.Is(err, phonenumbers.ErrTooShortAfterIDD):
		return "", false, errors.New("too short")
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return "", false, errors.New("too long")
	case err != nil:
		return "", false, errNotANumber
	}
	code := int(number.GetCountryCode())
	national := phonenumbers.GetNationalSignificantNumber(number)
	before, certain := b.certain(w, code, national)
	known = phonenumbers.IsValidNumber(number)
	if !known {
		switch phonenumbers.IsPossibleNumberWithReason(number) {
		case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
			return "", false, fmt.Errorf("too short for country +%d", code)
		case phonenumbers.TOO_LONG:
			return "", false, fmt.Errorf("too long for country +%d", code)
		case phonenumbers.INVALID_LENGTH:
			return "", false, fmt.Errorf("no number of country +%d has this length", code)
		case phonenumbers.INVALID_COUNTRY_CODE:
			return "", false, errNoSuchCode
		}
		// In no range that the data knows. Digits alone may be another country's:
		// only a plus sign or a trunk prefix says whose they are.
		if !w.plus && before == "" || !b.mayBeNew(code, national) {
			return "", false, fmt.Errorf("not a number in use in country +%d", code)
		}
	}
	switch {
	case !certain:
		return "", false, errUncertain
	case len(national)+len(strconv.Itoa(code)) > MaxDigits:
		return "", false, fmt.Errorf("longer than the %d digits of E.164", MaxDigits)
	}
	return "+" + strconv.Itoa(code) + national, known, nil
}

// certain reports whether a national number has exactly the digits written, less
// what may stand before them: an international prefix, the calling code, a trunk
// prefix. It returns what does.
func (b *Book) certain(w written, code int, national string) (before string, ok bool) {
	m := b.regionOf(code)
	before, ok = strings.CutSuffix(w.digits, national)
	if !ok {
		// A local number of a region with one area code, which the library adds.
		area, found := strings.CutSuffix(m.GetNationalPrefixTransformRule(), "$1")
		if found && area != "" && national == area+w.digits {
			return "", true
		}
		return "", ar15(w.digits, code, national)
	}
	calling := strconv.Itoa(code)
	rest := before
	if w.plus {
		rest, ok = strings.CutPrefix(rest, calling)
		return before, ok && (rest == "" || isTrunk(m, rest))
	}
	if rest == "" || isTrunk(m, rest) {
		return before, true
	}
	for abroad := 0; abroad < len(rest); abroad++ {
		after, ok := strings.CutPrefix(rest[abroad:], calling)
		if ok && (abroad == 0 || b.dialsAbroad(rest[:abroad])) && (after == "" || isTrunk(m, after)) {
			return before, true
		}
	}
	return before, false
}

// regionOf is the region by whose rules a number of a calling code is read.
func (b *Book) regionOf(code int) *phonenumbers.PhoneMetadata {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loadMetadata()
	if code == b.code {
		return b.metadata[b.region]
	}
	return b.metadata[metadataKey(phonenumbers.GetRegionCodeForCountryCode(code), code)]
}

// isTrunk reports whether digits are a region's trunk prefix and no more: no code of
// a carrier, no area code.
func isTrunk(m *phonenumbers.PhoneMetadata, digits string) bool {
	if digits == m.GetNationalPrefix() {
		return true
	}
	groups := whole(m.GetNationalPrefixForParsing()).FindStringSubmatch(digits)
	return groups != nil && !slices.ContainsFunc(groups[1:], func(s string) bool { return s != "" })
}

// dialsAbroad reports whether digits are what the book's region dials before a
// calling code.
func (b *Book) dialsAbroad(digits string) bool {
	if digits == "00" || b.region == "" {
		return digits == "00"
	}
	m := b.regionOf(b.code)
	return whole(m.GetInternationalPrefix()).MatchString(digits)
}

// mayBeNew reports whether a national number could be of a range that is newer than
// the library's data: it has a form that its country's numbers have, and the length
// of its mobile numbers.
func (b *Book) mayBeNew(code int, national string) bool {
	for _, region := range phonenumbers.GetRegionCodesForCountryCode(code) {
		b.mu.Lock()
		b.loadMetadata()
		m := b.metadata[metadataKey(region, code)]
		b.mu.Unlock()
		lengths := m.GetMobile().GetPossibleLength()
		if len(lengths) == 0 {
			lengths = m.GetGeneralDesc().GetPossibleLength()
		}
		if slices.Contains(lengths, int32(len(national))) && whole(m.GetGeneralDesc().GetNationalNumberPattern()).MatchString(national) {
			return true
		}
	}
	return false
}

// wholeDigits is how many digits each of two numbers in a cell has at least.
const wholeDigits = 7

// patterns are those of whole, compiled.
var patterns sync.Map

// whole returns a pattern of the library's data that matches all of a text; an empty
// one, and one that Go can't read, matches the empty text alone.
func whole(pattern string) *regexp.Regexp {
	if p, ok := patterns.Load(pattern); ok {
		return p.(*regexp.Regexp)
	}
	p, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		p = regexp.MustCompile("^$")
	}
	patterns.Store(pattern, p)
	return p
}

// two refuses digits that are two numbers beside each other with a gap between:
// the first is a whole number, and the second as long as one.
func (b *Book) two(w written) error {
	for _, gap := range w.gaps {
		if gap < wholeDigits || len(w.digits)-gap < wholeDigits {
			continue
		}
		if _, known, err := b.read(written{plus: w.plus, digits: w.digits[:gap]}); err == nil && known {
			return errSecond
		}
	}
	return nil
}
