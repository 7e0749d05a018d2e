package campaign

import (
	"fmt"
	"time"
)

// State is what became of one recipient. A recipient has exactly one.
type State uint8

// The states. The order is part of the stored form: new ones go to the end.
const (
	Planned     State = iota // in the list, nothing written yet
	Claimed                  // a worker is about to POST, or is doing so
	Retrying                 // certainly not sent; will be tried again
	Accepted                 // Telesign took it; waiting for the outcome
	InDoubt                  // may have been sent; the machine leaves it alone
	Delivered                // final: at least one channel delivered
	Failed                   // final: every channel failed
	Refused                  // final: the request was refused for this recipient
	Suppressed               // final: never sent, the number is on the suppression list
	Canceled                 // final: never sent, the campaign was canceled first
	Unconfirmed              // the receipt's deadline passed without an outcome
	stateCount
)

var stateNames = [stateCount]string{
	"planned", "claimed", "retrying", "accepted", "in_doubt", "delivered",
	"failed", "refused", "suppressed", "canceled", "unconfirmed",
}

// States are all states, in their order.
func States() []State {
	all := make([]State, stateCount)
	for i := range all {
		all[i] = State(i)
	}
	return all
}

// String is the state's name in reports, exports and metrics.
func (s State) String() string {
	if s < stateCount {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", s)
}

// ParseState finds a state by its name.
func ParseState(name string) (State, bool) {
	for i, n := range stateNames {
		if n == name {
			return State(i), true
		}
	}
	return 0, false
}

// Final says whether the machine has nothing more to do for the recipient. The
// truth may still grow: a late receipt lifts failed and unconfirmed to
// delivered.
func (s State) Final() bool {
	switch s {
	case Delivered, Failed, Refused, Suppressed, Canceled, Unconfirmed:
		return true
	}
	return false
}

// Reason says in our words why a recipient is in its state; the vendor's words
// stand beside it as a code.
type Reason uint8

// The reasons. The order is part of the stored form: new ones go to the end.
const (
	NoReason          Reason = iota
	ReasonThrottled          // Telesign's rate limit; not counted as a fault
	ReasonUnavailable        // Telesign said that it didn't process the request
	ReasonNotWritten         // the connection failed before the request was written
	ReasonAccount            // our account, key or configuration; the campaign is held
	ReasonTimeout            // no answer within the time-out; it may have been sent
	ReasonReset              // the connection broke after the request was written
	ReasonServerError        // an answer that doesn't say whether it was processed
	ReasonUnreadable         // an answer that can't be read
	ReasonWorkerLost         // the worker died, or stalled, between claim and record
	ReasonRefused            // Telesign refused the request
	ReasonUnsendable         // the request can't be made from the recipient's columns
	ReasonGaveUp             // tried too often; certainly not sent
	ReasonUndelivered        // every channel failed
	ReasonNoReceipt          // no final receipt by the deadline
	ReasonExpired            // Telesign no longer knows the reference
	ReasonCanceled           // the campaign was canceled
	ReasonSuppressed         // the number is on the suppression list
	ReasonResent             // a person, or on_doubt: resend, asked for another attempt
	ReasonLostClaim          // a receipt came for an attempt that the ledger doesn't know
	ReasonTakenAsSent        // in doubt, and a person has decided that it was sent
	reasonCount
)

var reasonNames = [reasonCount]string{
	"", "throttled", "unavailable", "not written", "account", "time-out", "connection reset",
	"server error", "unreadable answer", "worker lost", "refused", "unsendable", "gave up",
	"undelivered", "no receipt", "reference expired", "canceled", "suppressed", "resent", "claim lost",
	"taken as sent",
}

// String is the reason in a few words; empty for none.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return fmt.Sprintf("Reason(%d)", r)
}

// Rank orders what a receipt can say about a leg or a transaction. What ranks
// higher is truer, whenever it arrives: a delivery outranks a time-out.
type Rank uint8

// The ranks, lowest first.
const (
	RankNone      Rank = iota
	RankProgress       // on its way; also every unknown code
	RankGateway        // at the gateway
	RankProbable       // sent out, and no confirmation to be had
	RankFailed         // failed, or timed out, on this channel
	RankDelivered      // delivered
	RankRead           // read
	rankCount
)

var rankNames = [rankCount]string{"", "progress", "gateway", "probable", "failed", "delivered", "read"}

// String is the rank's name in exports, webhooks and the API; empty for nothing.
func (r Rank) String() string {
	if r < rankCount {
		return rankNames[r]
	}
	return fmt.Sprintf("Rank(%d)", r)
}

// Leg is what is known of one channel, or of the whole transaction: the code
// of the highest rank that a receipt has brought.
type Leg struct {
	Rank Rank
	Code int // Telesign's status code
	// At is when handout first heard that of a channel, in whole seconds; zero
	// for the transaction, whose time is the record's.
	At time.Time
}

// maxCode is beyond every code of Telesign's; a larger one would only make
// records grow.
const maxCode = 999_999

// storable is the leg as a record can hold it.
func (l Leg) storable() Leg {
	if l.Rank == RankNone || l.Rank >= rankCount {
		return Leg{}
	}
	if l.Code < 0 || l.Code > maxCode {
		l.Code = 0
	}
	l.At = wholeSecond(l.At)
	return l
}

// says is the leg without when.
func (l Leg) says(o Leg) bool { return l.Rank == o.Rank && l.Code == o.Code }

// merge keeps the truer of two, and of two that say the same the first. It
// doesn't depend on their order, and doing it twice changes nothing.
func (l Leg) merge(o Leg) Leg {
	switch {
	case o.Rank > l.Rank, o.Rank == l.Rank && o.Code > l.Code:
		return o
	case l.says(o) && o.At.Before(l.At) && !o.At.IsZero():
		return o
	}
	return l
}
