// Package operations is what operators do, each verb once, for all faces: the
// command line, the REST API and the pages decode, call, and render.
//
// A verb is two steps. The first reads what it is about ([Operations.Standing] of
// a campaign, [Operations.Selection] of everyone in a state, [Operations.Person]
// of one recipient): who and how many, what the risk is, and as of when. A person
// is shown that. The second does it, and takes what the first has returned; it
// refuses when that isn't so any more.
//
// Every error is an [Error], whose [Kind] the faces map to a status of their own.
package operations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/proposal"
	"github.com/handout-dev/handout/internal/sealed"
	"github.com/handout-dev/handout/internal/suppression"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/webhook/outbox"
	"github.com/handout-dev/handout/ledger"
	"github.com/handout-dev/handout/producer"
)

// Options are what operations need beside Redis.
type Options struct {
	MasterKeys      *sealed.Ring // nil: none
	Region          string       // the country whose numbers may stand in national form, as in US; empty: none
	AccountRate     float64      // the default account's limit in messages per second where no person has set it
	PrivateWebhooks bool         // webhooks may lead to private addresses, and to http URLs
	Route           *Route       // to them; nil: straight
	// Telesign is asked about the default account's templates; nil: the credentials aren't
	// known here, and templates are checked by what others have asked.
	Telesign *Telesign
	// Accounts are the others, by their names.
	Accounts map[string]Account
	Audit    *audit.Log // nil: one in the same Redis, with the usual length and age
}

// Route is how requests leave this machine.
type Route = outbound.Route

// Operations does what operators ask for. It is safe for concurrent use.
type Operations struct {
	o            Options
	rdb          redis.UniversalClient
	ledger       *ledger.Ledger
	suppressions *suppression.List
	producer     *producer.Client
}

// New returns the operations on what stands in rdb, which stays the caller's to
// close.
func New(rdb redis.UniversalClient, o Options) *Operations {
	if o.Audit == nil {
		o.Audit = audit.New(rdb, audit.Options{})
	}
	all := &Operations{o: o, rdb: rdb, ledger: ledger.New(rdb), suppressions: suppression.New(rdb), producer: producer.New(rdb)}
	all.ledger.Seal(o.MasterKeys)
	all.producer.Seal(o.MasterKeys)
	return all
}

// Standing is a campaign as it stood at a moment.
type Standing struct {
	Info    *campaign.Info
	Balance *campaign.Balance
	At      time.Time // by Redis's clock
}

// Standing reads how a campaign stands. Errors: NotFound, also for a draft.
func (o *Operations) Standing(ctx context.Context, id campaign.ID) (*Standing, error) {
	// The moment first: what comes later isn't meant.
	at, err := o.ledger.Now(ctx)
	if err != nil {
		return nil, about(id, err)
	}
	info, err := o.ledger.Info(ctx, id)
	if err == nil && info.Phase == campaign.Draft {
		err = ledger.ErrNotFound
	}
	if err == nil {
		err = access.Caller(ctx).See(string(id), info.Owner, info.Spec.AccountName())
	}
	if err != nil {
		return nil, about(id, err)
	}
	b, err := o.ledger.Balance(ctx, id)
	if err != nil {
		return nil, about(id, err)
	}
	return &Standing{Info: info, Balance: b, At: at}, nil
}

// Left is how many people are still to be sent to.
func (s *Standing) Left() int {
	return s.Balance.Of(campaign.Planned) + s.Balance.Of(campaign.Retrying)
}

// Seen reports whether a campaign still is as a person has seen it: in this
// phase, for this reason. The error is Stale.
func (s *Standing) Seen(phase campaign.Phase, reason string) error {
	if s.Info.Phase == phase && s.Info.Reason == reason {
		return nil
	}
	return refusef(Stale, "", "campaign %s has changed since: it is %s now; nothing was done, look again", s.Info.ID, s)
}

// String is the phase with its reason.
func (s *Standing) String() string {
	if s.Info.Reason == "" {
		return string(s.Info.Phase)
	}
	return string(s.Info.Phase) + " (" + s.Info.Reason + ")"
}

// now is the time that goes into histories.
func now() time.Time { return time.Now() }

// Kind says what an error means for the one who asked.
type Kind uint8

// The kinds. After NotFound to Limited, nothing was changed.
const (
	Internal     Kind = iota // a fault of handout's own
	NotFound                 // there is no such campaign, recipient, number, key or webhook
	WrongPhase               // the campaign, or the recipient, is in a state that doesn't allow it
	Stale                    // it isn't as the caller believed
	Refused                  // what was asked for can't be taken as it is
	OtherContent             // the name was used before, for something else
	Ambiguous                // several recipients have this name
	Changed                  // the campaign file isn't the one that the caller has named
	Denied                   // the caller's key may not do it
	Limited                  // the caller's key may not do it now, see [Until]
	Busy                     // another request is in the way; the same one again may succeed
	Unavailable              // Redis can't be reached: it may or may not have been done, and the same again does no harm
)

// Error is why an operation wasn't done. Its text is one for people: it says
// what, where and what to do, and holds no phone number.
type Error struct {
	Kind   Kind
	Text   string
	Field  string        // of the input that is at fault; empty: none, or several
	Places []PersonPlace // of Ambiguous: those among whom the name doesn't decide
	Err    error         // the cause; may be nil
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
		foreign *proposal.ForeignError
		denied  *access.DeniedError
		over    *access.OverError
	)
	switch {
	case errors.As(err, &over) && !over.Until.IsZero():
		return Limited
	case errors.As(err, &over), errors.As(err, &denied), errors.As(err, &foreign):
		return Denied
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, proposal.ErrNotFound), errors.Is(err, outbox.ErrNotFound), errors.Is(err, access.ErrNoKey):
		return NotFound
	case errors.As(err, &phase), errors.As(err, &purged), errors.As(err, &refused), errors.Is(err, campaign.ErrCanceled),
		errors.Is(err, ledger.ErrKeysNeeded):
		return WrongPhase
	case errors.Is(err, ledger.ErrSteered):
		return Stale
	case errors.As(err, &faults), errors.Is(err, producer.ErrEmptyList), errors.Is(err, producer.ErrUnknownRegion), errors.Is(err, producer.ErrUnknownFormat),
		errors.Is(err, producer.ErrNoKey), errors.Is(err, outbox.ErrTooMany):
		return Refused
	case errors.As(err, &other), errors.Is(err, ledger.ErrOtherContent), errors.Is(err, proposal.ErrOther), errors.Is(err, access.ErrExists):
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

// Until is when what is Limited may be asked for again.
func Until(err error) time.Time {
	var over *access.OverError
	if errors.As(err, &over) {
		return over.Until
	}
	return time.Time{}
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
