package phone

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/nyaruka/phonenumbers"
)

// ErrUnknownRegion means that the default region isn't a country's two letters of
// ISO 3166.
var ErrUnknownRegion = errors.New("unknown region: a country's two letters are needed, such as US")

// Normalize brings a phone number into E.164 form, a plus sign and digits.
// It takes international form (+ or 00 before the calling code) and, with a
// region (a country's two letters of ISO 3166), national form. What is valid is
// what libphonenumber finds valid. The error is a reason in words, without the
// number; [ErrUnknownRegion] for the region.
func Normalize(phone, region string) (string, error) {
	book, ok := books.Load(region)
	if !ok {
		made, err := NewBook(region)
		if err != nil {
			return "", err
		}
		book, _ = books.LoadOrStore(region, made)
	}
	e164, _, err := book.(*Book).Normalize(phone)
	return e164, err
}

// Normalizer is [Normalize] for many numbers of one region, hundreds of
// times as fast. The function is safe for concurrent use.
func Normalizer(region string) (func(phone string) (string, error), error) {
	book, err := NewBook(region)
	if err != nil {
		return nil, err
	}
	return func(phone string) (string, error) {
		e164, _, err := book.Normalize(phone)
		return e164, err
	}, nil
}

// books are those of NormalizePhone by region: making one takes as long as
// reading a thousand numbers.
var books sync.Map

// Book normalises the numbers of one list. It is safe for concurrent use.
type Book struct {
	region    string
	code      int  // of the region
	zeros     bool // 00 stands for the plus sign there
	plans     [1000]atomic.Pointer[numbering]
	supported [1000]bool
	national  atomic.Pointer[nationalReader]

	mu       sync.Mutex // held while a plan is made
	metadata map[string]*phonenumbers.PhoneMetadata
}

func NewBook(region string) (*Book, error) {
	region = strings.ToUpper(region)
	b := &Book{region: region, zeros: region == ""}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		if code < len(b.supported) {
			b.supported[code] = true
		}
	}
	if region == "" {
		return b, nil
	}
	if !phonenumbers.GetSupportedRegions()[region] {
		return nil, ErrUnknownRegion
	}
	b.code = phonenumbers.GetCountryCodeForRegion(region)
	b.loadMetadata()
	b.zeros = b.metadata[region].GetInternationalPrefix() == "00"
	return b, nil
}

// Normalize returns the number in E.164 form, and its digits as a number.
func (b *Book) Normalize(phone string) (string, uint64, error) {
	if e164, n, ok := b.fast(phone); ok {
		return e164, n, nil
	}
	e164, err := b.ask(phone)
	if err != nil {
		return "", 0, err
	}
	if len(e164) > 1+MaxDigits {
		return "", 0, fmt.Errorf("longer than the %d digits of E.164", MaxDigits)
	}
	n, err := strconv.ParseUint(e164[1:], 10, 64)
	if err != nil {
		return "", 0, errNotANumber // the cause would quote the number
	}
	return e164, n, nil
}

// fast normalises what is surely valid, which nearly every number of a list is.
func (b *Book) fast(phone string) (string, uint64, bool) {
	var digits [MaxDigits + 2]byte // with 00 before it
	n, plus, ok := scanDigits(phone, digits[:])
	if !ok {
		return "", 0, false
	}
	d := digits[:n]
	switch {
	case plus:
	case b.zeros && n > 2 && strings.HasPrefix(strings.TrimLeft(phone, " "), "00"):
		d = d[2:]
	case b.region != "":
		return b.fastNational(d)
	default:
		return "", 0, false
	}
	code, length := b.callingCode(d)
	if length == 0 || len(d) > MaxDigits {
		return "", 0, false
	}
	if plan := b.plan(code); plan == nil || !plan.surelyValid(d[length:]) {
		return "", 0, false
	}
	if plus && len(phone) == 1+len(d) {
		return phone, parseDigits(d), true // as it was written
	}
	return "+" + string(d), parseDigits(d), true
}

// scanDigits takes the digits out of a number that is written with nothing but
// digits, a plus sign before them, and the commonest punctuation.
func scanDigits(phone string, digits []byte) (n int, plus, ok bool) {
	const longest = 64 // far below the length that the library refuses
	if len(phone) > longest {
		return 0, false, false
	}
	for i := range len(phone) {
		switch c := phone[i]; c {
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			if n == len(digits) {
				return 0, false, false
			}
			digits[n] = c
			n++
		case '+':
			if plus || n > 0 {
				return 0, false, false
			}
			plus = true
		case ' ', '-', '.', '(', ')':
		default:
			return 0, false, false
		}
	}
	return n, plus, n > 0
}

