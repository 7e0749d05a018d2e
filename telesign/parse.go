package telesign

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	// MaxReceipt bounds a receipt, in bytes; a real one has under 2 KB.
	MaxReceipt = 64 << 10
	// MaxReference bounds a reference, in characters; real ones have 32.
	MaxReference = 128
	// maxLegs bounds the legs of a receipt; Telesign has six channels.
	maxLegs = 64
	// maxUser bounds the text that stands in the place of a phone number, in bytes.
	maxUser = 128
	// maxChannelName bounds the name of a leg's channel, in bytes.
	maxChannelName = 64
)

// ErrMalformedReceipt reports a receipt that is no JSON object, or is larger
// than [MaxReceipt].
var ErrMalformedReceipt = errors.New("telesign: malformed receipt")

// ParseReceipt reads the body of a callback or of a status query. It takes
// whatever it can read and leaves the rest empty; only a body that is no JSON
// object at all, or too large, is an error ([ErrMalformedReceipt]).
//
// Telesign's own examples differ from its schemas: channel_status is a list of
// objects with one channel each (an object with several is taken too), codes
// are numbers (also taken as strings), external_id is null or "null", errors
// is [] or {}, and updated_on comes in five formats, one with a month 31.
func ParseReceipt(body []byte) (Receipt, error) {
	if len(body) > MaxReceipt {
		return Receipt{}, fmt.Errorf("%w: %d bytes", ErrMalformedReceipt, len(body))
	}
	o, ok := object(body)
	if !ok {
		return Receipt{}, fmt.Errorf("%w: no JSON object", ErrMalformedReceipt)
	}
	status := o.Get("status")
	r := Receipt{
		Reference:  NormalizeReference(text(o.Get("reference_id"))),
		ExternalID: externalID(o.Get("external_id")),
		Status: Status{
			Code: codeOf(status.Get("code")), LastChannel: channelName(text(status.Get("last_channel"))),
			At: parseTime(text(status.Get("updated_on"))),
		},
		Legs: parseLegs(o.Get("channel_status")),
	}
	if c := r.Status.Code; CodeTemplateCreated <= c && c <= CodeTemplateKept {
		r.Template = templateName(o)
	}
	reply := o.Get("user_response") // SMS
	if !reply.IsObject() {
		reply = o.Get("content.end_user_action") // WhatsApp
	}
	action := strings.ToUpper(strings.TrimSpace(text(reply.Get("action"))))
	product := strings.TrimSpace(text(o.Get("sub_resource")))
	if r.Inbound = r.Status.Code == CodeInbound || action != "" || strings.HasPrefix(product, "mo_"); r.Inbound {
		r.Reply = Reply{
			Action: action, OriginalReference: NormalizeReference(text(reply.Get("original_reference_id"))), At: r.Status.At,
		}
		if r.Reply.Phone, r.Reply.User = sender(text(reply.Get("phone_number"))); r.Reply.Phone == "" && r.Reply.User == "" {
			r.Reply.Phone, r.Reply.User = sender(text(o.Get("phone_number")))
		}
		if r.Reply.At.IsZero() {
			r.Reply.At = parseTime(text(o.Get("submit_timestamp")))
		}
	}
	return r, nil
}

// sender returns the digits of a phone number, or a text that stands in its place.
// A text with letters in it has no number: the digits of a WhatsApp user ID, as in
// US.13491208655302741918, may be those of another person's number.
func sender(s string) (phone, user string) {
	s = strings.TrimSpace(s)
	if strings.ContainsFunc(s, unicode.IsLetter) {
		if len(s) > maxUser || strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) || strings.EqualFold(s, "null") {
			s = ""
		}
		return "", s
	}
	return digits(s), ""
}

