package producer

import (
	"iter"
	"math/bits"
	"slices"
)

const (
	// seenShards is how many parts the set grows in: while one moves to a larger
	// table only 1/256 of the set stands in memory twice.
	seenShards = 256

	seenFirst = 16 // slots of a shard's first table

	// seenMost is how many numbers stand in memory before they move to a file:
	// they take 21 MB.
	seenMost = 2_000_000
)

// seen is a set of phone numbers: open addressing over plain numbers, so that a
// number costs 10 to 16 bytes and the garbage collector has nothing to follow.
// What is more than fits moves to a file, and costs 1.3 bytes.
//
// A number stands as its mix, of which it has one of its own. Shards and slots
// are in the order of mixes.
type seen struct {
	shards [seenShards]seenShard
	n      int // in the shards
	most   int // in the shards
	file   seenFile
}

type seenShard struct {
	slots []uint64 // 0 is free: no phone number is 0, and nothing else mixes to it
	n     int
}

// add reports whether the number wasn't in the set yet. After an error, a
// [*seenError], the set is of no use anymore.
func (s *seen) add(number uint64) (bool, error) {
	key := mix(number)
	if !s.shards[key>>56].add(key) {
		return false, nil
	}
	// One that stands in the file only is in both now: it's found sooner when it
	// comes again.
	s.n++
	found, err := s.file.has(key)
	if err == nil && s.n > s.most {
		err = s.file.add(s.n, s.drain())
		s.n = 0
	}
	return !found, err
}

// close lets go of the file.
func (s *seen) close() { s.file.close() }

// drain gives all mixes in their order, one shard after another, and empties the
// set. The slices are valid until the next one.
func (s *seen) drain() iter.Seq[[]uint64] {
	return func(yield func([]uint64) bool) {
		for i := range s.shards {
			shard := &s.shards[i]
			keys := slices.DeleteFunc(shard.slots, func(key uint64) bool { return key == 0 })
			slices.Sort(keys)
			if !yield(keys) {
				return
			}
			clear(keys) // the rest is clear
			shard.n = 0
		}
	}
}

func (s *seenShard) add(key uint64) bool {
	if s.n*5 >= len(s.slots)*4 { // 80 % full
		s.grow()
	}
	if !s.put(key) {
		return false
	}
	s.n++
	return true
}

func (s *seenShard) put(key uint64) bool {
	for i := slot(key, len(s.slots)); ; {
		switch s.slots[i] {
		case 0:
			s.slots[i] = key
			return true
		case key:
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
	for _, key := range old {
		if key != 0 {
			s.put(key)
		}
	}
}

// slot spreads mixes over any number of slots without a division. The first
// eight bits chose the shard.
func slot(key uint64, slots int) int {
	hi, _ := bits.Mul64(key<<8, uint64(slots))
	return int(hi)
}

// mix is the finalizer of splitmix64, one to one. Lists are often runs of
// numbers, which would cluster without it.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
