package phone

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// ErrUnknownRegion means that the default region isn't a country's two letters of
// ISO 3166.
var ErrUnknownRegion = errors.New("unknown region: a country's two letters are needed, such as US")

// Normalize brings a phone number into E.164 form, a plus sign and digits.
// It takes international form (+ or 00 before the calling code) and, with a
// region (a country's two letters of ISO 3166), national form. The text is one
// number and nothing else; see the package's comment. The error is a reason in
// words, without the number; [ErrUnknownRegion] for the region.
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

// Normalize returns the number in E.164 form. known is false for a number of a range
// that the library's data hasn't, which may be newer than the data.
func (b *Book) Normalize(phone string) (e164 string, known bool, err error) {
	if e164, ok := b.fast(phone); ok {
		return e164, true, nil
	}
	w, err := readCell(phone)
	if err != nil {
		return "", false, err
	}
	return b.judge(w)
}

// fast normalises what is surely valid, which nearly every number of a list is.
func (b *Book) fast(phone string) (string, bool) {
	var digits [MaxDigits + 2]byte // with 00 before it
	n, plus, ok := scanDigits(phone, digits[:])
	if !ok {
		return "", false
	}
	d := digits[:n]
	switch {
	case plus:
	case b.zeros && n > 2 && d[0] == '0' && d[1] == '0':
		d = d[2:]
	case b.region != "":
		return b.fastNational(d)
	default:
		return "", false
	}
	code, length := b.callingCode(d)
	if length == 0 || len(d) > MaxDigits {
		return "", false
	}
	if plan := b.plan(code); plan == nil || !plan.surelyValid(d[length:]) {
		return "", false
	}
	if plus && len(phone) == 1+len(d) {
		return phone, true // as it was written
	}
	return "+" + string(d), true
}

// scanDigits takes the digits out of a number that is written with nothing but
// digits, a plus sign before them, and the commonest punctuation. It leaves to
// readCell what may be two numbers, a date or a float.
func scanDigits(phone string, digits []byte) (n int, plus, ok bool) {
	const longest = 64 // far more than a number takes
	if len(phone) > longest {
		return 0, false, false
	}
	point := -1 // digits before the last one
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
		case '.':
			point = n
		case ' ', '-', '(', ')':
		default:
			return 0, false, false
		}
	}
	mayBeFloat := point >= 0 && (n-point <= 3 || point >= 10)
	mayBeDate := !plus && n <= len("20261125") && len(phone) > n
	mayBeTwo := n >= 2*wholeDigits && len(phone) > n+1
	return n, plus, n > 0 && !mayBeFloat && !mayBeDate && !mayBeTwo
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

// Digits returns a number in E.164 form as a number.
func Digits(e164 string) (n uint64) {
	for i := 1; i < len(e164); i++ {
		n = n*10 + uint64(e164[i]-'0')
	}
	return n
}

// The data that numbers are judged by, and when its library was published. A test
// holds both against go.mod.
// Source: the release v1.8.1 of github.com/nyaruka/phonenumbers.
const (
	DataVersion = "libphonenumber 9.0.32"
	dataLibrary = "v1.8.1"
	dataDay     = "2026-07-15"
)

// DataDay is the day of the data: ranges that were opened after it aren't known.
func DataDay() time.Time {
	day, err := time.Parse(time.DateOnly, dataDay)
	if err != nil {
		panic(err) // a constant
	}
	return day
}

// MaxDigits is the longest number that E.164 allows, in digits. libphonenumber
// knows a few longer ones, none of which can be sent to.
const MaxDigits = 15
