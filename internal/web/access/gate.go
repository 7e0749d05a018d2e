package access

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Gate tells who a request is from.
type Gate struct {
	Keys *Keys
	// Open lets in without a key who comes from this machine, with all scopes.
	Open bool
}

// Local is the name of whoever came in without a key.
const Local = "local"

// Bearer is the key in a request's Authorization header. Errors: [ErrRefused],
// and those of Redis.
func (g *Gate) Bearer(r *http.Request) (*Key, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return g.Keys.Check(r.Context(), strings.TrimSpace(token), time.Now())
	}
	return g.without(r)
}

// Browser is Bearer, and takes what a browser has too: the cookie of a session,
// or a key as the password of HTTP's Basic scheme, whatever the user's name. A
// browser sends such a password along with requests that other sites make it
// send: what writes has to refuse those itself (http.CrossOriginProtection).
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

// without lets in who has shown no key, if anybody. A wrong key lets nobody in.
func (g *Gate) without(r *http.Request) (*Key, error) {
	if g.Open && r.Header.Get("Authorization") == "" && fromHere(r) {
		return &Key{Name: Local, Scopes: Scopes()}, nil
	}
	return nil, ErrRefused
}

// fromHere says whether a request was made on this machine, for this machine:
// the connection is the loopback's, no proxy stands in between, which would
// make everyone's requests come from here, and the name asked for is this
// machine's, not one of a site that has itself resolved to 127.0.0.1.
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

// LoopbackHost says whether a request's host is the machine itself by its name.
func LoopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}
