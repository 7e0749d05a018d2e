package operations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

// Kind says what an error means for the one who asked.
type Kind uint8

// The kinds.
const (
	// Internal is a fault of handout's own.
	Internal Kind = iota
	// NotFound: there is no such campaign, recipient, number, key or webhook.
	NotFound
	// WrongPhase: the campaign, or the recipient, is in a state that doesn't allow
	// it. Nothing was changed.
	WrongPhase
	// Stale: it isn't as the caller believed. Nothing was changed.
	Stale
	// Refused: what was asked for can't be taken as it is. Nothing was changed.
	Refused
	// OtherContent: the name was used before, for something else.
	OtherContent
	// Ambiguous: several recipients have this name.
	Ambiguous
	// Busy: another request is in the way; the same one again may succeed.
	Busy
	// Unavailable: Redis can't be reached. It may or may not have been done, and
	// the same request again does no harm.
	Unavailable
)

var kindNames = [...]string{"internal", "not found", "wrong phase", "stale", "refused", "other content", "ambiguous", "busy", "unavailable"}

// String is the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", k)
}

// Error is why an operation wasn't done. Its text is one for people: it says
// what, where and what to do, and holds no phone number.
type Error struct {
	Kind  Kind
	Text  string
	Field string // of the input that is at fault; empty: none, or several
	// Places are those among whom a name doesn't decide: see Ambiguous.
	Places []PersonPlace
	Err    error // the cause; may be nil
}

// Error is the text.
func (e *Error) Error() string { return e.Text }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func refusef(kind Kind, field, format string, args ...any) error {
	return &Error{Kind: kind, Field: field, Text: fmt.Sprintf(format, args...)}
}

// refuse is refusef with the words of the cause.
func refuse(kind Kind, field string, err error) error {
	return &Error{Kind: kind, Field: field, Text: err.Error(), Err: err}
}

// KindOf returns the kind of an error, also of one that a store made.
func KindOf(err error) Kind {
	var own *Error
	if errors.As(err, &own) {
		return own.Kind
	}
	var (
		phase   *campaign.PhaseError
		purged  *campaign.PurgedError
		refused *campaign.TransitionError
		other   *producer.OtherContentError
		faults  *producer.Faults
		answer  redis.Error
		network net.Error
	)
	switch {
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, outbox.ErrNotFound):
		return NotFound
	case errors.As(err, &phase), errors.As(err, &purged), errors.As(err, &refused), errors.Is(err, campaign.ErrCanceled),
		errors.Is(err, ledger.ErrKeysNeeded):
		return WrongPhase
	case errors.Is(err, ledger.ErrSteered):
		return Stale
	case errors.As(err, &faults), errors.Is(err, producer.ErrEmptyList), errors.Is(err, producer.ErrUnknownRegion), errors.Is(err, producer.ErrUnknownFormat),
		errors.Is(err, producer.ErrNoKey), errors.Is(err, outbox.ErrTooMany):
		return Refused
	case errors.As(err, &other), errors.Is(err, ledger.ErrOtherContent), errors.Is(err, ledger.ErrOtherProposal):
		return OtherContent
	case errors.Is(err, ledger.ErrRetrying), errors.Is(err, producer.ErrNotRereadable):
		return Busy
	case errors.Is(err, io.EOF), errors.Is(err, redis.ErrClosed), errors.Is(err, redis.ErrPoolTimeout),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.As(err, &answer), errors.As(err, &network):
		return Unavailable
	}
	return Internal
}

// about makes an error of a store an Error about a campaign, with the words of
// the store unless they say too little.
func about(id campaign.ID, err error) error {
	if err == nil {
		return nil
	}
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	e := &Error{Kind: KindOf(err), Text: err.Error(), Err: err}
	if errors.Is(err, ledger.ErrNotFound) {
		e.Text = fmt.Sprintf("there is no campaign %s", id)
	}
	return e
}

// PersonPlace is where a recipient stands in a campaign, and in which state.
type PersonPlace struct {
	Place campaign.Place
	State campaign.State
}
