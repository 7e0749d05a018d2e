// Package access decides who may do what over HTTP: it keeps the keys of other apps
// and people, their scopes, and the sessions of browsers.
//
// A key is a bearer token, ho_<name>_<secret>. It is shown once, when it is made;
// Redis has only the SHA-256 of its secret. A slow hash, as for passwords, would gain
// nothing: the secret is 32 random bytes, which can't be guessed, and each request
// checks it.
package access

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Scope is something that a key may do. No scope includes another.
type Scope string

// The scopes.
const (
	Read    Scope = "read"
	Submit  Scope = "submit"
	Control Scope = "control"
	People  Scope = "people"

	// All stands for all scopes together, and takes a key with every one of them. Only
	// such a key may make and revoke keys: otherwise a key could make a stronger one.
	All Scope = "*"
)

var abouts = map[Scope]string{
	Read:    "campaigns, outcomes and exports, with masked phone numbers",
	Submit:  "new campaigns, lists, one-off sends",
	Control: "start, pause, resume, cancel, send again, purge; rates and the suppression list",
	People:  "phone numbers in full, wherever others see them masked",
}

// About says in a few words what the scope allows.
func (s Scope) About() string { return abouts[s] }

// Scopes returns all scopes.
func Scopes() []Scope { return []Scope{Read, Submit, Control, People} }

