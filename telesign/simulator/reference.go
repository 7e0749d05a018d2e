package simulator

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// references makes reference IDs in the vendor's shape, 32 upper-case
// hexadecimal digits, and finds a message by its reference without an index:
// the second half is the message's number, hidden by the first half.
type references struct{ seed uint64 }

// The numbers of messages leave the upper bits free.
const (
	refusalBit = 1 << 63 // a refusal has a reference, but nothing stands behind it
	replyBit   = 1 << 62 // so has a recipient's own message
	legShift   = 48      // each channel's send has a reference of its own
)

func (r references) of(n uint64) string {
	var raw [16]byte
	hi := scramble(n ^ r.seed)
	binary.BigEndian.PutUint64(raw[:8], hi)
	binary.BigEndian.PutUint64(raw[8:], n^scramble(hi+r.seed))
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}

func (r references) ofLeg(n uint64, leg int) string {
	return r.of(n | uint64(leg+1)<<legShift)
}

// wellFormed says whether the text could be a reference at all.
func wellFormed(ref string) bool {
	return len(ref) == 32 && strings.Trim(ref, "0123456789ABCDEFabcdef") == ""
}

// number finds the message; false when this simulator never gave the reference.
func (r references) number(ref string) (uint64, bool) {
	raw, err := hex.DecodeString(ref)
	if err != nil || len(raw) != 16 {
		return 0, false
	}
	hi := binary.BigEndian.Uint64(raw[:8])
	n := binary.BigEndian.Uint64(raw[8:]) ^ scramble(hi+r.seed)
	return n, scramble(n^r.seed) == hi
}

// scramble is the finalizer of splitmix64: one to one, and well mixed.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
