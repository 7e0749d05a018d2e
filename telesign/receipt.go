package telesign

import "time"

// Receipt is what Telesign says became of one message: the body of a callback
// (docs: messaging-callback-service) or the answer to [Client.Status].
type Receipt struct {
	// Reference is Telesign's name for the message, as [NormalizeReference]
	// writes it; "" when missing.
	Reference string
	// ExternalID echoes [Message.ExternalID]; "" for null, absent and "null",
	// which is what Telesign's own example has.
	ExternalID string
	// Status is that of the whole message.
	Status Status
	// Legs are the channels that were tried, in the order of the receipt. The
	// same channel may occur twice.
	Legs []Leg
	// Inbound reports that this is a recipient's message to us, not an outcome.
	Inbound bool
	// Reply is that message; zero unless Inbound.
	Reply Reply
	// Template is the template that a callback about templates is about, with
	// Status.Code 3850 to 3857 (reference: templatescallbacks); zero for all others.
	Template TemplateName
}

// Status is the state of a whole message. It may be delivered (3000) while one
// of its legs timed out (3056).
type Status struct {
	// Code is 0 when missing or unreadable.
	Code Code
	// LastChannel is the channel tried last; "" when missing.
	LastChannel string
	// At is when Telesign wrote it, in UTC; zero when missing or unreadable. Five formats
	// are in use, some without a zone: never order receipts by it.
	At time.Time
}

// Leg is the state of a message on one channel.
type Leg struct {
	// Channel is the channel's name in lower case.
	Channel string
	// Code is 0 when missing or unreadable.
	Code Code
}

// Reply is what a recipient wrote to us (docs:
// messaging-receive-inbound-messages).
type Reply struct {
	// Phone is the recipient's number, digits only; "" when missing.
	Phone string
	// User is what stands in the number's place and has letters in it, such as the
	// ID of a WhatsApp user; "" when missing.
	User string
	// At is when the message was written, in UTC; zero when missing or unreadable.
	At time.Time
	// Action is what Telesign took the words for: START, STOP, HELP or
	// GENERIC, in upper case; "" when missing. Telesign only answers a STOP,
	// it does not suppress later messages: that is the sender's duty.
	Action string
	// OriginalReference is Telesign's name for our message that the recipient
	// answers, as [NormalizeReference] writes it; "" when missing, as always
	// for SMS.
	OriginalReference string
}
