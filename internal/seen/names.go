package seen

import (
	"hash/maphash"
	"math/bits"
)

// maxNames bounds a set of names: its table then takes at most 138 MB, and two thirds
// of that more while it grows.
const maxNames = 12 << 20

// Names is a set of names, by 64 bits of a hash: with ten million the chance that two
// of them look the same is one in 400,000.
type Names struct {
	seed  maphash.Seed
	table []uint64 // at most three quarters full, by linear probing; 0: free
	n     int
}

// NewNames returns an empty set.
func NewNames() *Names { return &Names{seed: maphash.MakeSeed(), table: make([]uint64, 1<<10)} }

// Has reports whether the name is in the set.
func (s *Names) Has(name string) bool {
	h := s.hash(name)
	return s.table[s.find(h)] == h
}

// Add adds a name. ErrFull means that the set is full.
func (s *Names) Add(name string) error {
	h := s.hash(name)
	at := s.find(h)
	if s.table[at] == h {
		return nil
	}
	if s.n >= maxNames {
		return ErrFull
	}
	s.table[at] = h
	if s.n++; 4*s.n > 3*len(s.table) {
		s.grow()
	}
	return nil
}

func (s *Names) hash(name string) uint64 { return max(1, maphash.String(s.seed, name)) }

// find returns where a hash stands, or would stand.
func (s *Names) find(h uint64) int {
	begin, _ := bits.Mul64(h, uint64(len(s.table))) // h's part of all hashes, of the table
	at := int(begin)
	for s.table[at] != 0 && s.table[at] != h {
		if at++; at == len(s.table) {
			at = 0
		}
	}
	return at
}

func (s *Names) grow() {
	old := s.table
	s.table = make([]uint64, len(old)+len(old)/2) // not twice: a million take 12 MB, and not 16
	for _, h := range old {
		if h != 0 {
			s.table[s.find(h)] = h
		}
	}
}