// ParseScopes reads names of scopes, separated by commas.
func ParseScopes(s string) ([]Scope, error) {
	var scopes []Scope
	for name := range strings.SplitSeq(s, ",") {
		scope := Scope(strings.TrimSpace(name))
		if !slices.Contains(Scopes(), scope) {
			return nil, fmt.Errorf("there is no scope %q: choose from %s", scope, Join(Scopes(), ", "))
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// Join returns the scopes' names with the separator between them.
func Join(scopes []Scope, separator string) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, separator)
}

// Key is a caller's name, and what the caller may do.
type Key struct {
	Name   string // the actor in a campaign's history
	Scopes []Scope
	Limits
	CreatedAt time.Time
	EndsAt    time.Time // zero: when it is revoked
	// Overlap is until when the secret before the last rotation is good; zero: it isn't.
	Overlap  time.Time
	LastUsed time.Time // the day in UTC; zero: never

	// Via is how the caller came in, see the constants; From is from where, an address.
	// A key that stands in Redis has neither.
	Via, From string

	// Barred says that it is a test key where messages go to Telesign: it may look, and
	// start nothing.
	Barred bool

	// Issuer and Subject are those of a [Person], who has no key; else empty.
	Issuer, Subject string
}

// How callers come in.
const (
	ViaKey     = "key"
	ViaSession = "session"
	ViaLocal   = "local" // by the token of [Gate.Open]
	ViaCommand = "command line"
)

// Limits bound what a key may do within its scopes. The zero value has none.
type Limits struct {
	// Own limits the key to the campaigns that it has submitted, and to its own one-off
	// sends.
	Own bool
	// Countries are those that it may send to, by ISO 3166; none: all.
	Countries []string
	// Accounts are the names of those that it may send through, and whose campaigns it may
	// see and steer; none: all.
	Accounts []string
	Daily    int // recipients that it may send to in a day of UTC; 0: no limit
	Hourly   int // one-off sends to one number in an hour; 0: no limit
	// Test keys start nothing where messages go to Telesign.
	Test bool
}

// May reports whether the key has a scope.
func (k *Key) May(s Scope) bool {
	if s != All {
		return slices.Contains(k.Scopes, s) && !k.bars(s)
	}
	// A key with limits could make one without.
	return !k.limited() && !slices.ContainsFunc(Scopes(), func(s Scope) bool { return !k.May(s) })
}

func (k *Key) limited() bool {
	return k.Own || len(k.Countries)+len(k.Accounts) > 0 || k.Daily > 0 || k.Hourly > 0 || k.Test
}

// Uses reports whether the key may send through an account.
func (k *Key) Uses(account string) bool {
	return k == nil || len(k.Accounts) == 0 || slices.Contains(k.Accounts, account)
}

// bars reports whether the key lacks a scope here that it has elsewhere.
func (k *Key) bars(s Scope) bool { return k.Barred && (s == Submit || s == Control) }

// Owns reports whether the key may see and steer what another key, or none, has
// submitted, through an account.
func (k *Key) Owns(owner, account string) bool {
	return k == nil || (!k.Own || k.Name == owner) && k.Uses(account)
}

// See returns a [*DeniedError] unless Owns.
func (k *Key) See(campaign, owner, account string) error {
	switch {
	case k.Owns(owner, account):
		return nil
	case !k.Uses(account):
		return &DeniedError{fmt.Sprintf("the key %s is limited to the accounts %s, and %s isn't of one", k.Name, strings.Join(k.Accounts, ", "), campaign)}
	}
	return &DeniedError{fmt.Sprintf("the key %s is limited to its own campaigns, and %s isn't one", k.Name, campaign)}
}

// DeniedError means that a key's limits never allow it.
type DeniedError struct{ Text string }

func (e *DeniedError) Error() string { return e.Text }

// Principal is the name under which what a caller makes is its own: that of a key, or
// one that only this person has. Who comes by the command line, or by [Gate.Open], has
// none.
func (k *Key) Principal() string {
	switch {
	case k == nil || k.Via == ViaCommand || k.Via == ViaLocal:
		return ""
	case k.Subject != "":
		return k.principal()
	}
	return k.Name
}

type callerKey struct{}

// With returns a context for what a caller asks for.
func With(ctx context.Context, caller *Key) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// Caller returns who asks; nil: a program of the house's own, which may do everything.
func Caller(ctx context.Context) *Key {
	key, _ := ctx.Value(callerKey{}).(*Key)
	return key
}

// Require returns an error for people if the key lacks a scope.
func (k *Key) Require(s Scope) error {
	switch {
	case k.May(s):
		return nil
	case k.bars(s):
		return fmt.Errorf("the key %s is a test key, and messages go to Telesign here: it may only look", k.Name)
	case k.Subject != "" && s == All:
		return fmt.Errorf("this takes all scopes, %s, and the groups of %s lack some", Join(Scopes(), ", "), k.Name)
	case k.Subject != "":
		return fmt.Errorf("the groups of %s lack the scope %s", k.Name, s)
	case s == All && k.limited():
		return fmt.Errorf("the key %s has limits, and keys are made and revoked with one that has none", k.Name)
	case s == All:
		return fmt.Errorf("keys are made and revoked with a key that has all scopes: %s; the key %s lacks some. "+
			"On the server, the command handout key does it", Join(Scopes(), ", "), k.Name)
	}
	return fmt.Errorf("the key %s lacks the scope %s", k.Name, s)
}

// Errors that callers tell apart.
var (
	// ErrBadName means that a text can't be a key's name.
	ErrBadName = errors.New("a key's name is 1 to 32 characters of a-z, 0-9 and -, and begins with a letter or digit")
	// ErrExists means that a key of this name exists.
	ErrExists = errors.New("there is a key of this name already, and it can't be shown again; revoke it first")
	// ErrNoKey means that there is no key of this name.
	ErrNoKey = errors.New("there is no key of this name")
	// ErrRefused means that a request has no key, or a wrong, revoked or ended one.
	ErrRefused = errors.New("a key is needed: Authorization: Bearer ho_…")
)

// EndedError is an [ErrRefused] of a key, or a secret, that was good until a time.
type EndedError struct {
	Name string
	At   time.Time
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("the key %s, or this secret of it, ended at %s", e.Name, e.At.UTC().Format(time.RFC3339))
}

// Unwrap is ErrRefused.
func (e *EndedError) Unwrap() error { return ErrRefused }

// nameForm allows no underscore: that ends the name in a token.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

const tokenPrefix = "ho_"

// cutToken splits a token; the name is empty if the text can't be a token.
func cutToken(token string) (name, secret string) {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return "", ""
	}
	name, secret, ok = strings.Cut(rest, "_")
	if !ok || !nameForm.MatchString(name) {
		return "", ""
	}
	return name, secret
}
