package webhook

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/test/proxytest"
)

func TestBackoff_GrowsFromFiveSecondsToAnHour(t *testing.T) {
	t.Parallel()
	for failed, most := range map[int]time.Duration{
		0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 3: 20 * time.Second, 8: 640 * time.Second,
		10: 2560 * time.Second, 11: time.Hour, 12: time.Hour, 1 << 40: time.Hour,
	} {
		for range 100 {
			if d := backoff(failed); d > most || d < most*4/5-1 {
				t.Fatalf("%d failures: %v, want about %v", failed, d, most)
			}
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][2]error{ // without private addresses, with them
		"https://example.com/hooks?key=1": {nil, nil},
		"http://example.com":              {ErrInsecure, nil},
		"http://127.0.0.1:8000/":          {ErrInsecure, nil},
		"https://":                        {ErrBadURL, ErrBadURL},
		"https://ann:secret@example.com":  {ErrBadURL, ErrBadURL},
		"ftp://example.com":               {ErrBadURL, ErrBadURL},
		"example.com":                     {ErrBadURL, ErrBadURL},
		"https://exa mple.com\n":          {ErrBadURL, ErrBadURL},
		"":                                {ErrBadURL, ErrBadURL},
	} {
		for i, private := range []bool{false, true} {
			if err := CheckURL(address, private); !errors.Is(err, want[i]) {
				t.Errorf("%q, private %t: %v, want %v", address, private, err, want[i])
			}
		}
	}
}

func TestShowURL_LeavesOutWhatMayBeASecret(t *testing.T) {
	t.Parallel()
	if got := ShowURL("https://example.com/hooks?token=s3cr3t#s3cr3t"); got != "https://example.com/hooks?..." {
		t.Error(got)
	}
}

func TestClient_ReachesNoPrivateAddressByARedirectOrByName(t *testing.T) {
	t.Parallel()
	served := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ }))
	t.Cleanup(server.Close)
	c := NewClient(false, nil)
	e := New(strings.Replace(server.URL, "127.0.0.1", "localhost", 1)+"/?token=s3cr3t", nil, "", false, time.Now())
	if a := c.post(t.Context(), &e, "msg_1", nil); a.status != 0 || a.fault() != outbound.ErrPrivate.Error() {
		t.Errorf("by name: %+v", a)
	}
	c.http.Transport, e.URL = proxytest.Detour{RoundTripper: c.http.Transport, To: server.URL, Status: http.StatusTemporaryRedirect}, "https://hooks.example.com"
	if a := c.post(t.Context(), &e, "msg_1", nil); a.status != http.StatusTemporaryRedirect {
		t.Errorf("by a redirect: %+v", a)
	}
	if served != 0 {
		t.Errorf("it was reached %d times", served)
	}
}

func TestClient_ReachesAnEndpointThroughAProxyByTheAddressThatWasJudged(t *testing.T) {
	t.Parallel()
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("93.184.216.34:443", ca.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), "93.184.216.34"))
	proxy.Lead("10.0.0.5:443", "127.0.0.1:1")
	route, err := outbound.NewRoute(proxy.URL(), "", ca.Pool)
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(false, route)
	t.Cleanup(c.Close)
	e := New("https://93.184.216.34/hook", nil, "", false, time.Now())
	if a := c.post(t.Context(), &e, "msg_1", nil); a.status != http.StatusNoContent {
		t.Errorf("%+v", a)
	}
	if err := c.Reach(t.Context(), e.URL); err != nil {
		t.Error(err)
	}
	inside := New("https://10.0.0.5/hook", nil, "", false, time.Now())
	if a := c.post(t.Context(), &inside, "msg_1", nil); a.fault() != outbound.ErrPrivate.Error() {
		t.Errorf("%+v", a)
	}
	if err := c.Reach(t.Context(), inside.URL); !errors.Is(err, ErrPrivate) {
		t.Error(err)
	}
	if asked := proxy.Asked(); slices.Contains(asked, "10.0.0.5:443") {
		t.Errorf("the proxy was asked for %q", asked)
	}
	proxy.Stop()
	c.Close()
	if a := c.post(t.Context(), &e, "msg_1", nil); a.status != 0 || !strings.HasPrefix(a.fault(), "the proxy: ") || strings.Contains(a.fault(), proxytest.Password) {
		t.Errorf("without the proxy: %+v", a)
	}
}
