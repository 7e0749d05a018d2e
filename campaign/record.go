package campaign

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Record is everything that the ledger knows of one recipient beyond the list.
// The zero Record is a planned recipient and is stored as nothing.
type Record struct {
	State   State
	Reason  Reason
	Attempt int // number of the latest attempt, from 1; 0 before the first claim
	Faults  int // times that it was put off, throttling not counted
	// Claim is the claimant's own random number until its answer is known, so
	// that of two workers only one can take the claim for its own.
	Claim uint64
	// Status is the transaction's own status, and the code of a refusal.
	Status Leg
	// Legs are those of the latest attempt, and deliveries of earlier ones;
	// [Spec.Legs] has them in the order of the cascade.
	Legs Legs
	// OtherName is the name of the channel behind Legs[OtherChannel].
	OtherName string
	// Reference is Telesign's name of the latest attempt: 32 upper-case hex
	// digits in every example known, but any text is kept.
	Reference string
	// Times are whole seconds; the zero time is "not yet".
	ClaimedAt time.Time // the latest claim
	SettledAt time.Time // when the state first became final
	DueAt     time.Time // retrying: not before; accepted: when to ask for the outcome
	// PutOffAt is when it was first put off since it was last asked for, until
	// Telesign takes it: from then on its time runs, see [Spec.GiveUp]. Throttling
	// doesn't begin it.
	PutOffAt time.Time
}

// Watched says whether settle has something to look for in the record. Planned
// recipients are watched once they are fed, with their whole page.
func (r *Record) Watched() bool {
	switch r.State {
	case Claimed, Retrying, Accepted:
		return true
	case InDoubt:
		return !r.DueAt.IsZero() // else it is a person's
	}
	return false
}

// The stored form, version 2:
//
//	byte     version << 4 | state
//	byte     flags: 1 reference is 16 packed bytes, 2 reference is text, 4 claim,
//	         8 put off, 16 the first attempt without faults, 32 due
//	byte     reason
//	uvarint  attempt, unless it is flagged as the first
//	uvarint  faults, as that
//	uvarint  claimed: seconds since 2025, 0 for none
//	uvarint  settled: seconds since claimed + 1, zigzag; 0 for none
//	uvarint  due: as settled, if flagged
//	uvarint  first put off: as settled, if flagged
//	byte     rank of the status | number of legs << 4
//	uvarint  code of the status, if its rank isn't 0
//	legs     of the channels whose rank isn't 0, in the order of their indexes:
//	         byte index << 4 | rank, uvarint code, text name of the other channel,
//	         uvarint when it was heard of: as settled
//	8 bytes  claim, if flagged
//	bytes    reference, to the end
//
// A code counts from 3000, so that the common ones take one byte. A record is about 40
// bytes with a packed reference, and at most 64 with four legs, so that Redis keeps a
// page of records as a listpack (values up to 64 bytes).
const (
	recordV2      = 2
	flagPacked    = 1
	flagText      = 2
	flagClaim     = 4
	flagPutOff    = 8
	flagFirst     = 16
	flagDue       = 32
	firstCode     = 3000
	maxOtherName  = 16
	maxReference  = 128
	PackedRefSize = 16
	maxSeconds    = 1 << 32 // 136 years from the epoch, still a time.Duration
)

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// ErrBadRecord means that stored bytes aren't a record.
var ErrBadRecord = errors.New("not a recipient's record")

// Encode is the stored form of the record; nil for the zero Record.
func (r *Record) Encode() []byte {
	if *r == (Record{}) {
		return nil
	}
	b := make([]byte, 3, 64)
	b[0] = recordV2<<4 | byte(r.State)
	b[2] = byte(r.Reason)
	if r.Attempt == 1 && r.Faults == 0 {
		b[1] |= flagFirst
	} else {
		b = binary.AppendUvarint(b, uint64(r.Attempt))
		b = binary.AppendUvarint(b, uint64(r.Faults))
	}
	base := int64(0)
	if !r.ClaimedAt.IsZero() {
		base = sinceEpoch(r.ClaimedAt)
	}
	b = binary.AppendUvarint(b, uint64(base))
	b = appendTime(b, r.SettledAt, base)
	if !r.DueAt.IsZero() {
		b[1] |= flagDue
		b = appendTime(b, r.DueAt, base)
	}
	if !r.PutOffAt.IsZero() {
		b[1] |= flagPutOff
		b = appendTime(b, r.PutOffAt, base)
	}
	b = r.appendLegs(b, base)
	if r.Claim != 0 {
		b[1] |= flagClaim
		b = binary.BigEndian.AppendUint64(b, r.Claim)
	}
	switch packed, ok := PackReference(r.Reference); {
	case r.Reference == "":
	case ok:
		b[1] |= flagPacked
		b = append(b, packed[:]...)
	default:
		b[1] |= flagText
		b = append(b, r.Reference...)
	}
	return b
}

