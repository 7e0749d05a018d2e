package producer

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sort"
)

const (
	// seenBlock is how many mixes are read at once: 4 KB.
	seenBlock = 512

	seenKey = 8 // bytes of a mix in the file

	// filterBits for each mix let one in a hundred through that isn't there.
	filterBits = 10
)

// seenRun is what memory knows of a run of mixes in the file, where they stand
// in their order.
type seenRun struct {
	at     int64    // of its first byte in the file
	n      int      // mixes
	firsts []uint64 // of each block
	filter seenFilter
}

// newSeenRun is a run of n mixes, which are still to be added.
func newSeenRun(at int64, n int) *seenRun {
	return &seenRun{at: at, firsts: make([]uint64, 0, (n+seenBlock-1)/seenBlock), filter: newSeenFilter(n)}
}

// add appends mixes to the run, and their bytes to b.
func (r *seenRun) add(b []byte, keys []uint64) []byte {
	for _, key := range keys {
		if r.n%seenBlock == 0 {
			r.firsts = append(r.firsts, key)
		}
		r.n++
		r.filter.add(key)
		b = binary.LittleEndian.AppendUint64(b, key)
	}
	return b
}

// block is where in the file the mix stands, if it stands in this run. A length
// of 0 means that it doesn't.
func (r *seenRun) block(key uint64) (at int64, length int) {
	if !r.filter.may(key) {
		return 0, 0
	}
	i, found := slices.BinarySearch(r.firsts, key)
	if !found {
		i-- // in the block before the first one that begins after it
	}
	if i < 0 {
		return 0, 0
	}
	return r.at + int64(i)*seenBlock*seenKey, min(seenBlock, r.n-i*seenBlock) * seenKey
}

// inBlock looks for a mix in a block as it stands in the file.
func inBlock(block []byte, key uint64) bool {
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(block[i*seenKey:]) }
	n := len(block) / seenKey
	i := sort.Search(n, func(i int) bool { return at(i) >= key })
	return i < n && at(i) == key
}

// seenFilter is a split block Bloom filter, as Parquet's: a mix has one bit in
// each word of one block, so that asking touches a single line of the cache.
type seenFilter [][8]uint32

// filterSalts are Parquet's: odd numbers that choose eight bits by one half of a
// mix. The other half chooses the block.
var filterSalts = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

func newSeenFilter(n int) seenFilter { return make(seenFilter, n*filterBits/256+1) }

func (f seenFilter) at(key uint64) *[8]uint32 {
	i, _ := bits.Mul64(key, uint64(len(f)))
	return &f[i]
}

func (f seenFilter) add(key uint64) {
	words := f.at(key)
	for i, salt := range filterSalts {
		words[i] |= 1 << (uint32(key) * salt >> 27)
	}
}

// may reports whether a mix may have been added; false is certain.
func (f seenFilter) may(key uint64) bool {
	words := f.at(key)
	for i, salt := range filterSalts {
		if words[i]&(1<<(uint32(key)*salt>>27)) == 0 {
			return false
		}
	}
	return true
}
