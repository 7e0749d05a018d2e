package telesign

import (
	"errors"
	"slices"
)

// The channels of POST /v1/omnichannel (reference: sendadvancedmessage).
const (
	ChannelRCS      = "rcs"
	ChannelWhatsApp = "whatsapp"
	ChannelSMS      = "sms"
	ChannelMMS      = "mms"
	ChannelViber    = "viber"
	ChannelEmail    = "email"
)

// ContentDefault is the key of [Message.Content] that serves every channel
// without a content of its own.
const ContentDefault = "default"

// The message types of POST /v1/omnichannel.
const (
	TypeAlert     = "ARN" // alerts, reminders, notifications
	TypeMarketing = "MKT"
	TypeOTP       = "OTP" // one-time passcodes
)

// Limits of a request (reference: sendadvancedmessage).
const (
	// MinFallback and MaxFallback bound fallback_time, in seconds. An older
	// page of the guide says milliseconds; the reference says seconds.
	MinFallback = 30
	MaxFallback = 3600
	// DefaultFallback is what Telesign takes when fallback_time is left out,
	// in seconds.
	DefaultFallback = 300
	// MaxExternalID bounds external_id, in ASCII characters (code 3103).
	MaxExternalID = 100
	// MaxEmailTemplate bounds the name of a template of e-mail, in bytes.
	MaxEmailTemplate = 64
	// MaxPayload bounds the whole request body, in bytes: "Request entity too
	// large. Allowed payload size is limited to 10KB." (HTTP 413, code 3116).
	MaxPayload = 10 * 1024
)

// ErrTooLarge reports a message over [MaxPayload].
var ErrTooLarge = errors.New("telesign: message over 10 KB")

// Channels are the channels that Telesign knows, in the order of its reference.
var Channels = []string{
	ChannelRCS, ChannelWhatsApp, ChannelSMS, ChannelMMS, ChannelViber, ChannelEmail,
}

// MessageTypes are the message types that Telesign knows.
var MessageTypes = []string{TypeAlert, TypeMarketing, TypeOTP}

// LifecycleEvents are the values that Telesign takes for account_lifecycle_event.
var LifecycleEvents = []string{"create", "sign-in", "transact", "update", "delete"}

// KnownChannel reports whether Telesign knows the channel.
func KnownChannel(name string) bool { return slices.Contains(Channels, name) }

// KnownMessageType reports whether Telesign knows the message type.
func KnownMessageType(name string) bool { return slices.Contains(MessageTypes, name) }

// Message is one request to POST /v1/omnichannel: one recipient, and the
// channels to try in order.
type Message struct {
	// Channels are tried in order; the same channel twice is refused (3113).
	Channels []Channel
	// PhoneNumber is the recipient's number with its country code, digits
	// only. It is sent as recipient.phone_number; the top-level phone_number
	// of older examples is deprecated.
	PhoneNumber string
	// Email is the recipient's e-mail address, which the channel email needs. Empty is
	// left out, and so is an empty PhoneNumber, which every other channel needs.
	Email string
	// Content holds the template for each channel, by channel name or
	// [ContentDefault].
	Content map[string]Content
	// MessageType is one of [MessageTypes].
	MessageType string
	// ExternalID is our own name for the message, at most [MaxExternalID]
	// ASCII characters; receipts echo it. Empty is left out.
	ExternalID string
	// CallbackURL overrides the account's callback address. It must be enabled
	// for the account, else the request is refused with HTTP 429 and code
	// 3203. Empty is left out.
	CallbackURL string
	// SenderID must be allow-listed by Telesign, else it is silently unused.
	// Empty is left out.
	SenderID string
	// OriginatingIP is the end user's IP address, v4 or v6 (3105 when it isn't
	// one). Empty is left out.
	OriginatingIP string
	// LifecycleEvent is what the message is about, one of [LifecycleEvents]
	// (3104). Empty is left out.
	LifecycleEvent string
}

// Channel is one step of the cascade.
type Channel struct {
	// Channel is one of [Channels].
	Channel string
	// FallbackTime is how long Telesign waits before it tries the next
	// channel, in seconds, from [MinFallback] to [MaxFallback]; 0 leaves it
	// out, and Telesign takes [DefaultFallback].
	FallbackTime int
}

// Content is what one channel says.
type Content struct {
	// Template names a predefined ("file", "text") or custom template.
	Template string
	// Parameters fill the template's variables. The names are passed through:
	// for the same file one page of Telesign says "url", another "header_url".
	Parameters map[string]string
}
