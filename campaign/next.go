package campaign

import (
	"fmt"
	"time"
) // EventKind is what can happen to a recipient.
type EventKind uint8

// The events.
const (
	EventClaim        EventKind = iota // a worker is about to POST the next attempt
	EventAccept                        // Telesign answered 3001
	EventDefer                         // certainly not sent: try again later
	EventDoubt                         // the answer is unknown
	EventRefuse                        // Telesign refused it, or it can't or won't be sent
	EventReceipt                       // a callback, or the answer to a status query
	EventOverdue                       // a claim is stale, or a receipt didn't come
	EventSuppress                      // the number is on the suppression list
	EventCancel                        // the campaign was canceled
	EventResend                        // a person, or on_doubt: resend, wants another attempt
	EventAcceptAsSent                  // a person decides of who is in doubt: it was sent
	eventCount
)

var eventNames = [eventCount]string{
	"claim", "accept", "defer", "doubt", "refuse", "receipt", "overdue", "suppress", "cancel", "resend",
	"accept as sent",
}

// String is the event's name.
func (k EventKind) String() string {
	if k < eventCount {
		return eventNames[k]
	}
	return fmt.Sprintf("EventKind(%d)", k)
}

// Event is one thing that happens to one recipient.
type Event struct {
	Kind EventKind
	At   time.Time
	// Attempt is the attempt that it is about; 0 for what is about the
	// recipient: claim, overdue, suppress, cancel, resend, accept as sent.
	Attempt   int
	Reason    Reason
	Code      int       // Telesign's status code, 0 for none
	Reference string    // accept, receipt
	DueAt     time.Time // accept, defer, receipt, overdue: see Record.DueAt
	Uncounted bool      // defer: not a fault (throttled, or ours)
	Claim     uint64    // claim: the claimant's random number; defer: whose answer it is, 0 for anyone's
	Status    Leg       // receipt: the transaction
	Final     bool      // receipt: Telesign says that the status won't change, and it is a failure
	Legs      []ChannelLeg
}

// TransitionError means that an event can't happen to a recipient in this
// state. Nothing changes.
type TransitionError struct {
	State State
	Event EventKind
	Why   string
}

func (e *TransitionError) Error() string {
	if e.Why != "" {
		return fmt.Sprintf("%s while %s: %s", e.Event, e.State, e.Why)
	}
	return fmt.Sprintf("%s isn't possible while %s", e.Event, e.State)
}

// Next is the state machine: it returns what a record becomes by an event. The
// record is unchanged when the event says nothing new, and the error is a
// *TransitionError when the event isn't possible. The only clock is the event's.
func Next(r Record, e Event) (Record, error) {
	next, err := transit(r, e.storable())
	if next.State != Claimed && next.State != InDoubt {
		next.Claim = 0
	}
	if next.State != Claimed && next.State != InDoubt && next.State != Retrying {
		next.PutOffAt = time.Time{} // taken, or given up
	}
	return next, err
}

// storable is the event without what a record can't hold: whole seconds, and
// of what Telesign says no more than fits. Whatever a receipt brings must leave
// a record that can be read back.
func (e Event) storable() Event {
	e.At, e.DueAt = wholeSecond(e.At), wholeSecond(e.DueAt)
	e.Reference = StorableReference(e.Reference)
	e.Status = e.Status.storable()
	if e.Reason >= reasonCount {
		e.Reason = NoReason
	}
	return e
}

func wholeSecond(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Truncate(time.Second).UTC()
}

func transit(r Record, e Event) (Record, error) {
	if e.Kind != EventReceipt && e.Attempt != 0 && e.Attempt != r.Attempt {
		if e.Attempt < r.Attempt {
			return r, nil // an answer to an attempt that a later one has replaced
		}
		if e.Kind == EventDefer && e.Uncounted && r.State == Retrying && e.Attempt == r.Attempt+1 {
			return r, nil // known already: the attempt's number has been given back
		}
		answer := e.Kind == EventAccept || e.Kind == EventDoubt || e.Kind == EventRefuse
		if !answer || (r.State != Planned && r.State != Retrying) {
			return r, &TransitionError{r.State, e.Kind, "unknown attempt"}
		}
		// A Redis that lost its last second has forgotten the claim. There was
		// one, or there would be no answer.
		r = Record{State: Claimed, Reason: ReasonLostClaim, Attempt: e.Attempt, Faults: r.Faults, ClaimedAt: e.At, PutOffAt: r.PutOffAt}
	}
	switch e.Kind {
	case EventClaim:
		return claim(r, e)
	case EventAccept:
		return accept(r, e)
	case EventDefer:
		return postpone(r, e)
	case EventDoubt:
		if r.State == Claimed {
			r.State, r.Reason = InDoubt, e.Reason
			r.DueAt = e.DueAt
			r.note(e.Code)
		}
		return r, nil
	case EventRefuse:
		return refuse(r, e)
	case EventReceipt:
		return receipt(r, e)
	case EventOverdue:
		return overdue(r, e)
	case EventSuppress:
		return drop(r, e, Suppressed, ReasonSuppressed), nil
	case EventCancel:
		return drop(r, e, Canceled, ReasonCanceled), nil
	case EventResend:
		return resend(r, e)
	case EventAcceptAsSent:
		return acceptAsSent(r, e)
	}
	return r, &TransitionError{r.State, e.Kind, "unknown event"}
}

