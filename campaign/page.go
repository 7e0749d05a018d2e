package campaign

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Recipient is one person of a list.
type Recipient struct {
	// ID is the caller's own name for the person.
	ID string
	// Phone is the number in E.164 form: a plus sign and up to 15 digits. It is empty
	// where the cascade has e-mail alone.
	Phone string
	// Values are the list's further columns, in the order of the header.
	Values []string
}

// ErrBadPage means that stored bytes aren't a page.
var ErrBadPage = errors.New("not a page of recipients")

// pageV1 is the first byte of a page: what follows is zstd over
// uvarint(recipients), uvarint(columns), then column by column (equal things
// lie together and compress well): IDs, numbers as uvarints (0 for none), values.
const pageV1 = 1

// PageV2 is the first byte of a page that grows, of a standing campaign: what
// follows is, for each recipient, uvarint(length) and the plain form of a page
// of one.
const PageV2 = 2

// Text in a page is uvarint(length) and bytes.

// A page's bounds keep small what broken bytes can make a reader allocate. No
// page may be written beyond them: it could never be read.
const (
	maxColumns   = 4096
	maxPagePlain = 16 << 20 // 160 kB a recipient; what a request may carry is 10
)

// AppendPage appends the plain form of a page, before compression, to b. Equal
// recipients give equal bytes, so that it serves as the content to be digested.
func AppendPage(b []byte, columns int, recipients []Recipient) ([]byte, error) {
	if len(recipients) == 0 || len(recipients) > PageSize {
		return nil, fmt.Errorf("a page holds 1 to %d recipients, not %d", PageSize, len(recipients))
	}
	if columns < 0 || columns > maxColumns {
		return nil, fmt.Errorf("a list has at most %d columns, not %d", maxColumns, columns)
	}
	start := len(b)
	b = binary.AppendUvarint(b, uint64(len(recipients)))
	b = binary.AppendUvarint(b, uint64(columns))
	for i := range recipients {
		if len(recipients[i].Values) != columns {
			return nil, fmt.Errorf("a recipient has %d values for %d columns", len(recipients[i].Values), columns)
		}
		b = appendText(b, recipients[i].ID)
	}
	for i := range recipients {
		n := uint64(0)
		if phone := recipients[i].Phone; phone != "" {
			var err error
			if n, err = PhoneNumber(phone); err != nil {
				return nil, err
			}
		}
		b = binary.AppendUvarint(b, n)
	}
	for c := range columns {
		for i := range recipients {
			b = appendText(b, recipients[i].Values[c])
		}
	}
	if len(b)-start > maxPagePlain {
		return nil, fmt.Errorf("%d recipients with all their values take more than %d bytes", len(recipients), maxPagePlain)
	}
	return b, nil
}

// CompressPage is the stored form of a page from its plain one.
func CompressPage(plain []byte) []byte {
	e, _ := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(e)
	return e.EncodeAll(plain, append(make([]byte, 0, len(plain)/3+32), pageV1))
}

// DecodePage reads the stored form.
func DecodePage(b []byte) ([]Recipient, error) {
	return decodePage(b, func([]byte) bool { return true })
}

// DecodePageWith is [DecodePage] for a search: a page without a recipient of this
// name or phone number is mostly recognised before it is taken apart, in a third
// of the time, and has no recipients then. Another may be returned whole.
func DecodePageWith(b []byte, who string) ([]Recipient, error) {
	name, number := appendText(nil, who), []byte(nil)
	if n, err := PhoneNumber(who); err == nil {
		number = binary.AppendUvarint(nil, n)
	}
	return decodePage(b, func(plain []byte) bool {
		return bytes.Contains(plain, name) || (number != nil && bytes.Contains(plain, number))
	})
}

func decodePage(b []byte, wanted func(plain []byte) bool) ([]Recipient, error) {
	if len(b) > 0 && b[0] == PageV2 {
		if !wanted(b[1:]) {
			return nil, nil
		}
		return parseGrowing(string(b[1:]))
	}
	switch {
	case len(b) == 0 || b[0] == 0:
		return nil, fmt.Errorf("%w: unknown version", ErrBadPage)
	case b[0] > PageV2:
		return nil, fmt.Errorf("%w of version %d: %w", ErrBadPage, b[0], ErrNewer)
	}
	d, _ := decoders.Get().(*zstd.Decoder)
	defer decoders.Put(d)
	plain, err := d.DecodeAll(b[1:], nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadPage, err)
	}
	if !wanted(plain) {
		return nil, nil
	}
	return parsePage(plain)
}

func parseGrowing(b string) ([]Recipient, error) {
	var recipients []Recipient
	for r := (reader{b: b}); r.b != ""; {
		plain := r.text(maxPagePlain)
		if r.bad || len(recipients) == PageSize {
			return nil, fmt.Errorf("%w: bad length", ErrBadPage)
		}
		one, err := parsePage([]byte(plain))
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, one...)
	}
	return recipients, nil
}

func parsePage(b []byte) ([]Recipient, error) {
	r := reader{b: string(b)}
	n, columns := r.uvarint(), r.uvarint()
	// Each value takes at least a byte, so that the length bounds what a broken
	// header may make us allocate.
	if r.bad || n == 0 || n > PageSize || columns > maxColumns || n*columns > uint64(len(b)) {
		return nil, fmt.Errorf("%w: bad header", ErrBadPage)
	}
	recipients := make([]Recipient, n)
	values := make([]string, n*columns)
	for i := range recipients {
		recipients[i].ID = r.text(maxPagePlain)
	}
	for i := range recipients {
		number := r.uvarint()
		switch {
		case number == 0: // none
		case number < minNumber || number > maxNumber:
			return nil, fmt.Errorf("%w: bad number", ErrBadPage)
		default:
			recipients[i].Phone = "+" + strconv.FormatUint(number, 10)
		}
		recipients[i].Values = values[uint64(i)*columns:][:columns:columns]
	}
	for c := range columns {
		for i := range recipients {
			recipients[i].Values[c] = r.text(maxPagePlain)
		}
	}
	if r.bad || r.b != "" {
		return nil, fmt.Errorf("%w: bad length", ErrBadPage)
	}
	return recipients, nil
}

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// E.164 allows up to 15 digits, and no number is one digit.
const (
	minNumber = 10
	maxNumber = 999_999_999_999_999
)

// PhoneNumber is the number behind the plus sign. No country code begins with
// 0, so nothing is lost.
func PhoneNumber(e164 string) (uint64, error) {
	if len(e164) < 3 || len(e164) > 16 || e164[0] != '+' || e164[1] == '0' {
		return 0, errors.New("a phone number isn't in E.164 form")
	}
	n, err := strconv.ParseUint(e164[1:], 10, 64)
	if err != nil {
		return 0, errors.New("a phone number isn't in E.164 form") // the cause would name the number
	}
	return n, nil
}

// The zstd coders are costly to make and safe to use again, one user at a time.
var (
	encoders = sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(128<<10))
		if err != nil {
			panic(err) // wrong options: a fault of this file
		}
		return e
	}}
	decoders = sync.Pool{New: func() any {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPagePlain))
		if err != nil {
			panic(err)
		}
		return d
	}}
)
