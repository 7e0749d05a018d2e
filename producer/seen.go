package producer

import "math/bits"

const (
	// seenShards is how many parts the set grows in: while one moves to a larger
	// table only 1/256 of the set stands in memory twice.
	seenShards = 256

	seenFirst = 16 // slots of a shard's first table
)

// seen is a set of phone numbers: open addressing over plain numbers, so that a
// number costs 10 to 16 bytes and the garbage collector has nothing to follow.
type seen struct {
	shards [seenShards]seenShard
	n      int
}

type seenShard struct {
	slots []uint64 // 0 is free: no phone number is 0
	n     int
}

// add reports whether the number wasn't in the set yet.
func (s *seen) add(number uint64) bool {
	h := mix(number)
	if !s.shards[h%seenShards].add(number, h) {
		return false
	}
	s.n++
	return true
}

func (s *seenShard) add(number, h uint64) bool {
	if s.n*5 >= len(s.slots)*4 { // 80 % full
		s.grow()
	}
	if !s.put(number, h) {
		return false
	}
	s.n++
	return true
}

func (s *seenShard) put(number, h uint64) bool {
	for i := slot(h, len(s.slots)); ; {
		switch s.slots[i] {
		case 0:
			s.slots[i] = number
			return true
		case number:
			return false
		}
		if i++; i == len(s.slots) {
			i = 0
		}
	}
}

// grow makes the table half as large again rather than double: what matters
// here is memory, and growing is a small part of the work.
func (s *seenShard) grow() {
	old := s.slots
	s.slots = make([]uint64, max(seenFirst, len(old)+len(old)/2))
	for _, number := range old {
		if number != 0 {
			s.put(number, mix(number))
		}
	}
}

// slot spreads the hash over any number of slots without a division. It uses
// the hash's high bits; the shard was chosen by the low ones.
func slot(h uint64, slots int) int {
	hi, _ := bits.Mul64(h, uint64(slots))
	return int(hi)
}

// mix is the finalizer of splitmix64. Lists are often runs of numbers, which
// would cluster without it.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
