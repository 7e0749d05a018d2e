// Package access decides who may do what over HTTP: it keeps the keys of other apps
// and people, their scopes, and the sessions of browsers.
//
// A key is a bearer token, ho_<name>_<secret>. It is shown once, when it is made;
// Redis has only the SHA-256 of its secret. A slow hash, as for passwords, would gain
// nothing: the secret is 32 random bytes, which can't be guessed, and each request
// checks it.
package access

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
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
	Name      string // the actor in a campaign's history
	Scopes    []Scope
	CreatedAt time.Time
	LastUsed  time.Time // the day in UTC; zero: never
}

// May reports whether the key has a scope.
func (k *Key) May(s Scope) bool {
	if s != All {
		return slices.Contains(k.Scopes, s)
	}
	return !slices.ContainsFunc(Scopes(), func(s Scope) bool { return !k.May(s) })
}

// Require returns an error for people if the key lacks a scope.
func (k *Key) Require(s Scope) error {
	switch {
	case k.May(s):
		return nil
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
	// ErrRefused means that a request has no key, or a wrong or revoked one.
	ErrRefused = errors.New("a key is needed: Authorization: Bearer ho_…")
)

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

// Gate finds the key that a request is made with.
type Gate struct {
	Keys *Keys
	Site Site
	// Open is a token that admits requests from this machine with all scopes, for as
	// long as the process runs; empty: none. It is printed at the start, so that who
	// reads it is on this machine: a proxy's users, whose requests seem to come from
	// here, don't.
	Open string
}

// Local is the name of a caller that Open has admitted.
const Local = "local"

// Bearer returns the key in a request's Authorization header. Errors: [ErrRefused],
// and those of Redis.
func (g *Gate) Bearer(r *http.Request) (*Key, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return g.check(r, strings.TrimSpace(token))
	}
	return nil, ErrRefused
}

// Browser is Bearer that also accepts what browsers send: the cookie of a session, or
// a key as the password of HTTP's Basic scheme, with any user name. A browser adds
// such a password to requests that other sites make it send, so handlers that write
// must refuse those (http.CrossOriginProtection).
func (g *Gate) Browser(r *http.Request) (*Key, error) {
	if value := g.Site.Cookie(r, SessionCookie); value != "" && r.Header.Get("Authorization") == "" {
		if key := g.local(r, value); key != nil {
			return key, nil
		}
		// What a page asks for by itself doesn't say that someone is there.
		itself := r.Header.Get("HX-Request") != "" || r.Header.Get("Accept") == "text/event-stream"
		return g.Keys.Session(r.Context(), value, !itself, time.Now())
	}
	if _, token, ok := r.BasicAuth(); ok {
		return g.check(r, token)
	}
	return g.Bearer(r)
}

func (g *Gate) check(r *http.Request, token string) (*Key, error) {
	if key := g.local(r, token); key != nil {
		return key, nil
	}
	return g.Keys.Check(r.Context(), token, time.Now())
}

// local returns the key of who is on this machine, by the token; nil for any other.
func (g *Gate) local(r *http.Request, token string) *Key {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if g.Open == "" || subtle.ConstantTimeCompare([]byte(token), []byte(g.Open)) != 1 ||
		err != nil || !addr.Addr().Unmap().IsLoopback() || forwarded(r) {
		return nil
	}
	return &Key{Name: Local, Scopes: Scopes()}
}

// Enter makes a session for a key, or the token of Open, that a browser's user has
// entered, and ends the one that this browser had. Errors: [ErrRefused], and those of
// Redis.
func (g *Gate) Enter(w http.ResponseWriter, r *http.Request, token string) error {
	value, seconds := token, 0
	if g.local(r, token) == nil {
		var err error
		if value, err = g.Keys.Login(r.Context(), token, time.Now()); err != nil {
			return err
		}
		seconds = int(SessionLife / time.Second)
	}
	if err := g.end(r); err != nil {
		return err
	}
	g.Site.Set(w, SessionCookie, value, seconds)
	return nil
}

// Leave ends the session of a browser.
func (g *Gate) Leave(w http.ResponseWriter, r *http.Request) error {
	if err := g.end(r); err != nil {
		return err
	}
	g.Site.Set(w, SessionCookie, "", -1)
	return nil
}

// end ends all sessions whose cookies a browser has sent.
func (g *Gate) end(r *http.Request) error {
	for _, c := range r.CookiesNamed(g.Site.cookie(SessionCookie)) {
		if err := g.Keys.Logout(r.Context(), c.Value); err != nil {
			return err
		}
	}
	return nil
}
