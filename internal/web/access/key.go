// Package access says who may do what over HTTP: the keys of other apps, their
// scopes, and who gets in without one.
//
// A key is a bearer token, ho_<name>_<secret>. It is shown once, when it is made;
// Redis has only the SHA-256 of its secret. A slow hash, as for passwords, would
// gain nothing: the secret is 32 random bytes, which nobody guesses, and every
// request has to be checked.
package access

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Scope is what a key may do. None includes another.
type Scope string

// The scopes.
const (
	Read    Scope = "read"    // campaigns, outcomes, exports; phone numbers masked
	Submit  Scope = "submit"  // campaigns, lists, one-off sends
	Control Scope = "control" // start, pause, resume, cancel, retry, resend, purge; rates, the suppression list
	People  Scope = "people"  // phone numbers unmasked, wherever others see them masked
)

// Scopes are all of them.
func Scopes() []Scope { return []Scope{Read, Submit, Control, People} }

// ParseScopes reads names with commas between them.
func ParseScopes(s string) ([]Scope, error) {
	var scopes []Scope
	for name := range strings.SplitSeq(s, ",") {
		scope := Scope(strings.TrimSpace(name))
		if !slices.Contains(Scopes(), scope) {
			return nil, fmt.Errorf("there is no scope %q: there are %s", scope, join(Scopes()))
		}
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

func join(scopes []Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// Key is what a caller may do, under which name.
type Key struct {
	Name      string // the actor in a campaign's history
	Scopes    []Scope
	CreatedAt time.Time
	LastUsed  time.Time // the day in UTC; zero: never
}

// May says whether the key has a scope.
func (k *Key) May(s Scope) bool { return slices.Contains(k.Scopes, s) }

// MayAll says whether the key has all scopes. Such a key may make others.
func (k *Key) MayAll() bool {
	for _, s := range Scopes() {
		if !k.May(s) {
			return false
		}
	}
	return true
}

// Errors that callers tell apart.
var (
	// ErrBadName means that a text can't be a key's name.
	ErrBadName = errors.New("a key's name is 1 to 32 characters of a-z, 0-9 and -, and begins with a letter or digit")
	// ErrExists means that a key of this name exists.
	ErrExists = errors.New("there is a key of this name already; revoke it first")
	// ErrNoKey means that there is no key of this name.
	ErrNoKey = errors.New("there is no key of this name")
	// ErrRefused means that a request has no key, or one that isn't good.
	ErrRefused = errors.New("a key is needed: Authorization: Bearer ho_…")
)

// nameForm has no underscore, which ends a name in a token.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

const tokenPrefix = "ho_"

// cutToken takes a token apart; what has not its form has an empty name.
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
