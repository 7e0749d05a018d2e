package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPublic_IsWhatTheWholeInternetReaches(t *testing.T) {
	t.Parallel()
	open := []string{
		"1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:2800:220:1::1", "2a00::1", "::ffff:1.1.1.1",
		// Beside a closed network.
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15",
		"168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.1", "192.0.1.0", "192.0.3.0", "192.88.98.255",
		"192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
		"203.0.114.0", "223.255.255.255", "2000::1", "2001:200::1", "2001:db7:ffff::1", "2001:db9::1", "2001:ffff::1", "2003::1",
		"3ffe::1", "3fff:1000::1",
	}
	shut := []string{
		// Those that netip names.
		"127.0.0.1", "127.8.8.8", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "0.0.0.0",
		"224.0.0.1", "239.1.2.3", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1", "ff0e::1",
		// One or two of each row.
		"0.1.2.3", "0.255.255.255", "100.64.0.1", "100.127.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.8", "192.0.0.192", "192.0.2.1",
		"192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "240.0.0.1", "255.255.255.255",
		"::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "100::1", "100:0:0:1::1", "2001::7f00:1",
		"2001:1::1", "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "3fff:fff::1", "5f00::1", "fec0::1",
		// Of IPv4 in IPv6's clothes, what IPv4 says.
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:168.63.129.16",
		// Not handed out, or with a zone.
		"200::1", "1fff::1", "4000::1", "8000::1", "fbff::1", "2606:4700::1%eth0",
	}
	for want, all := range map[bool][]string{true: open, false: shut} {
		for _, a := range all {
			if got := public(netip.MustParseAddr(a)); got != want {
				t.Errorf("%s: %t", a, got)
			}
		}
	}
	for _, network := range closed {
		if !slices.ContainsFunc(shut, func(a string) bool { return network.Contains(netip.MustParseAddr(a)) }) {
			t.Errorf("no address of %s is tried", network)
		}
	}
}

// detour sends every request that isn't for this machine on to it.
type detour struct {
	http.RoundTripper
	to string
}

func (d detour) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "127.0.0.1" {
		return d.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {d.to}}, Body: http.NoBody, Request: r}, nil
}

func TestReason_HasNoURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cause error
		want  string
	}{
		{errors.New("refused"), "refused"},
		{&net.OpError{Op: "dial", Err: ErrPrivate}, "a private address"},
		{context.DeadlineExceeded, "no answer in time"},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, "no answer in time"},
	} {
		if got := Reason(&url.Error{Op: "Post", URL: "https://example.com/?token=s3cr3t", Err: c.cause}); got.Error() != c.want {
			t.Errorf("%v: %v", c.cause, got)
		}
	}
}

func TestClient_RefusesPrivateAddressesAlsoAfterARedirectAndByName(t *testing.T) {
	t.Parallel()
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served++
		if r.URL.Path == "/on" {
			http.Redirect(w, r, "/on", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	shut := New(Options{HTTP: true, Redirects: 3, Header: time.Minute})
	for _, u := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		if _, err := shut.Get(u); !errors.Is(err, ErrPrivate) || served != 0 {
			t.Errorf("%v, %d served", err, served)
		}
	}
	open := New(Options{HTTP: true, Private: true, Redirects: 3, Header: time.Minute})
	if _, err := open.Get(server.URL + "/on?secret=1"); !errors.Is(err, ErrRedirects) || served != 4 || strings.Contains(Reason(err).Error(), "secret") {
		t.Errorf("%v, %d served", err, served)
	}
	served = 0
	shut.Transport = detour{shut.Transport, server.URL}
	if _, err := shut.Get("https://lists.example.com"); !errors.Is(err, ErrPrivate) || served != 0 {
		t.Errorf("by a redirect: %v, %d served", err, served)
	}
	onlyTLS := New(Options{Private: true, Redirects: 3, Header: time.Minute})
	secure := httptest.NewTLSServer(http.RedirectHandler(server.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	onlyTLS.Transport.(*http.Transport).TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := onlyTLS.Get(secure.URL); !errors.Is(err, errScheme) {
		t.Error(err)
	}
}
