package campaign

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Lane is the queue that a campaign's sends wait in.
type Lane string

// The lanes. Urgent is served before bulk.
const (
	LaneBulk   Lane = "bulk"
	LaneUrgent Lane = "urgent"
)

// OnDoubt says what becomes of a recipient who may have been sent the file.
type OnDoubt string

// What to do in doubt: hold leaves it to a receipt or a person, resend sends
// again once the receipt's deadline has passed.
const (
	DoubtHold   OnDoubt = "hold"
	DoubtResend OnDoubt = "resend"
)

// Channel is one step of the cascade.
type Channel struct {
	// Channel is Telesign's name of it: whatsapp, sms, rcs, viber, mms, email.
	Channel string `json:"channel"`
	// FallbackTime is how long Telesign waits for a delivery here before it
	// tries the next channel, in seconds, 30 to 3600; 0 leaves it to Telesign,
	// which takes 300.
	FallbackTime int `json:"fallback_time,omitempty"`
	// Template is the name of a predefined or custom template of the channel; empty
	// leaves what it says to [Spec.Default].
	Template string `json:"template"`
	// Parameters are the template's variables by Telesign's names; the values
	// are Go text/template over the recipient's columns.
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Spec is what a campaign sends and how. It never changes once the campaign
// stands.
type Spec struct {
	ID          ID        `json:"id"`
	MessageType string    `json:"message_type"` // ARN, MKT or OTP
	Channels    []Channel `json:"channels"`     // tried in this order
	// Default, if not nil, says what the channels say that have no template.
	Default *Content `json:"default,omitempty"`
	// Rate is the most messages per second of this campaign, under the
	// account's own limit; 0 is no limit of its own.
	Rate    float64 `json:"rate,omitempty"`
	Lane    Lane    `json:"lane"`
	OnDoubt OnDoubt `json:"on_doubt"`
	// GiveUpAfter is for how many seconds a recipient is tried whose requests
	// certainly weren't sent; 0 stands for [Spec.GiveUp]'s default.
	GiveUpAfter int `json:"give_up_after,omitempty"`
	// MaxFailureRate is the share of the latest outcomes, 0 to 1, that may be
	// failures; beyond it the campaign is held. 0 stands for
	// [Spec.FailureLimit]'s default, 1 is no limit.
	MaxFailureRate float64 `json:"max_failure_rate,omitempty"`
	// Canary is how many recipients are sent to first; the others wait for the
	// outcomes of these. 0: none.
	Canary int `json:"canary,omitempty"`
	// CanarySuccess is the share of the canary, 0 to 1, that must be delivered;
	// 0 stands for [Spec.CanaryLimit]'s default.
	CanarySuccess float64 `json:"canary_success,omitempty"`
	// Retention is for how many seconds after it is done a campaign keeps its
	// people's data; 0 stands for [Spec.Keep]'s default.
	Retention int `json:"retention,omitempty"`
	// CheckFiles says whose files are checked before the first send; empty: none.
	CheckFiles FileCheck `json:"check_files,omitempty"`
	// Hours are when people may be sent to; nil: at any time.
	Hours *Hours `json:"hours,omitempty"`
	// UnknownZone is the zone, by its IANA name, whose hours hold for recipients
	// whose own zone isn't known; empty: they aren't sent to.
	UnknownZone string `json:"unknown_zone,omitempty"`
	// Columns are the list's own names of columns, by the names that templates use for
	// them; recipient and phone are two of these.
	Columns map[string]string `json:"columns,omitempty"`
	// WhatsAppWhitespace says what becomes of line breaks, tabs and runs of spaces that
	// WhatsApp refuses in the text of a template; empty: their rows are bad.
	WhatsAppWhitespace Whitespace `json:"whatsapp_whitespace,omitempty"`
	// UnknownRanges says what becomes of numbers that are in no range known to us;
	// empty: they are sent to.
	UnknownRanges UnknownRanges `json:"unknown_ranges,omitempty"`
	// SameRecipient says what becomes of a second row with the same recipient and
	// another phone number; empty: it is a bad row.
	SameRecipient SameRecipient `json:"same_recipient,omitempty"`
	// SenderID, OriginatingIP and LifecycleEvent are passed through to Telesign, in
	// every request; empty: left out.
	SenderID       string `json:"sender_id,omitempty"`
	OriginatingIP  string `json:"originating_ip,omitempty"`
	LifecycleEvent string `json:"account_lifecycle_event,omitempty"`
	// Account is the name of the Telesign account that it is sent through; empty:
	// [DefaultAccount].
	Account string `json:"account,omitempty"`
	// Standing is the day's campaign of one-off sends: each recipient has a
	// message of their own, and there are no channels here.
	Standing bool `json:"standing,omitempty"`
	// Newer, if not nil, is an [ErrNewer] that names what this program doesn't know of
	// a stored spec. It may tell of the campaign, and must not send it.
	Newer error `json:"-"`
}

// Content is a template with its parameters.
type Content struct {
	Template   string            `json:"template"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// EmailColumn is the list's column with the address that the channel email is sent to.
const EmailColumn = "email"

// emailChannel is Telesign's name of the channel that has an address of its own.
const emailChannel = "email"

// NeedsEmail reports whether the cascade has e-mail, so that each recipient needs an
// address.
func (s *Spec) NeedsEmail() bool {
	return slices.ContainsFunc(s.Channels, func(ch Channel) bool { return ch.Channel == emailChannel })
}

// NeedsPhone reports whether a recipient needs a phone number: of all channels, e-mail
// alone does without.
func (s *Spec) NeedsPhone() bool {
	return s.Standing || !s.NeedsEmail() || len(s.Channels) > 1
}

// DefaultChannel is the name under which [Spec.Contents] has the default, which is
// Telesign's name of it.
const DefaultChannel = "default"

// Contents returns what is said: the channels that have a template, and the default,
// as a channel of the name [DefaultChannel].
func (s *Spec) Contents() []Channel {
	if s.Default == nil {
		return s.Channels
	}
	own := slices.DeleteFunc(slices.Clone(s.Channels), func(ch Channel) bool { return ch.Template == "" })
	return append(own, Channel{Channel: DefaultChannel, Template: s.Default.Template, Parameters: s.Default.Parameters})
}

// Said returns a channel of the cascade with what it says: its own, or the default.
func (s *Spec) Said(i int) Channel {
	ch := s.Channels[i]
	if ch.Template == "" && s.Default != nil {
		ch.Template, ch.Parameters = s.Default.Template, s.Default.Parameters
	}
	return ch
}

// telesignFallback is what Telesign waits on a channel without a fallback_time.
// Source: OpenAPI "Engage API", channels[].fallback_time, default.
const telesignFallback = 300 * time.Second

// maxFallback is the longest fallback_time.
// Source: OpenAPI "Engage API", channels[].fallback_time, maximum.
const maxFallback = time.Hour

// FallbackTotal is how long Telesign may take until it tries the last channel,
// and as long on that one as the spec says. Whether Telesign heeds a
// fallback_time of the last channel is unknown; without one, none is counted.
// In a standing campaign it is the most that one message with two channels takes.
func (s *Spec) FallbackTotal() time.Duration {
	if s.Standing {
		return maxFallback
	}
	sum := s.UntilLast()
	if n := len(s.Channels); n > 0 {
		sum += time.Duration(s.Channels[n-1].FallbackTime) * time.Second
	}
	return sum
}

// Defaults of a campaign, for what its file leaves out. They aren't written into
// the spec: a campaign submitted again has the same content whatever they are.
const (
	defaultGiveUp       = 24 * time.Hour
	defaultFailureLimit = 0.3
	defaultCanaryLimit  = 0.8
	defaultRetention    = 90 * 24 * time.Hour
)

// MostCanary is the largest canary: its outcomes are counted record by record.
const MostCanary = 10_000

// GiveUp is for how long a recipient is tried whose requests certainly weren't
// sent, from the first time on.
func (s *Spec) GiveUp() time.Duration { return seconds(s.GiveUpAfter, defaultGiveUp) }

// FailureLimit is the share of the latest outcomes that may be failures.
func (s *Spec) FailureLimit() float64 { return share(s.MaxFailureRate, defaultFailureLimit) }

// CanaryLimit is the share of the canary that must be delivered.
func (s *Spec) CanaryLimit() float64 { return share(s.CanarySuccess, defaultCanaryLimit) }

// Keep is how long a campaign keeps its people's data after it is done.
func (s *Spec) Keep() time.Duration { return seconds(s.Retention, defaultRetention) }

func seconds(n int, otherwise time.Duration) time.Duration {
	if n == 0 {
		return otherwise
	}
	return time.Duration(n) * time.Second
}

func share(v, otherwise float64) float64 {
	if v == 0 {
		return otherwise
	}
	return v
}

// Encode is the spec's stored form. Equal specs have equal bytes.
func (s *Spec) Encode() ([]byte, error) { return json.Marshal(s) }

// Equal reports whether two specs are the same content.
func (s *Spec) Equal(other *Spec) bool {
	a, err := s.Encode()
	b, wrong := other.Encode()
	return err == nil && wrong == nil && string(a) == string(b)
}

// DecodeSpec reads the stored form, see [Spec.Newer].
func DecodeSpec(b []byte) (*Spec, error) {
	s := new(Spec)
	err := DecodeStrict(b, s)
	if err == nil {
		err = s.unknownValue()
	}
	switch {
	case errors.Is(err, ErrNewer):
		s.Newer = err
	case err != nil:
		return nil, fmt.Errorf("decode campaign spec: %w", err)
	}
	return s, nil
}

// FileCheck says whose files are checked before a campaign's first send.
type FileCheck string

// The checks; the empty text is none.
const (
	CheckNone   FileCheck = ""
	CheckSample FileCheck = "sample" // of 20 people, spread over the list
	CheckAll    FileCheck = "all"
)

// UnknownRanges says what becomes of numbers whose form is a country's but whose
// range isn't in the data of phone numbers, which may be older than the range.
type UnknownRanges string

// What becomes of them; the empty text is accept.
const (
	RangesAccept UnknownRanges = ""
	RangesRefuse UnknownRanges = "refuse"
)

// SameRecipient says what becomes of a second row with the name of a recipient and
// another phone number.
type SameRecipient string

// What becomes of it; the empty text is refuse.
const (
	SameRefuse SameRecipient = ""
	SameNote   SameRecipient = "note" // both are sent to
)

// Whitespace says what becomes of whitespace that WhatsApp refuses.
type Whitespace string

// What becomes of it; the empty text is refuse.
const (
	WhitespaceRefuse   Whitespace = ""
	WhitespaceCollapse Whitespace = "collapse" // each run becomes one space
)
