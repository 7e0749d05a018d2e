package filecheck

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/test/proxytest"
)

func TestFiles_ReachNoPrivateAddressByARedirectOrByName(t *testing.T) {
	t.Parallel()
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	t.Cleanup(server.Close)
	f := New(false, nil)
	plain := f.client.Transport
	for text, transport := range map[string]http.RoundTripper{
		strings.Replace(server.URL, "127.0.0.1", "localhost", 1): plain,
		"https://files.example.com/a.pdf":                        proxytest.Detour{RoundTripper: plain, To: server.URL, Status: http.StatusFound},
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		f.client.Transport = transport
		if v := f.Check(t.Context(), u, "a.pdf", time.Time{}); v.Fault != "a private address" || served != 0 {
			t.Errorf("%s: %+v, reached %d times", text, v, served)
		}
	}
}

func TestFiles_AreCheckedThroughAProxyByTheAddressThatWasJudged(t *testing.T) {
	t.Parallel()
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("93.184.216.34:443", ca.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "application/pdf") }), "93.184.216.34"))
	route, err := outbound.NewRoute(proxy.URL(), "", ca.Pool)
	if err != nil {
		t.Fatal(err)
	}
	f := New(false, route)
	t.Cleanup(f.client.CloseIdleConnections)
	for text, want := range map[string]string{
		"https://93.184.216.34/a.pdf": "", "https://10.0.0.5/a.pdf": "a private address", "https://93.184.216.35/a.pdf": "the proxy answers 502 Bad Gateway",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if v := f.Check(t.Context(), u, "a.pdf", time.Time{}); v.Fault != want {
			t.Errorf("%s: %+v, want %q", text, v, want)
		}
	}
}
