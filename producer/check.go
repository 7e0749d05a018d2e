package producer

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"unicode/utf8"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/translate"
	"github.com/handout-dev/handout/telesign"
)

const (
	maxBlockRows = 1 << 14

	// callbackReserve is kept free in every request for a callback URL, which
	// the worker adds and the producer doesn't know, in bytes.
	callbackReserve = 512
)

var errUnknownRange = errors.New("in no range known to us, and unknown_ranges says refuse")

const (
	reasonLongRow       = "a row is longer than 65536 bytes"
	reasonSameRecipient = "recipient: a row above has the same, with another phone number; same_recipient: note in the campaign file sends to both"
)

// rowChecker checks the rows of one block after another. It belongs to one
// goroutine.
type rowChecker struct {
	list    string // its name
	h       *header
	cascade *campaign.Cascade
	book    *phone.Book
	dry     bool // count the SMS
	// onlyKnown refuses numbers of ranges that the data of phone hasn't.
	onlyKnown  bool
	needsPhone bool
	allow      func(e164 string) error // see [SubmitOptions]; nil: every number
	zones      *zoneBook               // nil: zones don't matter
	base       int                     // bytes of a request without its parameters' values, at most

	b         *block
	values    []string // backing of the recipients' values
	checkUTF8 bool
	onValue   func(content int, name, value string) error

	// Of the row at hand.
	at    rowAt
	wrong bool
	bound int // bytes of the request, at most
	parts int
}

// rowAt is where a row stands.
type rowAt struct {
	record string // empty for a row from Go
	line   int
}

func newRowChecker(list string, h *header, cascade *campaign.Cascade, book *phone.Book, dry bool) *rowChecker {
	c := &rowChecker{list: list, h: h, cascade: cascade, book: book, dry: dry, base: baseLength(cascade.Spec)}
	c.onlyKnown, c.needsPhone = cascade.Spec.UnknownRanges == campaign.RangesRefuse, cascade.Spec.NeedsPhone()
	c.onValue = c.value // once: a method value is an allocation
	return c
}

// baseLength is the length of a request whose parameters are all empty.
func baseLength(s *campaign.Spec) int {
	m := telesign.Message{
		PhoneNumber: strings.Repeat("9", phone.MaxDigits),
		Content:     map[string]telesign.Content{},
		MessageType: s.MessageType,
		ExternalID:  strings.Repeat("x", telesign.MaxExternalID),
		CallbackURL: strings.Repeat("x", callbackReserve),

		SenderID: s.SenderID, OriginatingIP: s.OriginatingIP, LifecycleEvent: s.LifecycleEvent,
	}
	if s.NeedsEmail() {
		m.Email = strings.Repeat("x", phone.MaxEmail)
	}
	for _, ch := range s.Channels {
		m.Channels = append(m.Channels, telesign.Channel{Channel: ch.Channel, FallbackTime: ch.FallbackTime})
	}
	for _, ch := range s.Contents() {
		empty := map[string]string{}
		for name := range ch.Parameters {
			empty[name] = ""
		}
		m.Content[ch.Channel] = telesign.Content{Template: ch.Template, Parameters: empty}
	}
	return m.EncodedLen()
}

func (c *rowChecker) begin(b *block, rows int) {
	c.b = b
	c.checkUTF8 = !utf8.ValidString(b.text)
	b.recipients = make([]campaign.Recipient, 0, rows)
	b.numbers = make([]uint64, 0, rows)
	b.lines = make([]int32, 0, rows)
	c.values = make([]string, 0, rows*len(c.h.values))
	if c.dry {
		b.parts = make([]uint8, 0, rows)
	}
	if c.zones != nil {
		b.zones = make([]*zoneSet, 0, rows)
	}
}

// refuse records a row that can't be read. A negative offset has no column.
func (c *rowChecker) refuse(at rowAt, offset int, reason string) {
	c.start(at)
	c.fault(offset, reason)
	c.b.bad++
}

func (c *rowChecker) start(at rowAt) {
	c.at, c.wrong, c.bound, c.parts = at, false, c.base, 0
	c.b.read++
}

func (c *rowChecker) fault(offset int, reason string) {
	c.wrong = true
	if c.at.record == "" {
		offset = -1
	}
	f := Fault{File: c.list, Line: c.at.line, Message: reason}
	if offset >= 0 {
		f.Line, f.Column = position(c.at.record, c.at.line, offset)
	}
	c.b.faults.Add(f)
}

