package telesign

import (
	"slices"
	"strconv"
)

// Code is Telesign's status.code. Telesign asks to code against it, "rather
// than the HTTP status code of the response", and never against the text.
type Code int

// The codes that this project names.
const (
	CodeReferenceExpired  Code = -10004
	CodeReadOld           Code = 201 // older pages of Messaging; now 3005
	CodeInbound           Code = 1500
	CodeDelivered         Code = 3000
	CodeInProgress        Code = 3001
	CodeAtGateway         Code = 3002
	CodeDeliveryError     Code = 3003
	CodeProbablyDelivered Code = 3004
	CodeRead              Code = 3005
	CodeBlockedByUser     Code = 3046
	CodeBlockedByRequest  Code = 3052
	CodeTimedOut          Code = 3056
	CodePayloadTooLarge   Code = 3116
	CodeRateLimited       Code = 3204
	CodeProductDisabled   Code = 3206
	CodeNotAuthorized     Code = 3400
	CodeUnavailable       Code = 3500
	CodeTemplatesDisabled Code = 3818 // the product that lists templates; sends don't need it
	CodeTemplateCreated   Code = 3850 // the first of the codes of callbacks about templates
	CodeTemplateApproved  Code = 3851
	CodeTemplateRejected  Code = 3852
	CodeTemplateRemoved   Code = 3853
	CodeTemplateFlagged   Code = 3854
	CodeTemplateDisabled  Code = 3855
	CodeTemplateUnknown   Code = 3856
	CodeTemplateKept      Code = 3857 // the last of them
)

// Kind is what a code means for a message.
type Kind int

// The kinds of codes.
const (
	KindUnknown  Kind = iota // a code that the table does not have; keep it raw: it settles nothing
	KindProgress             // taken or queued; more will follow
	KindGateway              // handed to the gateway; more will follow
	// KindProbable: sent, in a region that confirms nothing; "high probability
	// that this message was successfully delivered".
	KindProbable
	// KindTimedOut: not confirmed within fallback_time, so the next channel is
	// tried. The message may still arrive.
	KindTimedOut
	KindFailed    // this leg, or the whole message, was not delivered
	KindDelivered // on the recipient's device
	KindRead      // the recipient has opened it, so it was delivered
	KindRequest   // the request was refused as it stands
	// KindAccount: refused for a fault of ours that every message would meet:
	// key, balance, product, address.
	KindAccount
	KindThrottled   // the account's rate was exceeded; nothing was sent
	KindUnavailable // Telesign took nothing and asks for it again
	KindInbound     // a message from a recipient to us, not an outcome
	KindUnconfirmed // Telesign says that it will never know
	KindOther       // a known code that says nothing about a message's outcome
)

// Known reports whether the table has the code.
func (c Code) Known() bool {
	_, ok := c.lookup()
	return ok
}

// Text returns the vendor's words for the code, and "unknown code 1234" for a
// code that the table does not have. Words in braces stand for values that
// Telesign fills in.
func (c Code) Text() string {
	if i, ok := c.lookup(); ok {
		return codes[i].text
	}
	return "unknown code " + strconv.Itoa(int(c))
}

// Kind returns what the code means for a message.
func (c Code) Kind() Kind {
	if i, ok := c.lookup(); ok {
		return codes[i].kind
	}
	// 3400 to 3413 are one family, "not authorized" for one reason or another;
	// a member that the table lacks is our fault all the same.
	if 3400 <= c && c <= 3413 {
		return KindAccount
	}
	return KindUnknown
}

// Final reports whether a message whose own status (not that of one of its
// legs) has this code will keep it: "One with a final code will not change
// status in the future" (docs: all-status-and-error-codes). It is Telesign's
// word where there is one; a failure without the word "Intermediate" counts as
// final, an unknown code does not. 3000 counts as final, although 3005 may
// follow on a channel that reports reading.
func (c Code) Final() bool {
	i, ok := c.lookup()
	return ok && codes[i].final
}

// OptOut reports whether the code says that the recipient, or we on their
// behalf, asked not to be written to.
func (c Code) OptOut() bool { return c == CodeBlockedByUser || c == CodeBlockedByRequest }

// lookup returns the code's place in the table.
func (c Code) lookup() (int, bool) {
	return slices.BinarySearchFunc(codes, c, func(e codeEntry, c Code) int { return int(e.code) - int(c) })
}
