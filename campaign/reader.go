package campaign

import (
	"encoding/binary"
	"time"
)

// reader reads a stored form from its beginning; bad means that it isn't one.
type reader struct {
	b   string
	bad bool
}

// take returns the next n bytes.
func (r *reader) take(n uint64) string {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) byte() byte {
	if c := r.take(1); c != "" {
		return c[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	var v uint64
	for i := range min(len(r.b), binary.MaxVarintLen64) {
		c := r.b[i]
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.b = r.b[i+1:]
			return v
		}
	}
	r.bad = true
	return 0
}

// number reads one of at most limit.
func (r *reader) number(limit uint64) int64 {
	v := r.uvarint()
	r.bad = r.bad || v > limit
	return int64(v)
}

// code reads what appendCode writes.
func (r *reader) code() int { return int(r.number(maxCode)+firstCode) % (maxCode + 1) }

// text reads uvarint(length) and bytes.
func (r *reader) text(limit uint64) string {
	n := r.uvarint()
	r.bad = r.bad || n > limit
	return r.take(n)
}

func (r *reader) claim() uint64 {
	if b := r.take(8); b != "" {
		return binary.BigEndian.Uint64([]byte(b))
	}
	return 0
}

func (r *reader) time(base int64) time.Time {
	v := r.number(1 << 40)
	if v == 0 {
		return time.Time{}
	}
	v--
	d := v>>1 ^ -(v & 1)
	if r.bad || base+d < 1 || base+d > maxSeconds {
		r.bad = true
		return time.Time{}
	}
	return epoch.Add(time.Duration(base+d) * time.Second)
}
