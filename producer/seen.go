package producer

import (
	"errors"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
)

const (
	// maxSeenBytes bounds the memory of a list's phone numbers. Ten million take
	// 30 MB when they are random numbers of the US and Canada, 57 MB when they are
	// from the 20 most populous numbering plans. Numbers scattered over all of 10
	// to 15 digits stand alone in their block of 65,536: some three million fit.
	maxSeenBytes = 256 << 20

	// A number takes 2 bytes, up to 4 while its block's array grows, and a block
	// with a number in it up to 80 bytes, most of it Go's slices and pointers
	// (65 to 80 as measured over a million to ten million scattered numbers).
	seenNumberBytes = 4
	seenBlockBytes  = 80
)

var errTooManyNumbers = errors.New("too many phone numbers to find duplicates among: split the list into several campaigns")

// seen is a set of phone numbers that takes at most max bytes. It is exact.
type seen struct {
	numbers roaring64.Bitmap
	max     int
	room    int // numbers that fit for certain
}

// add reports whether the number is new. errTooManyNumbers means that the set is
// full.
func (s *seen) add(number uint64) (bool, error) {
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
func (s *seen) measure() error {
	stats := s.numbers.Stats()
	left := s.max - int(stats.Cardinality)*seenNumberBytes - int(stats.Containers)*seenBlockBytes
	if left < s.max/16 {
		return errTooManyNumbers
	}
	s.room = left / (seenNumberBytes + seenBlockBytes)
	return nil
}
