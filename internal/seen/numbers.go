// Package seen has the sets by which a list's rows are found that stand in it twice:
// phone numbers, compressed, and names.
package seen

import (
	"errors"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

const (
	// MaxBytes bounds the memory of a list's phone numbers. Ten million take
	// 30 MB when they are random numbers of the US and Canada, 57 MB when they are
	// from the 20 most populous numbering plans. Numbers scattered over all of 10
	// to 15 digits stand alone in their block of 65,536: some three million fit.
	MaxBytes = 256 << 20

	// A number takes 2 bytes, up to 4 while its block's array grows, and a block
	// with a number in it up to 80 bytes, most of it Go's slices and pointers
	// (65 to 80 as measured over a million to ten million scattered numbers).
	seenNumberBytes = 4
	seenBlockBytes  = 80
)

// ErrFull means that no more fits into a set.
var ErrFull = errors.New("too many phone numbers to find duplicates among: split the list into several campaigns")

// Numbers is a set of phone numbers. It is exact.
type Numbers struct {
	numbers roaring64.Bitmap
	max     int // bytes
	room    int // numbers that fit for certain
}

// NewNumbers returns an empty set that takes at most max bytes.
func NewNumbers(max int) *Numbers { return &Numbers{max: max} }

// Has reports whether the number is in the set.
func (s *Numbers) Has(number uint64) bool { return s.numbers.Contains(number) }

// Add reports whether the number is new. ErrFull means that the set is full.
func (s *Numbers) Add(number uint64) (bool, error) {
	if !s.numbers.CheckedAdd(number) {
		return false, nil
	}
	if s.room--; s.room > 0 {
		return true, nil
	}
	return true, s.measure()
}

// measure finds out how many more numbers fit even if each begins a block. It
// walks over all blocks, so a set that has less than 1/16 of its bytes left is
// full: it measures at most 60 times.
func (s *Numbers) measure() error {
	stats := s.numbers.Stats()
	left := s.max - int(stats.Cardinality)*seenNumberBytes - int(stats.Containers)*seenBlockBytes
	if left < s.max/16 {
		return ErrFull
	}
	s.room = left / (seenNumberBytes + seenBlockBytes)
	return nil
}
