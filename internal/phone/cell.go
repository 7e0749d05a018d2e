package phone

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// The reasons that a cell isn't one number. None may quote it.
var (
	errEmptyPhone  = errors.New("empty")
	errNotANumber  = errors.New("not a phone number")
	errSpreadsheet = errors.New("written as 1.5E+10 by a spreadsheet: its last digits are lost, format the column as text")
	errDecimals    = errors.New("a number with decimals")
	errDate        = errors.New("a date")
	errSecond      = errors.New("more than one number")
	errExtension   = errors.New("an extension after the number: no message reaches it")
	errAfter       = errors.New("letters after the number")
	errBefore      = errors.New("letters before the number")
	errReversed    = errors.New("a character that reverses what is read")
)

// written is the one number that a cell holds, as it stands there.
type written struct {
	plus   bool
	digits string
	gaps   []int // how many digits stand before each gap between groups
}

// readCell reads a cell that holds one number and nothing else: a plus sign,
// digits of any script, and the punctuation that groups them. Invisible marks
// count for nothing. All else is an error, so that the digits are the cell's own,
// in their order.
func readCell(cell string) (written, error) {
	cell = unwrap(cell)
	if cell == "" {
		return written{}, errEmptyPhone
	}
	cell, err := wholeNumber(cell)
	if err != nil {
		return written{}, err
	}
	var r cellReader
	for _, c := range cell {
		if err := r.take(c); err != nil {
			return written{}, err
		}
	}
	return r.result()
}

// unwrap takes away what a spreadsheet puts around a text that looks like a number:
// an apostrophe before it, or a formula ="…" around it.
func unwrap(cell string) string {
	trim := func(s string) string {
		return strings.TrimFunc(s, func(c rune) bool { return c != reversing && (unicode.IsSpace(c) || invisible(c)) })
	}
	cell = trim(cell)
	if inner, ok := strings.CutPrefix(cell, `="`); ok && strings.HasSuffix(inner, `"`) {
		cell = trim(inner[:len(inner)-1])
	}
	if rest, ok := strings.CutPrefix(cell, "'"); ok {
		cell = trim(rest)
	}
	return cell
}

var (
	scientific = regexp.MustCompile(`^[0-9]+([.,][0-9]+)?[eE]\+?[0-9]+$`)
	// A float has at least as many digits before its point as the shortest number.
	float = regexp.MustCompile(`^(\+?[0-9]{7,})[.,]([0-9]{1,3}|[0-9]+)$`)
	date  = regexp.MustCompile(`^(?:([0-3]?[0-9])[./-]([0-3]?[0-9])[./-](?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[./-]([0-3]?[0-9])[./-]([0-3]?[0-9]))$`)
)

// wholeNumber takes away the tail .0 that table programs give numbers, and refuses
// the other forms in which a number's digits aren't a phone number's.
func wholeNumber(cell string) (string, error) {
	switch m := float.FindStringSubmatch(cell); {
	case m == nil:
	case m[2] == "0", m[2] == "00":
		return m[1], nil
	case len(m[2]) <= 3, len(m[1]) >= 10:
		return "", errDecimals
	}
	switch {
	case scientific.MatchString(cell):
		return "", errSpreadsheet
	case date.MatchString(cell):
		return "", errDate
	}
	return cell, nil
}

// cellReader reads a cell's characters one after the other.
type cellReader struct {
	written
	plain   []byte
	between bool  // a character stood between the last digit and here
	ended   bool  // by what separates numbers
	slashes []int // how many digits stand before each

	letters      bool
	beforeLetter int // digits
}

func (r *cellReader) take(c rune) error {
	if d := digitValue(c); d >= 0 {
		if r.ended && len(r.plain) > 0 && !r.letters {
			return errSecond
		}
		if r.between && len(r.plain) > 0 {
			r.gaps = append(r.gaps, len(r.plain))
		}
		r.between = false
		r.plain = append(r.plain, byte('0'+d))
		return nil
	}
	switch {
	case c == reversing:
		return errReversed
	case invisible(c):
		return nil
	}
	r.between = true
	switch {
	case c == '+' || c == '＋':
		switch {
		case len(r.plain) > 0:
			return errSecond
		case r.plus:
			return errNotANumber
		}
		r.plus = true
	case strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029;,|&", c):
		r.ended = true
	case c == '/' || c == '／':
		r.slashes = append(r.slashes, len(r.plain))
	case unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) || strings.ContainsRune(".．()（）[]−", c):
	case c == '#' || c == '=' && r.letters: // an extension: #5, ;ext=5
		r.letter()
	case unicode.IsLetter(c):
		r.letter()
	default:
		return fmt.Errorf("the character %U, which stands in no number", c)
	}
	return nil
}

func (r *cellReader) letter() {
	if !r.letters {
		r.letters, r.beforeLetter = true, len(r.plain)
	}
}

// extensionDigits is the most digits that an extension has.
const extensionDigits = 6

func (r *cellReader) result() (written, error) {
	r.digits = string(r.plain)
	after := len(r.plain) - r.beforeLetter
	switch {
	case len(r.plain) == 0:
		return written{}, errNotANumber
	case !r.letters:
	case after == 0:
		return written{}, errAfter
	case r.beforeLetter == 0:
		return written{}, errBefore
	case after <= extensionDigits && r.beforeLetter > extensionDigits:
		return written{}, errExtension
	case r.beforeLetter <= extensionDigits:
		return written{}, errNotANumber
	default:
		return written{}, errSecond
	}
	if !r.oneBySlashes() {
		return written{}, errSecond
	}
	return r.written, nil
}

// oneBySlashes reports whether the slashes in a number, if any, stand between its
// calling code, its area code and the rest, as in 0664/1234567 and
// +43/664/1234567. Between numbers more digits stand before one.
func (r *cellReader) oneBySlashes() bool {
	if len(r.slashes) == 0 {
		return true
	}
	last := r.slashes[len(r.slashes)-1]
	most := 1 + maxAreaCode // with a trunk prefix
	switch {
	case r.plus:
		most += maxCallingCode
	case strings.HasPrefix(r.digits, "00"):
		most += len("00") + maxCallingCode
	}
	rest := r.digits[last:]
	return len(r.slashes) <= 2 && last <= most && len(rest) >= minSubscriber && rest[0] != '0'
}

const (
	maxCallingCode = 3
	maxAreaCode    = 5
	minSubscriber  = 4
)

// reversing turns the order of all characters after it: what a person reads isn't
// what stands there.
const reversing = '\u202e'

// invisible reports whether a character shows nothing: zero-width, joining and
// direction marks, soft hyphens, byte order marks.
func invisible(c rune) bool { return unicode.Is(unicode.Cf, c) }

// digitValue is the value of a decimal digit of any script; -1 for what is none.
func digitValue(c rune) int {
	if c < 0x80 {
		if c >= '0' && c <= '9' {
			return int(c - '0')
		}
		return -1
	}
	if !unicode.Is(unicode.Nd, c) {
		return -1
	}
	// Unicode has the digits of a script in a row of ten, from its zero on; rows
	// that touch each other begin at multiples of ten within their range.
	for _, r := range unicode.Nd.R16 {
		if uint16(c) >= r.Lo && uint16(c) <= r.Hi && c <= 0xffff {
			return int(uint16(c)-r.Lo) % 10
		}
	}
	for _, r := range unicode.Nd.R32 {
		if uint32(c) >= r.Lo && uint32(c) <= r.Hi {
			return int(uint32(c)-r.Lo) % 10
		}
	}
	return -1
}
