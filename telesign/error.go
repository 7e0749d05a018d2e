package telesign

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Class says what a failed call means for the message. The zero Class is
// Unknown, so an unclassified failure is never taken for "not sent".
type Class int

// The classes of a failed call.
const (
	// Unknown: the message may have been sent. It must not be sent again by a
	// machine; the receipt, which echoes the external ID, will tell.
	Unknown Class = iota
	// Refused: Telesign said no, and saying the same again will not help.
	Refused
	// Later: certainly not sent; the same call may be made again.
	Later
)

// String returns the class in lower case, and "Class(7)" for a value that is
// none of the classes.
func (c Class) String() string {
	switch c {
	case Unknown:
		return "unknown"
	case Refused:
		return "refused"
	case Later:
		return "later"
	}
	return "Class(" + strconv.Itoa(int(c)) + ")"
}

// Error is the failure of one call. Every error of a [Client]'s calls is an *Error.
type Error struct {
	// Class says whether the message was sent. After a question, which sends
	// nothing, it is Later (ask again) or Refused (asking is no use).
	Class Class
	// Op is the call: "send", "status", "templates" or "template".
	Op string
	// HTTPStatus is the status of the answer; 0 when there was none.
	HTTPStatus int
	// Code is Telesign's status.code; 0 when the answer had none.
	Code Code
	// Description is Telesign's text, shortened, without the values that it
	// echoes ("Invalid value for parameter phone_number: …").
	Description string
	// RetryAfter is how long Telesign asked to wait; 0 when it did not say.
	RetryAfter time.Duration
	// Account reports that the fault is ours (key, balance, product, address)
	// and that every other call of this sort would meet it too: after a send,
	// hold the campaign; after a status query, stop asking. It may stand beside
	// any Class.
	Account bool
	// Throttled reports that the account's rate was exceeded.
	Throttled bool
	// Written reports that some of the request may have left this machine.
	Written bool
	// Err is the cause; nil when the answer itself was the failure.
	Err error
}

// Error returns one line for a log. It holds no phone number, key, header or
// message: a known code is named by its text without the values, and what a
// cause quotes (net/http quotes the first line of an answer that is no HTTP,
// which may echo anything) is left out.
func (e *Error) Error() string {
	parts := []string{"telesign " + e.Op, e.Class.String()}
	if e.HTTPStatus != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", e.HTTPStatus))
	}
	if e.Code != 0 {
		parts = append(parts, fmt.Sprintf("code %d", e.Code))
	}
	if e.Code.Known() {
		parts = append(parts, e.Code.Text())
	} else if e.Description != "" {
		parts = append(parts, describe(e.Description))
	}
	if e.Err != nil {
		parts = append(parts, cause(e.Err))
	}
	return strings.Join(parts, ": ")
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// cause returns the text of a cause without what it may echo. No separators
// are taken out here: "127.0.0.1:43211" must stay readable.
func cause(err error) string {
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return "malformed HTTP answer" // its text is a line of the answer
	}
	return redact(cut(err.Error(), `"`), digitRun)
}

// maxDescription bounds the vendor's text in an error, in bytes.
const maxDescription = 200

// A phone number may be six digits in a row: the shortest international numbers in
// use have 7, a TCP port has 5. People put up to two separators between its digits.
var (
	digitRun    = regexp.MustCompile(`[0-9]{6,}`)
	phoneNumber = regexp.MustCompile(`[0-9](?:[ .()-]{0,2}[0-9]){5,}`)
)

func redact(s string, number *regexp.Regexp) string { return number.ReplaceAllString(s, "[…]") }

// describe makes the vendor's text fit to be kept in an Error: on one line, cut
// before the first value that it echoes, and without long numbers.
func describe(s string) string {
	s = redact(cut(cut(strings.Map(printable, s), ": "), `"`), phoneNumber)
	if len(s) > maxDescription {
		s = strings.ToValidUTF8(s[:maxDescription], "") + "…"
	}
	return s
}

// cut returns s up to the first mark, with "…" for the rest.
func cut(s, mark string) string {
	if before, _, ok := strings.Cut(s, mark); ok {
		return before + "…"
	}
	return s
}

// printable keeps the vendor's text on one line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
