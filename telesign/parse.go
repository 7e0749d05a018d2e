package telesign

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// MaxReceipt bounds a receipt, in bytes; a real one has under 2 KB.
	MaxReceipt = 64 << 10
	// MaxReference bounds a reference, in characters; real ones have 32.
	MaxReference = 128
	// maxLegs bounds the legs of a receipt; Telesign has six channels.
	maxLegs = 64
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
	switch {
	case len(body) > MaxReceipt:
		return Receipt{}, fmt.Errorf("%w: %d bytes", ErrMalformedReceipt, len(body))
	case first(body) != '{' || !json.Valid(body):
		return Receipt{}, fmt.Errorf("%w: no JSON object", ErrMalformedReceipt)
	}
	var r Receipt
	for key, value := range members(body) {
		switch string(key) {
		case "reference_id":
			r.Reference = NormalizeReference(text(value))
		case "external_id":
			r.ExternalID = externalID(value)
		case "status":
			r.Status = parseStatus(value)
		case "channel_status":
			r.Legs = parseLegs(value)
		case "sub_resource":
			r.SubResource = strings.TrimSpace(text(value))
		case "phone_number":
			if r.Reply.Phone == "" { // user_response's is the better one
				r.Reply.Phone = digits(text(value))
			}
		case "user_response": // SMS
			r.parseReply(value)
		case "content": // WhatsApp
			for key, value := range members(value) {
				if string(key) == "end_user_action" {
					r.parseReply(value)
				}
			}
		}
	}
	r.Inbound = r.Status.Code == CodeInbound || r.Reply.Action != "" || strings.HasPrefix(r.SubResource, "mo_")
	if !r.Inbound {
		r.Reply = Reply{}
	}
	return r, nil
}

// parseReply reads the object that holds what a recipient wants.
func (r *Receipt) parseReply(v []byte) {
	for key, value := range members(v) {
		switch string(key) {
		case "action":
			r.Reply.Action = strings.ToUpper(strings.TrimSpace(text(value)))
		case "original_reference_id":
			r.Reply.OriginalReference = NormalizeReference(text(value))
		case "phone_number":
			if phone := digits(text(value)); phone != "" {
				r.Reply.Phone = phone
			}
		}
	}
}

// parseStatus reads the status of a message.
func parseStatus(v []byte) Status {
	var s Status
	for key, value := range members(v) {
		switch string(key) {
		case "code":
			s.Code = codeOf(value)
		case "description":
			s.Description = text(value)
		case "last_channel":
			s.LastChannel = channelName(text(value))
		case "updated_on":
			s.UpdatedOn = text(value)
			s.At = parseTime(s.UpdatedOn)
		}
	}
	return s
}

// parseLegs reads channel_status: a list of objects, or one object.
func parseLegs(v []byte) []Leg {
	if first(v) == '{' {
		return appendLegs(nil, v)
	}
	var legs []Leg
	for item := range elements(v) {
		legs = appendLegs(legs, item)
	}
	return legs
}

// appendLegs reads one object {channel: leg, …}, in its order.
func appendLegs(legs []Leg, v []byte) []Leg {
	for key, value := range members(v) {
		if len(legs) == maxLegs {
			break
		}
		channel := channelName(string(key))
		if channel == "" || first(value) != '{' {
			continue
		}
		legs = append(legs, parseLeg(channel, value))
	}
	return legs
}

// parseLeg reads the status of one channel.
func parseLeg(channel string, v []byte) Leg {
	l := Leg{Channel: channel}
	for key, value := range members(v) {
		switch string(key) {
		case "code":
			l.Code = codeOf(value)
		case "description":
			l.Description = text(value)
		case "reference_id":
			l.Reference = NormalizeReference(text(value))
		case "updated_on":
			l.UpdatedOn = text(value)
			l.At = parseTime(l.UpdatedOn)
		}
	}
	return l
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
func externalID(v []byte) string {
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
	if len(s) > MaxReference || strings.EqualFold(s, "null") {
		return ""
	}
	for i := range len(s) {
		if s[i] <= ' ' || 0x7f <= s[i] {
			return ""
		}
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
