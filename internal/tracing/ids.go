package tracing

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/handout-dev/handout/campaign"
)

// span names a span, as W3C's Trace Context does. The zero span is none.
type span struct {
	trace   [16]byte
	id      [8]byte
	sampled bool
}

func (s span) zero() bool { return s.trace == [16]byte{} }

// parent is the header and the task's field of W3C's Trace Context.
const parent = "traceparent"

// String is the span as traceparent has it: version 00, and whether it is sampled.
func (s span) String() string {
	flags := "-00"
	if s.sampled {
		flags = "-01"
	}
	return "00-" + hex.EncodeToString(s.trace[:]) + "-" + hex.EncodeToString(s.id[:]) + flags
}

// parseSpan reads a traceparent; the zero span for what isn't one.
// Source: W3C Trace Context, section 3.2.2; later versions may have more behind.
func parseSpan(text string) span {
	const length = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if len(text) < length || text != strings.ToLower(text) || len(text) > length && (text[:2] == "00" || text[length] != '-') || text[:2] == "ff" {
		return span{}
	}
	var s span
	fields := strings.Split(text[:length], "-")
	if len(fields) != 4 || len(fields[0]) != 2 || len(fields[1]) != 32 || len(fields[2]) != 16 {
		return span{}
	}
	_, err1 := hex.Decode(s.trace[:], []byte(fields[1]))
	_, err2 := hex.Decode(s.id[:], []byte(fields[2]))
	flags, err3 := strconv.ParseUint(fields[3], 16, 8)
	if err1 != nil || err2 != nil || err3 != nil || s.id == [8]byte{} {
		return span{}
	}
	s.sampled = flags&1 == 1
	return s
}

func randomSpan() (s span) {
	_, _ = rand.Read(s.trace[:]) // it never fails
	return s.child()
}

// child returns a new span of the same trace.
func (s span) child() span {
	_, _ = rand.Read(s.id[:])
	return s
}

// derived returns the span of the trace with this name in a life of a campaign. The
// same arguments make the same span in every process.
func derived(c campaign.ID, salt, name, what string) span {
	var s span
	trace := sha256.Sum256([]byte("handout trace " + string(c) + "." + salt + "." + name))
	copy(s.trace[:], trace[:])
	return s.named(what)
}

// named returns the span of the same trace with this name.
func (s span) named(what string) span {
	id := sha256.Sum256(append(s.trace[:], what...))
	copy(s.id[:], id[:])
	return s
}

// ofCampaign is the first span of a campaign's trace.
func ofCampaign(info *campaign.Info) span {
	s := derived(info.ID, info.Salt, "", "submit")
	s.sampled = true // each is written
	return s
}

// ofAttempt is the span of an attempt.
func ofAttempt(a campaign.Attempt) span {
	return derived(a.Campaign, a.Salt, a.Place.String(), "send "+strconv.Itoa(a.Number))
}

// within reports whether a trace belongs to the share of all. It goes by the same bits as
// OpenTelemetry's TraceIDRatioBased.
func (s span) within(share float64) bool {
	return float64(binary.BigEndian.Uint64(s.trace[8:])>>1) < share*(1<<63)
}
