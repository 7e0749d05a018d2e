// Package outbound is the way out: straight, or through a proxy ([Route]). It makes the
// clients for URLs that others name: those of webhooks, of the files in a list, and of
// schedules' lists. They reach no private address unless it is allowed, also through a
// proxy, follow few redirects, and wait for an answer in bounded time.
package outbound

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Errors that callers tell apart.
var (
	// ErrPrivate means that a URL leads to an address outside the public internet.
	ErrPrivate = errors.New("a private address")
	// ErrRedirects means that there are more redirects than [Options] allow.
	ErrRedirects = errors.New("too many redirects")
	// errScheme means that a URL isn't https.
	errScheme = errors.New("not an https URL")
)

// Options are what a client may do.
type Options struct {
	Private   bool // also private and loopback addresses
	HTTP      bool // also http
	Redirects int  // how many are followed at most
	// Header bounds the time until an answer begins.
	Header time.Duration
	Route  *Route // nil: straight
}

// New returns a client. Its options hold for redirects, too.
func New(o Options) *http.Client {
	return &http.Client{Transport: Transport(o), CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > o.Redirects {
			return ErrRedirects
		}
		return Allowed(r.URL, o)
	}}
}

// Allowed returns an error unless a URL's scheme is allowed.
func Allowed(u *url.URL, o Options) error {
	if u.Scheme == "https" || o.HTTP && u.Scheme == "http" {
		return nil
	}
	return errScheme
}

// Transport returns the transport of such a client.
func Transport(o Options) *http.Transport {
	return o.Route.through(&http.Transport{
		ForceAttemptHTTP2: true, DisableCompression: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: o.Header,
		MaxIdleConns: 20, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}, o.Private)
}

// Reason returns what went wrong with a request, without its URL: that may hold a
// signature.
func Reason(err error) error {
	var timeout net.Error
	if errors.Is(err, ErrPrivate) {
		return ErrPrivate
	}
	if p := (*ProxyError)(nil); errors.As(err, &p) {
		return p
	}
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer in time")
	}
	if u := new(url.Error); errors.As(err, &u) {
		return u.Err
	}
	return err
}
