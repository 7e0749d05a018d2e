// Package outbound fetches what others name by a URL: without private addresses
// unless they are allowed, with few redirects, and in bounded time.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// ErrPrivate means that a URL leads to this machine or its own network.
var ErrPrivate = errors.New("a private address")

// ErrRedirects means that a URL leads on and on.
var ErrRedirects = errors.New("too many redirects")

// ErrScheme means that a URL isn't https.
var ErrScheme = errors.New("not an https URL")

// Options are what a client may do.
type Options struct {
	Private   bool // private and loopback addresses are allowed
	HTTP      bool // http is, beside https
	Redirects int  // are followed at most
	// Header bounds the time until an answer begins.
	Header time.Duration
}

// New is a client. What it may do holds for redirects too. It reads no proxy
// from the environment, since a proxy would look names up itself.
func New(o Options) *http.Client {
	return &http.Client{Transport: Transport(o), CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > o.Redirects {
			return ErrRedirects
		}
		return Allowed(r.URL, o)
	}}
}

// Allowed says whether a URL's scheme is.
func Allowed(u *url.URL, o Options) error {
	if u.Scheme == "https" || o.HTTP && u.Scheme == "http" {
		return nil
	}
	return ErrScheme
}

// Transport is a client's. The address is judged when it is dialed, so that no
// name can be looked up as one and dialed as another.
func Transport(o Options) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if o.Private {
			return nil
		}
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		if !public(at.Addr()) {
			return ErrPrivate
		}
		return nil
	}}
	return &http.Transport{
		DialContext: dialer.DialContext, ForceAttemptHTTP2: true, DisableCompression: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: o.Header,
		MaxIdleConns: 20, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// closed are networks that no public server is in, beside those that netip
// knows: shared by providers, for documentation and benchmarks, for later, and
// IPv6 that holds an IPv4 address.
var closed = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("2001::/32"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fec0::/10"),
}

func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range closed {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Reason is what went wrong with a request, without its URL: that may hold a
// signature.
func Reason(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch {
	case errors.Is(err, ErrPrivate):
		return ErrPrivate
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	}
	return err
}