// callingCode finds the calling code that the digits begin with, and its
// length; 0 when there is none.
func (b *Book) callingCode(digits []byte) (code, length int) {
	if digits[0] == '0' {
		return 0, 0
	}
	for i := range min(3, len(digits)) {
		code = code*10 + int(digits[i]-'0')
		if b.supported[code] {
			return code, i + 1
		}
	}
	return 0, 0
}

// plan is the numbering plan of a calling code, made when it is first needed;
// nil when it can't be made, and the library must answer every time.
func (b *Book) plan(code int) *numbering {
	if p := b.plans[code].Load(); p != nil {
		return p.orNil()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.plans[code].Load(); p != nil {
		return p.orNil()
	}
	b.loadMetadata()
	main := phonenumbers.GetRegionCodeForCountryCode(code)
	p, err := newNumbering(code, b.metadata, b.metadata[metadataKey(main, code)])
	if err != nil {
		p = &numbering{}
	}
	b.plans[code].Store(p)
	return p.orNil()
}

func (p *numbering) orNil() *numbering {
	if p.start == nil {
		return nil
	}
	return p
}

func (b *Book) loadMetadata() {
	if b.metadata != nil {
		return
	}
	b.metadata = map[string]*phonenumbers.PhoneMetadata{}
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		return // no plan can be made, and the library answers
	}
	for _, m := range all.GetMetadata() {
		b.metadata[metadataKey(m.GetId(), int(m.GetCountryCode()))] = m
	}
}

// metadataKey is the region, or for calling codes without one the code.
func metadataKey(region string, code int) string {
	if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY {
		return strconv.Itoa(code)
	}
	return region
}

func parseDigits(d []byte) (n uint64) {
	for _, c := range d {
		n = n*10 + uint64(c-'0')
	}
	return n
}

// The reasons that a number is refused. None may quote it.
var (
	errEmptyPhone  = errors.New("empty")
	errNotANumber  = errors.New("not a phone number")
	errNoCode      = errors.New("not in international form, which begins with + and a calling code")
	errNoSuchCode  = errors.New("begins with no country's calling code")
	errSpreadsheet = errors.New("written as 1.5E+10 by a spreadsheet: its last digits are lost, format the column as text")
)

// ask is the library's answer.
func (b *Book) ask(phone string) (string, error) {
	e164, err := b.parse(phone)
	if err == nil {
		return e164, nil
	}
	// In regions with another international prefix, and without a region, 00 is
	// still what most of the world writes for the plus sign.
	if rest, ok := strings.CutPrefix(strings.TrimLeft(phone, " "), "00"); ok {
		if e164, err2 := b.parse("+" + rest); err2 == nil || b.region == "" {
			return e164, err2
		}
	}
	return "", err
}

func (b *Book) parse(phone string) (string, error) {
	if strings.TrimSpace(phone) == "" {
		return "", errEmptyPhone
	}
	number, err := phonenumbers.Parse(phone, b.region)
	switch {
	case err == nil && phonenumbers.IsValidNumber(number):
		return phonenumbers.Format(number, phonenumbers.E164), nil
	case isScientific(phone):
		return "", errSpreadsheet
	case errors.Is(err, phonenumbers.ErrInvalidCountryCode):
		if strings.Contains(phone, "+") {
			return "", errNoSuchCode
		}
		return "", errNoCode
	case errors.Is(err, phonenumbers.ErrTooShortNSN), errors.Is(err, phonenumbers.ErrTooShortAfterIDD):
		return "", errors.New("too short")
	case errors.Is(err, phonenumbers.ErrNumTooLong):
		return "", errors.New("too long")
	case err != nil:
		return "", errNotANumber
	}
	code := int(number.GetCountryCode())
	switch phonenumbers.IsPossibleNumberWithReason(number) {
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return "", fmt.Errorf("too short for country +%d", code)
	case phonenumbers.TOO_LONG:
		return "", fmt.Errorf("too long for country +%d", code)
	case phonenumbers.INVALID_LENGTH:
		return "", fmt.Errorf("no number of country +%d has this length", code)
	case phonenumbers.INVALID_COUNTRY_CODE:
		return "", errNoSuchCode
	}
	return "", fmt.Errorf("not a number in use in country +%d", code)
}

// isScientific finds 4.91512E+11, which is what spreadsheets make of a column
// of phone numbers.
func isScientific(phone string) bool {
	mantissa, exponent, ok := strings.Cut(strings.ToUpper(strings.TrimSpace(phone)), "E+")
	if !ok || mantissa == "" || exponent == "" {
		return false
	}
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	for _, r := range exponent {
		if !isDigit(r) {
			return false
		}
	}
	for _, r := range mantissa {
		if !isDigit(r) && r != '.' && r != ',' {
			return false
		}
	}
	return true
}

// MaxDigits is the longest number that E.164 allows, in digits. libphonenumber
// knows a few longer ones, none of which can be sent to.
const MaxDigits = 15
