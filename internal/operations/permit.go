package operations

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/handout-dev/handout/campaign"
	"github.com/handout-dev/handout/internal/audit"
	"github.com/handout-dev/handout/internal/phone"
	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/producer"
)

// traceTime bounds how long it takes to write that an act wasn't done.
const traceTime = 5 * time.Second

// traced writes that an act begins, does it, and writes if it wasn't done. An act whose
// beginning can't be written isn't done. If the process dies in between, the trace says
// that it was begun.
func (o *Operations) traced(ctx context.Context, verb, object string, by campaign.Actor, do func() error) error {
	e := audit.Of(ctx, verb, object, by.Name, by.Why)
	if err := o.o.Audit.Write(ctx, e); err != nil {
		return &Error{Kind: Unavailable, Text: fmt.Sprintf("nothing was done, since it can't be traced: %v", err), Err: err}
	}
	err := do()
	if err == nil {
		return nil
	}
	kind := KindOf(err)
	e.Result, e.Why = audit.Refused, err.Error()
	if kind == Internal || kind == Unavailable {
		e.Result = audit.Failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceTime)
	defer cancel()
	if wrong := o.o.Audit.Write(ctx, e); wrong != nil {
		return &Error{Kind: kind, Text: err.Error() + "; " + wrong.Error(), Err: err}
	}
	if kind == Denied || kind == Limited {
		return &tracedError{err}
	}
	return err
}

// tracedError is an error that stands in the trace.
type tracedError struct{ error }

func (e *tracedError) Unwrap() error { return e.error }

// ofCampaign is a campaign as the trace names it.
func ofCampaign(id campaign.ID) string { return "campaign " + string(id) }

// Require reports whether a caller has the scope for what they ask for, and traces it if
// not.
func (o *Operations) Require(ctx context.Context, scope access.Scope, what string) error {
	err := access.Caller(ctx).Require(scope)
	if err == nil {
		return nil
	}
	_ = o.o.Audit.Refuse(ctx, audit.Of(ctx, what, "", "", err.Error())) // it is refused all the same
	return refuse(Denied, "", err)
}

// TraceDenied traces an error that says what the caller's key may not do, or not now;
// any other is left alone.
func (o *Operations) TraceDenied(ctx context.Context, err error) {
	var traced *tracedError
	if kind := KindOf(err); (kind == Denied || kind == Limited) && !errors.As(err, &traced) {
		_ = o.o.Audit.Refuse(ctx, audit.Of(ctx, "ask", "", "", err.Error())) // it is refused all the same
	}
}

// everyones reports whether the caller may change what is of all campaigns.
func everyones(ctx context.Context, what string) error {
	if key := access.Caller(ctx); key != nil && len(key.Accounts) > 0 {
		return refusef(Denied, "", "the key %s is limited to the accounts %s, and %s", key.Name, strings.Join(key.Accounts, ", "), what)
	}
	return accountWide(ctx, what)
}

// accountWide is everyones for what is of all campaigns of an account that the caller
// may use.
func accountWide(ctx context.Context, what string) error {
	if key := access.Caller(ctx); key != nil && key.Own {
		return refusef(Denied, "", "the key %s is limited to its own campaigns, and %s", key.Name, what)
	}
	return nil
}

// bounds are the limits of the caller's key on what it sends; nil: there are none.
func (o *Operations) bounds(ctx context.Context) *access.Key {
	key := access.Caller(ctx)
	if key.Principal() == "" {
		return nil
	}
	return key
}

// allow returns what the key's countries say of a number; nil: it may send to all.
func allow(key *access.Key) func(e164 string) error {
	if key == nil || len(key.Countries) == 0 {
		return nil
	}
	return func(e164 string) error {
		switch country, premium := phone.Country(e164); {
		case premium:
			return fmt.Errorf("a premium number, and the key %s may not send to these", key.Name)
		case country == "001":
			return fmt.Errorf("a number of no country, such as a satellite's, and the key %s may send to %s only", key.Name, strings.Join(key.Countries, ", "))
		case !slices.Contains(key.Countries, country):
			return fmt.Errorf("in the country %s, and the key %s may send to %s only", country, key.Name, strings.Join(key.Countries, ", "))
		}
		return nil
	}
}

// count counts a list's recipients against the key's limit for a day.
func (o *Operations) count(ctx context.Context, key *access.Key, id campaign.ID) func(producer.Summary) error {
	if key == nil {
		return nil
	}
	return func(s producer.Summary) error {
		return access.NewKeys(o.rdb).TakeDay(ctx, key, "campaign "+string(id), s.Recipients, now())
	}
}

// countSend counts a one-off send against the key's limits; again is counted once.
func (o *Operations) countSend(ctx context.Context, key *access.Key, s *producer.OneOff) error {
	if key == nil {
		return nil
	}
	e164, err := phone.Normalize(s.Phone, s.Region)
	if err != nil {
		return nil // the producer says it, with all else that is wrong
	}
	if may := allow(key); may != nil {
		if err := may(e164); err != nil {
			return refusef(Denied, "phone", "the number is %v", err)
		}
	}
	sum := sha256.Sum256([]byte(s.Key))
	name := "send " + hex.EncodeToString(sum[:12])
	keys := access.NewKeys(o.rdb)
	if err := keys.TakeHour(ctx, key, name, e164, now()); err != nil {
		return err
	}
	return keys.TakeDay(ctx, key, name, 1, now())
}
