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
	// The legs of the latest attempt, and deliveries of earlier ones.
	WhatsApp, SMS, Other Leg
	// OtherChannel is the name of the channel behind Other.
	OtherChannel string
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

// DeliveredBy is the set of channels that delivered.
func (r *Record) DeliveredBy() DeliveredBy {
	w, s := r.WhatsApp.Rank >= RankDelivered, r.SMS.Rank >= RankDelivered
	switch {
	case w && s:
		return ByBoth
	case w:
		return ByWhatsApp
	case s:
		return BySMS
	case r.State == Delivered:
		return ByOther
	}
	return ByNone
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

// Read says whether a channel reported that the message was read.
func (r *Record) Read() bool {
	return r.WhatsApp.Rank == RankRead || r.SMS.Rank == RankRead || r.Other.Rank == RankRead || r.Status.Rank == RankRead
}

// The stored form, version 1:
//
//	byte     version << 4 | state
//	byte     flags: 1 reference is 16 packed bytes, 2 reference is text, 4 claim,
//	         8 put off, 16 times of channels
//	byte     reason
//	uvarint  attempt
//	uvarint  faults
//	byte     rank of status | rank of whatsapp << 4
//	byte     rank of sms | rank of other << 4
//	varint   code of each leg whose rank isn't 0, in that order
//	text     other channel, if its rank isn't 0
//	uvarint  claimed: seconds since 2025, 0 for none
//	uvarint  settled: seconds since claimed + 1, zigzag; 0 for none
//	uvarint  due: as settled
//	uvarint  first put off: as settled, if flagged
//	uvarint  when a channel was heard of: as settled, if flagged, for each of the
//	         three whose rank isn't 0
//	8 bytes  claim, if flagged
//	bytes    reference, to the end
//
// It is about 40 bytes with a packed reference, so that Redis keeps a page of
// records as a listpack (values up to 64 bytes).
const (
	recordV1      = 1
	flagPacked    = 1
	flagText      = 2
	flagClaim     = 4
	flagPutOff    = 8
	flagLegTimes  = 16
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
	b := make([]byte, 3, 48)
	b[0] = recordV1<<4 | byte(r.State)
	b[2] = byte(r.Reason)
	b = binary.AppendUvarint(b, uint64(r.Attempt))
	b = binary.AppendUvarint(b, uint64(r.Faults))
	b = append(b, byte(r.Status.Rank)|byte(r.WhatsApp.Rank)<<4, byte(r.SMS.Rank)|byte(r.Other.Rank)<<4)
	for _, l := range [...]Leg{r.Status, r.WhatsApp, r.SMS, r.Other} {
		if l.Rank != RankNone {
			b = binary.AppendVarint(b, int64(l.Code))
		}
	}
	if r.Other.Rank != RankNone {
		b = appendText(b, r.OtherChannel)
	}
	base := int64(0)
	if !r.ClaimedAt.IsZero() {
		base = sinceEpoch(r.ClaimedAt)
	}
	b = binary.AppendUvarint(b, uint64(base))
	b = appendTime(b, r.SettledAt, base)
	b = appendTime(b, r.DueAt, base)
	if !r.PutOffAt.IsZero() {
		b[1] |= flagPutOff
		b = appendTime(b, r.PutOffAt, base)
	}
	if !r.WhatsApp.At.IsZero() || !r.SMS.At.IsZero() || !r.Other.At.IsZero() {
		b[1] |= flagLegTimes
		for _, l := range [...]Leg{r.WhatsApp, r.SMS, r.Other} {
			if l.Rank != RankNone {
				b = appendTime(b, l.At, base)
			}
		}
	}
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
	if len(b) < 7 || b[0]>>4 != recordV1 {
		return r, fmt.Errorf("%w: unknown version", ErrBadRecord)
	}
	flags := b[1]
	r.State, r.Reason = State(b[0]&0xf), Reason(b[2])
	p := reader{b: string(b[3:])}
	r.Attempt, r.Faults = int(p.number(1<<20)), int(p.number(1<<20))
	ranks := [...]byte{p.byte(), p.byte()}
	legs := [...]*Leg{&r.Status, &r.WhatsApp, &r.SMS, &r.Other}
	for i, l := range legs {
		if l.Rank = Rank(ranks[i/2] >> (4 * (i % 2)) & 0xf); l.Rank != RankNone {
			l.Code = p.code()
		}
		p.bad = p.bad || l.Rank >= rankCount
	}
	if r.Other.Rank != RankNone {
		r.OtherChannel = p.text(maxOtherName)
	}
	base := p.number(maxSeconds)
	if base > 0 {
		r.ClaimedAt = epoch.Add(time.Duration(base) * time.Second)
	}
	r.SettledAt, r.DueAt = p.time(base), p.time(base)
	if flags&flagPutOff != 0 {
		r.PutOffAt = p.time(base)
		flags &^= flagPutOff
	}
	if flags&flagLegTimes != 0 {
		for _, l := range legs[1:] {
			if l.Rank != RankNone {
				l.At = p.time(base)
			}
		}
		flags &^= flagLegTimes
	}
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
