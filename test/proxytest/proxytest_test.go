package proxytest_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/handout-dev/handout/test/proxytest"
)

// The proxy holds against Go's own client, which handout's isn't.
func TestProxy_ConnectsThoseWhoKnowThePasswordToWhereAnAddressIs(t *testing.T) {
	t.Parallel()
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("vendor.example.com:443", ca.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }), "vendor.example.com"))
	get := func(proxyURL, to string) error {
		u, err := url.Parse(proxyURL)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: &tls.Config{RootCAs: ca.Pool}}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get(to)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if err := get(proxy.URL(), "https://vendor.example.com/"); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct{ proxy, to string }{
		"a stranger":            {strings.Replace(proxy.URL(), proxytest.User, "stranger", 1), "https://vendor.example.com/"},
		"a place of no address": {proxy.URL(), "https://elsewhere.example.com/"},
	} {
		if err := get(c.proxy, c.to); err == nil {
			t.Errorf("%s was let out", name)
		}
	}
}
