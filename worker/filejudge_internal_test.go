package worker

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

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

func TestFiles_ReachNoPrivateAddressByARedirectOrByName(t *testing.T) {
	t.Parallel()
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	t.Cleanup(server.Close)
	f := newFiles(false)
	plain := f.client.Transport
	for text, transport := range map[string]http.RoundTripper{
		strings.Replace(server.URL, "127.0.0.1", "localhost", 1): plain,
		"https://files.example.com/a.pdf":                        detour{plain, server.URL},
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		f.client.Transport = transport
		if v := f.check(t.Context(), u, "a.pdf", time.Time{}); v.fault != "a private address" || served != 0 {
			t.Errorf("%s: %+v, reached %d times", text, v, served)
		}
	}
}