// parseLegs reads channel_status, a list of objects or one object {channel: leg, …},
// in its order. Any other value has no legs.
func parseLegs(v gjson.Result) []Leg {
	var legs []Leg
	read := func(_, item gjson.Result) bool {
		if !item.IsObject() {
			return true
		}
		item.ForEach(func(key, leg gjson.Result) bool {
			if channel := channelName(key.Str); channel != "" && leg.IsObject() {
				legs = append(legs, Leg{Channel: channel, Code: codeOf(leg.Get("code"))})
			}
			return len(legs) < maxLegs
		})
		return len(legs) < maxLegs
	}
	if v.IsArray() {
		v.ForEach(read)
	} else {
		read(gjson.Result{}, v)
	}
	return legs
}

// object reads a JSON object; false is any other value, or no JSON. What is asked
// of it later is read in place: a receipt is some forty members, of which ten count.
func object(body []byte) (gjson.Result, bool) {
	if !gjson.ValidBytes(body) {
		return gjson.Result{}, false
	}
	o := gjson.ParseBytes(body)
	return o, o.IsObject()
}

// text returns a string's content, a number as it is written, and "" for all
// other values.
func text(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return strings.ToValidUTF8(v.Str, "\uFFFD")
	case gjson.Number:
		return v.Raw
	}
	return ""
}

// codeOf returns a code, written as a number or as a string; 0 for all else.
func codeOf(v gjson.Result) Code {
	n, _ := integer(text(v))
	return Code(n)
}

// integer reads a whole number of at most 32 bits, also as "3000.0" or "3e3".
func integer(s string) (int, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > math.MaxInt32 {
		return 0, false
	}
	return int(f), true
}

// channelName returns the name of a channel as this package writes it, and ""
// for what can be none.
func channelName(s string) string {
	s = strings.ToLower(strings.TrimSpace(strings.ToValidUTF8(s, "")))
	if len(s) > maxChannelName {
		return ""
	}
	return s
}

// externalID reads external_id. Telesign's example has "null" in quotes where
// its schema says null. What is longer than MaxExternalID is not ours.
func externalID(v gjson.Result) string {
	s := text(v)
	if strings.EqualFold(s, "null") || len(s) > MaxExternalID {
		return ""
	}
	return s
}

// digits keeps the digits of s, at most 32 of them.
func digits(s string) string {
	n := 0
	return strings.Map(func(r rune) rune {
		if r < '0' || '9' < r || n == 32 {
			return -1
		}
		n++
		return r
	}, s)
}

// NormalizeReference returns the one spelling of a reference under which it is
// kept and looked up: trimmed, in upper case, as in all of Telesign's examples.
// It returns "" for what cannot be a reference: "null", more than
// [MaxReference] characters, or other than visible ASCII.
func NormalizeReference(s string) string {
	s = strings.TrimSpace(s)
	invisible := func(r rune) bool { return r <= ' ' || 0x7f <= r }
	if len(s) > MaxReference || strings.EqualFold(s, "null") || strings.ContainsFunc(s, invisible) {
		return ""
	}
	return strings.ToUpper(s)
}

// parseTime reads the timestamps that Telesign's pages show; the zero time for
// all others. Those without a zone are taken as UTC, which no page says.
//
//	2024-11-12T13:08:37.000000Z
//	2020-05-04 22:05:00.325
//	2020-05-04 22:07:01:226
//	Thu, 23 Jun 2022 19:03:44 GMT
//	2022-31-03T14:51:28.709526Z      (month 31: not guessed at)
func parseTime(s string) time.Time {
	s = strings.TrimSpace(s)
	if len(s) > 64 { // no timestamp
		return time.Time{}
	}
	if len(s) < 19 || s[4] != '-' {
		t, err := time.Parse(http.TimeFormat, s)
		if err != nil {
			return time.Time{}
		}
		return t
	}
	if s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	if len(s) > 19 && s[19] == ':' {
		s = s[:19] + "." + s[20:]
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC()
	}
	t, err := time.Parse("2006-01-02T15:04:05", s) // takes fractions too
	if err != nil {
		return time.Time{}
	}
	return t
}
