package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Gate finds the key that a request is made with.
type Gate struct {
	Keys *Keys
	Site Site
	// Open is a token that admits requests from this machine with all scopes, for as
	// long as the process runs; empty: none. It is printed at the start, so that who
	// reads it is on this machine: a proxy's users, whose requests seem to come from
	// here, don't.
	Open string
	// Simulated says that messages go to a simulator, where test keys may send.
	Simulated bool
	// OnRefused is called with each request that is refused, the name that its key
	// claims, and why; may be nil.
	OnRefused func(ctx context.Context, from, name string, why error)
	// OnEntered is called with each login before the browser gets the session; who can't
	// be traced isn't let in. May be nil.
	OnEntered func(ctx context.Context, key *Key) error
}

// Local is the name of a caller that Open has admitted.
const Local = "local"

// Bearer returns the key in a request's Authorization header. Errors: [ErrRefused],
// and those of Redis.
func (g *Gate) Bearer(r *http.Request) (*Key, error) {
	key, err := g.bearer(r)
	return g.came(r, key, err)
}

// came returns a caller with where it comes from, and reports who is refused with what
// they have brought. Who brings nothing gets to the login.
func (g *Gate) came(r *http.Request, key *Key, err error) (*Key, error) {
	from := g.Site.From(r)
	switch {
	case err == nil:
		key.From, key.Barred = from, key.Test && !g.Simulated
	case errors.Is(err, ErrRefused) && g.OnRefused != nil && (r.Header.Get("Authorization") != "" || len(r.CookiesNamed(g.Site.cookie(SessionCookie))) > 0):
		g.OnRefused(r.Context(), from, claimed(r), err)
	}
	return key, err
}

// claimed is the name of the key that a request claims to have; empty: none that could
// be one.
func claimed(r *http.Request) string {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if _, password, ok := r.BasicAuth(); ok {
		token = password
	}
	name, _ := cutToken(strings.TrimSpace(token))
	return name
}

func (g *Gate) bearer(r *http.Request) (*Key, error) {
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
	key, err := g.browser(r)
	return g.came(r, key, err)
}

func (g *Gate) browser(r *http.Request) (*Key, error) {
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
	return g.bearer(r)
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
	return &Key{Name: Local, Scopes: Scopes(), Via: ViaLocal}
}

// Enter makes a session for a key, or the token of Open, that a browser's user has
// entered, and ends the one that this browser had. Errors: [ErrRefused], and those of
// Redis.
func (g *Gate) Enter(w http.ResponseWriter, r *http.Request, token string) error {
	if key := g.local(r, token); key != nil {
		return g.enter(w, r, key, token, 0)
	}
	key, value, err := g.Keys.Login(r.Context(), token, time.Now())
	if err != nil {
		name, _ := cutToken(token)
		return g.Refuse(r, name, err)
	}
	return g.enter(w, r, key, value, int(SessionLife/time.Second))
}

// EnterPerson is Enter for a person who has logged in through the provider. Errors:
// [*NoGroupError], and those of Redis.
func (g *Gate) EnterPerson(w http.ResponseWriter, r *http.Request, person *Person) error {
	key, value, err := g.Keys.loginPerson(r.Context(), *person, time.Now())
	if err != nil {
		return g.Refuse(r, person.Name, err)
	}
	return g.enter(w, r, key, value, int(SessionLife/time.Second))
}

// Refuse reports a login that is refused, and returns why; name is who it claims to be.
func (g *Gate) Refuse(r *http.Request, name string, why error) error {
	if errors.Is(why, ErrRefused) && g.OnRefused != nil {
		g.OnRefused(r.Context(), g.Site.From(r), name, why)
	}
	return why
}

func (g *Gate) enter(w http.ResponseWriter, r *http.Request, key *Key, value string, seconds int) error {
	key.From = g.Site.From(r)
	if g.OnEntered != nil {
		if err := g.OnEntered(r.Context(), key); err != nil {
			return err
		}
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
