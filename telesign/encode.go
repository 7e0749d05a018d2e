package telesign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Encode returns the request body, the same bytes for the same Message. It
// checks only the size, with [ErrTooLarge]: everything else is Telesign's to
// judge, in its own codes.
func (m Message) Encode() ([]byte, error) {
	// 1 KB holds a file and its text on two channels without growing.
	b := m.append(make([]byte, 0, 1024))
	if len(b) > MaxPayload {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

// EncodedLen returns the length of the request body in bytes, to be compared
// with [MaxPayload] before anything is sent.
func (m Message) EncodedLen() int {
	var b [2048]byte // stays on the stack; longer messages grow out of it
	return len(m.append(b[:0]))
}

// append writes the request body behind b. Written by hand because every send
// passes here: encoding/json sorts and boxes its way through both maps. The
// tests hold it to what encoding/json would say.
func (m Message) append(b []byte) []byte {
	b = append(b, `{"channels":[`...)
	for i, c := range m.Channels {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"channel":`...)
		b = appendString(b, c.Channel)
		if c.FallbackTime != 0 {
			b = append(b, `,"fallback_time":`...)
			b = strconv.AppendInt(b, int64(c.FallbackTime), 10)
		}
		b = append(b, '}')
	}
	b = append(b, `],"recipient":{`...)
	b = appendField(b, `"phone_number":`, m.PhoneNumber)
	if m.PhoneNumber != "" {
		b = appendField(b, `,"email":`, m.Email)
	} else {
		b = appendField(b, `"email":`, m.Email)
	}
	b = append(b, `},"message":{`...)
	var names [8]string // more channels than Telesign has
	for i, name := range sortedKeys(names[:0], m.Content) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = append(b, ':')
		b = m.Content[name].append(b)
	}
	b = append(b, `},"message_type":`...)
	b = appendString(b, m.MessageType)
	b = appendField(b, `,"external_id":`, m.ExternalID)
	b = appendField(b, `,"callback_url":`, m.CallbackURL)
	b = appendField(b, `,"sender_id":`, m.SenderID)
	b = appendField(b, `,"originating_ip":`, m.OriginatingIP)
	b = appendField(b, `,"account_lifecycle_event":`, m.LifecycleEvent)
	return append(b, '}')
}

// append writes one channel's template and parameters behind b.
func (c Content) append(b []byte) []byte {
	b = append(b, `{"template":`...)
	b = appendString(b, c.Template)
	if len(c.Parameters) > 0 {
		b = append(b, `,"parameters":{`...)
		var names [16]string
		for i, name := range sortedKeys(names[:0], c.Parameters) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, name)
			b = append(b, ':')
			b = appendString(b, c.Parameters[name])
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

// sortedKeys returns the keys of m in ascending order, in buf when they fit.
func sortedKeys[V any](buf []string, m map[string]V) []string {
	for k := range m {
		buf = append(buf, k)
	}
	slices.Sort(buf)
	return buf
}

// appendField writes name and value behind b, or nothing for an empty value.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, name...), value)
}

// appendString writes s behind b as a JSON string, as encoding/json does with
// SetEscapeHTML(false): '&', '<' and '>' stay, since URLs are full of them and
// every escape would cost five bytes of the 10 KB. Nearly all strings need no
// escape; encoding/json writes the others.
func appendString(b []byte, s string) []byte {
	if strings.IndexFunc(s, escaped) < 0 {
		return append(append(append(b, '"'), s...), '"')
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be written
	return append(b, bytes.TrimSpace(text.Bytes())...)
}

// escaped reports whether a character of a JSON string may need an escape. What is
// not UTF-8 reads as utf8.RuneError.
func escaped(r rune) bool {
	return r < ' ' || r == '"' || r == '\\' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}
