package suppression

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/handout-dev/handout/campaign"
)

// Why says why a number is on the suppression list, or why it was taken off.
type Why uint8

// The whys. Their numbers are part of the stored form.
const (
	WhyHand        Why = iota // a person put it there
	WhyStop                   // the recipient wrote STOP
	WhyBlocked                // code 3046: the recipient has blocked us
	WhyBlocklist              // code 3052: Telesign keeps it blocked, at our request
	WhyDeactivated            // the carrier has taken the number back: its next owner isn't the recipient
	WhyStart                  // taken off: the recipient wrote START
	WhyRemoved                // taken off by a person
	whyUnknown                // its stored entry can't be read; never stored
)

var whyNames = [...]string{
	"by hand", "stop", "blocked (3046)", "blocklist (3052)", "deactivated", "start", "removed by hand",
	"unknown (its entry can't be read)",
}

// Removes reports whether it takes a number off the list.
func (w Why) Removes() bool { return w == WhyStart || w == WhyRemoved }

// parseReason reads what [Entry.Reason] writes of an entry that puts a number on the
// list.
func parseReason(s string) (why Why, note string, ok bool) {
	name, note, _ := strings.Cut(s, ": ")
	i := slices.Index(whyNames[:], name)
	return Why(i), note, i >= 0 && Why(i) < whyUnknown && !Why(i).Removes()
}

// String is the why in a few words.
func (w Why) String() string {
	if int(w) < len(whyNames) {
		return whyNames[w]
	}
	return fmt.Sprintf("Why(%d)", w)
}

// Entry is one word on a number: when and why it was put on the suppression list, or
// taken off. The number itself isn't in it.
type Entry struct {
	At       time.Time // when it was said, in whole seconds
	Why      Why
	Campaign campaign.ID // whose message the recipient answered, or Telesign refused; empty when unknown
	By       string      // by hand: who did it, at most maxBy bytes
	Note     string      // by hand: what for, at most maxNote bytes
}

// Limits of what people write on the list, in bytes.
const (
	maxBy   = 64
	maxNote = 200
)

// Errors of an entry.
var (
	// ErrBadEntry means that stored bytes aren't an entry of the list.
	ErrBadEntry = errors.New("not an entry of the suppression list")
	// ErrBadBy means that By can't be stored.
	ErrBadBy = fmt.Errorf("the name must be one line of at most %d bytes", maxBy)

	errBadNote = fmt.Errorf("the reason must be one line of at most %d bytes", maxNote)
)

// Reason is the why with the note, if there is one.
func (s *Entry) Reason() string {
	if s.Note == "" {
		return s.Why.String()
	}
	return s.Why.String() + ": " + s.Note
}

// String is the reason, with the campaign or the person behind it.
func (s *Entry) String() string {
	text := s.Reason()
	if s.Campaign != "" {
		text += ", campaign " + string(s.Campaign)
	}
	if s.By != "" {
		text += ", by " + s.By
	}
	return text
}

// Check returns what is wrong with the entry, and nil if it can be stored.
func (s *Entry) Check() error {
	switch {
	case s.Why >= whyUnknown:
		return errors.New("unknown why")
	case len(s.By) > maxBy || !plain(s.By):
		return ErrBadBy
	case len(s.Note) > maxNote || !plain(s.Note):
		return errBadNote
	case s.Campaign != "":
		if _, err := campaign.ParseID(string(s.Campaign)); err != nil {
			return errors.New("not a campaign's ID")
		}
	}
	return nil
}

// check is [Entry.Check], for a word that does, or doesn't, take a number off the list.
func (s *Entry) check(removes bool) error {
	if s.Why.Removes() != removes {
		return errors.New("a why of another kind")
	}
	return s.Check()
}

func plain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

// The stored form, version 1: 5 bytes for most who wrote STOP, and those of the
// campaign's name.
//
//	byte     version << 4 | why
//	uvarint  seconds since 2025
//	text     campaign, by, note; nothing more from the last that isn't empty on
const entryV1 = 1

var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// maxSeconds is 136 years, still a time.Duration.
const maxSeconds = 1 << 32

// seconds is the time as it is stored.
func (s *Entry) seconds() uint64 {
	return uint64(min(max(1, int64(s.At.Sub(epoch)/time.Second)), maxSeconds))
}

func (s *Entry) encode() string {
	b := binary.AppendUvarint([]byte{entryV1<<4 | byte(s.Why)}, s.seconds())
	texts := [...]string{string(s.Campaign), s.By, s.Note}
	n := len(texts)
	for n > 0 && texts[n-1] == "" {
		n--
	}
	for _, t := range texts[:n] {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return string(b)
}

func decodeEntry(raw string) (Entry, error) {
	if raw == "" || raw[0]>>4 != entryV1 || Why(raw[0]&15) >= whyUnknown {
		return Entry{}, ErrBadEntry
	}
	s := Entry{Why: Why(raw[0] & 15)}
	b := []byte(raw[1:])
	seconds, n := binary.Uvarint(b)
	if n <= 0 || seconds > maxSeconds {
		return Entry{}, ErrBadEntry
	}
	s.At, b = epoch.Add(time.Duration(seconds)*time.Second), b[n:]
	for _, t := range [...]*string{(*string)(&s.Campaign), &s.By, &s.Note} {
		if len(b) == 0 {
			break
		}
		length, n := binary.Uvarint(b)
		if n <= 0 || length > maxNote || length > uint64(len(b)-n) {
			return Entry{}, ErrBadEntry
		}
		*t, b = string(b[n:n+int(length)]), b[n+int(length):]
	}
	if len(b) > 0 {
		return Entry{}, ErrBadEntry
	}
	return s, nil
}
