package seen

import "hash/maphash"

// maxNames bounds the memory of a list's recipients: some 20 bytes each. It is more
// than phone numbers that fit.
const maxNames = 16 << 20

// Names is a set of recipients' names, by 64 bits of a hash: with ten million the
// chance that two of them look the same is one in 400,000.
type Names struct {
	seed maphash.Seed
	set  map[uint64]struct{}
}

// NewNames returns an empty set.
func NewNames() *Names { return &Names{maphash.MakeSeed(), map[uint64]struct{}{}} }

// Has reports whether the name is in the set.
func (n *Names) Has(name string) bool {
	_, ok := n.set[maphash.String(n.seed, name)]
	return ok
}

// Add adds a name. ErrFull means that the set is full.
func (n *Names) Add(name string) error {
	if len(n.set) >= maxNames {
		return ErrFull
	}
	n.set[maphash.String(n.seed, name)] = struct{}{}
	return nil
}