func claim(r Record, e Event) (Record, error) {
	if r.State != Planned && r.State != Retrying {
		return r, &TransitionError{State: r.State, Event: e.Kind}
	}
	// Whatever earlier attempts brought that isn't a delivery is history.
	return Record{State: Claimed, Attempt: r.Attempt + 1, Faults: r.Faults, ClaimedAt: e.At, Claim: e.Claim, PutOffAt: r.PutOffAt}, nil
}

func accept(r Record, e Event) (Record, error) {
	if r.Attempt == 0 {
		return r, &TransitionError{State: r.State, Event: e.Kind}
	}
	if r.replaced() {
		return r, nil
	}
	switch r.State {
	case Claimed, InDoubt, Retrying:
		// Retrying: a resend was asked for, and the first answer came after all.
		r.State, r.Reason = Accepted, NoReason
		r.DueAt = e.DueAt
		r.Status = Leg{Rank: RankProgress, Code: e.Code}.storable()
	case Accepted, Delivered, Failed, Unconfirmed: // the receipt overtook the answer
		r.Status = r.Status.merge(Leg{Rank: RankProgress, Code: e.Code}.storable())
	}
	if r.Reference == "" {
		r.Reference = e.Reference
	}
	return r, nil
}

// replaced reports whether another attempt was asked for although Telesign has
// accepted the latest one: of that one only a delivery counts from then on.
func (r *Record) replaced() bool { return r.State == Retrying && r.Reference != "" }

func postpone(r Record, e Event) (Record, error) {
	switch r.State {
	case Planned, Suppressed, Canceled:
		return r, &TransitionError{State: r.State, Event: e.Kind}
	case Claimed, InDoubt: // in doubt: a stalled worker knows better after all
		if e.Claim != 0 && e.Claim != r.Claim {
			return r, nil // said twice, and the number given back is another claim's by now
		}
		r.State, r.Reason, r.DueAt = Retrying, e.Reason, e.DueAt
		switch {
		case e.Reason == ReasonAccount:
			r.PutOffAt = time.Time{} // a hold follows, and its time isn't the recipient's
		case r.PutOffAt.IsZero() && !e.Uncounted:
			r.PutOffAt = e.At
		}
		r.note(e.Code)
		if !e.Uncounted {
			r.Faults++
		} else if r.Attempt == 1 {
			// There was none: its number is free again. A later one's isn't, or
			// what comes late for the attempt before it would look like news.
			r.Attempt = 0
		}
	}
	return r, nil
}

func refuse(r Record, e Event) (Record, error) {
	switch r.State {
	case Claimed, InDoubt, Retrying, Planned:
		r.State, r.Reason = Refused, e.Reason
		r.DueAt = time.Time{}
		r.SettledAt = e.At
		r.note(e.Code)
	}
	return r, nil
}

func overdue(r Record, e Event) (Record, error) {
	if e.At.Before(r.DueAt) {
		return r, nil // what was overdue has been answered meanwhile, and waits anew
	}
	switch r.State {
	case Claimed:
		r.State, r.Reason = InDoubt, ReasonWorkerLost
		r.DueAt = e.DueAt
	case Accepted:
		if e.Reason == NoReason && !e.DueAt.IsZero() {
			r.DueAt = e.DueAt // asked for in vain, and to be asked for again
			return r, nil
		}
		r.State, r.Reason = Unconfirmed, e.Reason
		r.DueAt = time.Time{}
		r.SettledAt = e.At
	case InDoubt: // the receipt's deadline passed: a person's, from here on
		r.DueAt = time.Time{}
	}
	return r, nil
}

func drop(r Record, e Event, to State, why Reason) Record {
	if r.State == Planned || r.State == Retrying {
		if r.Reason == ReasonResent {
			to = Unconfirmed // the attempt before may have been sent
		}
		r.State, r.Reason = to, why
		r.DueAt = time.Time{}
		r.SettledAt = e.At
	}
	return r
}

func resend(r Record, e Event) (Record, error) {
	switch r.State {
	case InDoubt, Failed, Refused, Unconfirmed:
		r.State, r.Reason = Retrying, ReasonResent
		r.DueAt = e.At
		r.SettledAt = time.Time{}
		r.Faults, r.PutOffAt = 0, time.Time{}
		return r, nil
	case Retrying:
		return r, nil
	}
	return r, &TransitionError{State: r.State, Event: e.Kind}
}

// acceptAsSent closes a doubt by a person's decision. Only a receipt can change it:
// what the worker may still report of the request no longer counts.
func acceptAsSent(r Record, e Event) (Record, error) {
	switch {
	case r.State == InDoubt:
		r.settle(Unconfirmed, ReasonTakenAsSent, e.At)
		return r, nil
	case r.State == Unconfirmed && r.Reason == ReasonTakenAsSent:
		return r, nil
	}
	return r, &TransitionError{State: r.State, Event: e.Kind}
}

// note keeps the code of a request that wasn't accepted.
func (r *Record) note(code int) {
	if code != 0 {
		r.Status = Leg{Rank: RankProgress, Code: code}.storable()
	}
}

// BoundTo returns the event bound to the record that its caller has read: it then
// can't happen to a later attempt, or to another worker's claim.
func (e Event) BoundTo(seen *Record) Event {
	switch e.Kind {
	case EventOverdue, EventResend, EventAcceptAsSent:
		if e.Attempt == 0 {
			e.Attempt = seen.Attempt
		}
	case EventDefer:
		if e.Claim == 0 && e.Attempt == seen.Attempt {
			e.Claim = seen.Claim
		}
	}
	return e
}