// row checks a row whose cells stand in the order of the header.
func (c *rowChecker) row(at rowAt, cells []cell) {
	c.start(at)
	cells, reason := c.h.fit(cells)
	if reason != "" {
		c.fault(0, reason)
		c.b.bad++
		return
	}
	c.forms(cells)
	r := campaign.Recipient{ID: cells[c.h.recipient].text}
	if strings.TrimSpace(r.ID) == "" {
		c.fault(cells[c.h.recipient].offset, "recipient: empty")
	}
	known, err := c.phone(&r, cells)
	if err != nil {
		c.fault(cells[c.h.phone].offset, "phone: "+err.Error())
	}
	if at := c.h.email; at >= 0 {
		email, err := phone.ParseEmail(cells[at].text)
		if err != nil {
			c.fault(cells[at].offset, "email: "+err.Error())
		}
		cells[at].text = email
	}
	var zones *zoneSet
	if c.zones != nil && err == nil {
		zones = c.zone(cells, r.Phone)
	}
	if !c.wrong {
		r.Values = c.take(cells)
		c.request(&r)
	}
	if c.wrong {
		c.b.bad++
		return
	}
	c.b.recipients = append(c.b.recipients, r)
	c.b.numbers = append(c.b.numbers, c.number(&r))
	if !known {
		c.b.unknown++
	}
	c.b.lines = append(c.b.lines, int32(at.line))
	if c.dry {
		c.b.parts = append(c.b.parts, uint8(c.parts)) // 10 KB are at most 153
	}
	if c.zones != nil {
		c.b.zones = append(c.b.zones, zones)
	}
}

// phone reads a row's number, and reports whether its range is known.
func (c *rowChecker) phone(r *campaign.Recipient, cells []cell) (known bool, err error) {
	if c.h.phone < 0 || !c.needsPhone && strings.TrimSpace(cells[c.h.phone].text) == "" {
		return true, nil
	}
	if r.Phone, known, err = c.book.Normalize(cells[c.h.phone].text); err == nil && !known && c.onlyKnown {
		err = errUnknownRange
	}
	if err == nil && c.allow != nil {
		err = c.allow(r.Phone)
	}
	return known, err
}

// number is what duplicates of a row are found by: the phone number, or where the cascade
// needs none, 63 bits of the e-mail address's hash. Of a million people two are taken for
// one by chance once in ten million lists.
func (c *rowChecker) number(r *campaign.Recipient) uint64 {
	if c.needsPhone {
		return phone.Digits(r.Phone)
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(phone.FoldEmail(c.cascade.Email(r))))
	return h.Sum64() | 1<<63
}

// forms checks each cell's length and encoding.
func (c *rowChecker) forms(cells []cell) {
	if !c.checkUTF8 && len(c.at.record) <= MaxCell && c.at.record != "" {
		return
	}
	for i := range cells {
		switch text := cells[i].text; {
		case len(text) > MaxCell:
			c.fault(cells[i].offset, fmt.Sprintf("%s: longer than %s bytes", c.h.name(i), campaign.Number(MaxCell)))
		case cells[i].broken && c.h.used[i]:
			c.fault(cells[i].offset, c.h.name(i)+": has no value: an error in the workbook, or a formula that wasn't computed")
		case c.checkUTF8 && !utf8.ValidString(text):
			c.fault(cells[i].offset, c.h.name(i)+": not UTF-8")
		}
	}
}

// take copies the further columns into the recipient's values.
func (c *rowChecker) take(cells []cell) []string {
	from := len(c.values)
	for _, i := range c.h.at {
		c.values = append(c.values, cells[i].text)
	}
	return c.values[from:len(c.values):len(c.values)]
}

// request checks what would be sent to the recipient.
func (c *rowChecker) request(r *campaign.Recipient) {
	if err := c.cascade.Each(r, c.onValue); err != nil {
		c.fault(-1, err.Error()) // names channel and parameter, quotes nothing
		return
	}
	if c.bound <= telesign.MaxPayload {
		return
	}
	m, err := translate.Compose(c.cascade, r, strings.Repeat("x", telesign.MaxExternalID), strings.Repeat("x", callbackReserve))
	if err != nil {
		c.fault(-1, err.Error())
	} else if m.EncodedLen() > telesign.MaxPayload {
		c.fault(-1, fmt.Sprintf("the request would be longer than Telesign's %s bytes", campaign.Number(telesign.MaxPayload)))
	}
}

// longestEscape is what JSON may make of one byte: \u0001.
const longestEscape = 6

func (c *rowChecker) value(content int, name, value string) error {
	ch := &c.cascade.Contents[content]
	value = translate.Value(c.cascade.Spec, ch, name, value)
	c.bound += longestEscape * len(value)
	if err := translate.CheckValue(ch, name, value); err != nil {
		c.fault(-1, fmt.Sprintf("channel %s, parameter %s: %v", ch.Channel, name, err))
	}
	if c.dry && name == translate.TextParameter && translate.IsSMSText(c.cascade.Spec, ch) {
		c.parts = translate.SMSParts(value)
	}
	return nil
}

// ErrUnknownRegion means that the default region isn't a country's two letters of
// ISO 3166.
var ErrUnknownRegion = phone.ErrUnknownRegion

// NormalizePhone returns a phone number in E.164 form: a plus sign and digits. The
// number stands in international form (+ or 00 before the calling code) or, with a
// region (a country's two letters of ISO 3166), in national form. The error says
// why in words, without the number; [ErrUnknownRegion] for the region.
func NormalizePhone(number, region string) (string, error) { return phone.Normalize(number, region) }
