package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPublic_IsWhatAnyoneCanReach(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true, "127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false,
		"169.254.169.254": false, "0.0.0.0": false, "100.64.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "fd00::1": false, "fe80::1%eth0": false,
		"224.0.0.1": false, "255.255.255.255": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "198.18.0.1": false, "::": false,
	} {
		if got := public(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
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
	onlyTLS := New(Options{Private: true, Redirects: 3, Header: time.Minute})
	secure := httptest.NewTLSServer(http.RedirectHandler(server.URL, http.StatusFound))
	t.Cleanup(secure.Close)
	onlyTLS.Transport.(*http.Transport).TLSClientConfig = secure.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := onlyTLS.Get(secure.URL); !errors.Is(err, ErrScheme) {
		t.Error(err)
	}
}