// DecodeRecord reads the stored form; no bytes are the zero Record.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) == 0 {
		return r, nil
	}
	if len(b) < 5 || b[0]>>4 < recordV2 {
		return r, fmt.Errorf("%w: unknown version", ErrBadRecord)
	}
	if version := b[0] >> 4; version > recordV2 {
		return r, fmt.Errorf("%w of version %d: %w", ErrBadRecord, version, ErrNewer)
	}
	flags := b[1]
	r.State, r.Reason = State(b[0]&0xf), Reason(b[2])
	p := reader{b: string(b[3:])}
	if r.Attempt = 1; flags&flagFirst == 0 {
		r.Attempt, r.Faults = int(p.number(1<<20)), int(p.number(1<<20))
	}
	base := p.number(maxSeconds)
	if base > 0 {
		r.ClaimedAt = epoch.Add(time.Duration(base) * time.Second)
	}
	r.SettledAt = p.time(base)
	if flags&flagDue != 0 {
		r.DueAt = p.time(base)
	}
	if flags&flagPutOff != 0 {
		r.PutOffAt = p.time(base)
	}
	flags &^= flagFirst | flagDue | flagPutOff
	r.readLegs(&p, base)
	if flags&flagClaim != 0 {
		r.Claim = p.claim()
		flags &^= flagClaim
	}
	switch {
	case flags == flagPacked && len(p.b) == PackedRefSize:
		r.Reference = strings.ToUpper(hex.EncodeToString([]byte(p.b)))
	case flags == flagText && len(p.b) > 0 && len(p.b) <= maxReference:
		r.Reference = p.b
	case flags != 0 || len(p.b) != 0:
		p.bad = true
	}
	if p.bad || r.State >= stateCount || r.Reason >= reasonCount {
		return Record{}, fmt.Errorf("%w: bad content", ErrBadRecord)
	}
	return r, nil
}

func (r *Record) appendLegs(b []byte, base int64) []byte {
	at := len(b)
	b = append(b, byte(r.Status.Rank))
	if r.Status.Rank != RankNone {
		b = appendCode(b, r.Status.Code)
	}
	for i, l := range r.Legs {
		if l.Rank == RankNone {
			continue
		}
		b[at] += 1 << 4
		b = appendCode(append(b, byte(i)<<4|byte(l.Rank)), l.Code)
		if i == OtherChannel {
			b = appendText(b, r.OtherName)
		}
		b = appendTime(b, l.At, base)
	}
	return b
}

func (r *Record) readLegs(p *reader, base int64) {
	head := p.byte()
	if r.Status.Rank = Rank(head & 0xf); r.Status.Rank != RankNone {
		r.Status.Code = p.code()
	}
	p.bad = p.bad || r.Status.Rank >= rankCount
	last := -1
	for range head >> 4 {
		leg := p.byte()
		i, rank := int(leg>>4), Rank(leg&0xf)
		if p.bad = p.bad || i <= last || i >= legCount || rank == RankNone || rank >= rankCount; p.bad {
			return
		}
		last = i
		l := &r.Legs[i]
		l.Rank, l.Code = rank, p.code()
		if i == OtherChannel {
			r.OtherName = p.text(maxOtherName)
		}
		l.At = p.time(base)
	}
}

// appendCode writes a code of at most maxCode, as its distance from firstCode going up,
// past maxCode to 0.
func appendCode(b []byte, code int) []byte {
	return binary.AppendUvarint(b, uint64(code-firstCode+maxCode+1)%(maxCode+1))
}

// StorableReference is a reference as a record can hold it.
func StorableReference(ref string) string { return ref[:min(len(ref), maxReference)] }

// PackReference turns 32 upper-case hex digits into 16 bytes.
func PackReference(ref string) (packed [PackedRefSize]byte, ok bool) {
	if len(ref) != 2*PackedRefSize || strings.ToUpper(ref) != ref {
		return packed, false
	}
	_, err := hex.Decode(packed[:], []byte(ref))
	return packed, err == nil
}

func sinceEpoch(t time.Time) int64 { return min(max(1, int64(t.Sub(epoch)/time.Second)), maxSeconds) }

func appendTime(b []byte, t time.Time, base int64) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	d := sinceEpoch(t) - base
	return binary.AppendUvarint(b, uint64(d)<<1^uint64(d>>63)+1)
}

// PastAttempt is the attempt whose record is to be kept as it stands before it
// becomes next: when another one is asked for, or is made without having been
// asked for. 0 for none.
func PastAttempt(r, next *Record, why EventKind) int {
	switch {
	case why == EventResend && next.Reason == ReasonResent && r.Reason != ReasonResent,
		next.Attempt > r.Attempt && r.Reason != ReasonResent:
		return r.Attempt
	}
	return 0
}

// Impossible says what in a record no row of events can lead to.
func (r *Record) Impossible() string {
	attempted := r.State == Claimed || r.State == Accepted || r.State == InDoubt ||
		r.State == Delivered || r.State == Failed || r.State == Unconfirmed
	switch {
	case attempted && r.Attempt == 0:
		return "without an attempt"
	case r.Attempt > 0 && r.ClaimedAt.IsZero():
		return "without the time of its claim"
	case r.State.Final() && r.SettledAt.IsZero():
		return "without the time when it was settled"
	case !r.State.Final() && !r.SettledAt.IsZero():
		return "with a time when it was settled"
	case (r.State == Delivered) != r.delivered():
		return "against what its legs say"
	}
	return ""
}
