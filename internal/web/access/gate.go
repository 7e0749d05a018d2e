package access

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Gate finds the key that a request is made with.
type Gate struct {
	Keys *Keys
	// Open admits requests from this machine without a key, with all scopes.
	Open bool
}

// Local is the name of a caller that Open has admitted.
const Local = "local"

// Bearer returns the key in a request's Authorization header. Errors: [ErrRefused],
// and those of Redis.
func (g *Gate) Bearer(r *http.Request) (*Key, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return g.Keys.Check(r.Context(), strings.TrimSpace(token), time.Now())
	}
	return g.without(r)
}

// Browser is Bearer that also accepts what browsers send: the cookie of a session, or
// a key as the password of HTTP's Basic scheme, with any user name. A browser adds
// such a password to requests that other sites make it send, so handlers that write
// must refuse those (http.CrossOriginProtection).
func (g *Gate) Browser(r *http.Request) (*Key, error) {
	if c, err := r.Cookie(SessionCookie); err == nil && r.Header.Get("Authorization") == "" {
		key, err := g.Keys.Session(r.Context(), c.Value)
		if !errors.Is(err, ErrRefused) {
			return key, err
		}
	}
	if _, token, ok := r.BasicAuth(); ok {
		return g.Keys.Check(r.Context(), token, time.Now())
	}
	return g.Bearer(r)
}

// without admits a request that shows no key, if the gate is open to it. A request
// with a wrong key is refused.
func (g *Gate) without(r *http.Request) (*Key, error) {
	if g.Open && r.Header.Get("Authorization") == "" && fromHere(r) {
		return &Key{Name: Local, Scopes: Scopes()}, nil
	}
	return nil, ErrRefused
}

// fromHere reports whether a request was made on this machine, for this machine: its
// connection is the loopback's; no proxy forwarded it, behind which all requests would
// seem to come from here; and its host is this machine, not another site's name that
// resolves to 127.0.0.1.
func fromHere(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !addr.Addr().Unmap().IsLoopback() {
		return false
	}
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			return false
		}
	}
	return LoopbackHost(r.Host)
}

// LoopbackHost reports whether a request's host names this machine.
func LoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}
