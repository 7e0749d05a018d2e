package telesign

import (
	"strconv"
	"time"
)

// Encode returns the receipt as Telesign writes it, with a null external_id
// when ExternalID is empty, and UpdatedOn made from At when it is empty.
// Inbound and Reply are not written. [ParseReceipt] reads it back.
func (r Receipt) Encode() ([]byte, error) {
	b := append(make([]byte, 0, 768), `{"reference_id":`...)
	b = appendString(b, r.Reference)
	b = append(b, `,"external_id":`...)
	if r.ExternalID == "" {
		b = append(b, `null`...)
	} else {
		b = appendString(b, r.ExternalID)
	}
	b = append(b, `,"status":{"code":`...)
	b = strconv.AppendInt(b, int64(r.Status.Code), 10)
	b = append(b, `,"description":`...)
	b = appendString(b, r.Status.Description)
	b = appendField(b, `,"last_channel":`, r.Status.LastChannel)
	b = appendTime(b, r.Status.UpdatedOn, r.Status.At)
	b = append(b, `},"channel_status":[`...)
	for i, l := range r.Legs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = appendString(b, l.Channel)
		b = append(b, `:{"code":`...)
		b = strconv.AppendInt(b, int64(l.Code), 10)
		b = append(b, `,"description":`...)
		b = appendString(b, l.Description)
		b = appendField(b, `,"reference_id":`, l.Reference)
		b = appendTime(b, l.UpdatedOn, l.At)
		b = append(b, "}}"...)
	}
	b = append(b, ']')
	b = appendField(b, `,"sub_resource":`, r.SubResource)
	return append(b, '}'), nil
}

// appendTime writes updated_on behind b, raw if there is a raw one.
func appendTime(b []byte, raw string, at time.Time) []byte {
	if raw == "" && !at.IsZero() {
		raw = at.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	return appendField(b, `,"updated_on":`, raw)
}
