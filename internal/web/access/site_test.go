package access_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/handout-dev/handout/internal/web/access"
)

func TestParseSite_KnowsWhoIsLocalAndWhatIsSecure(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		base, origin  string
		local, secure bool
	}{
		"":                                  {"", "", true, false},
		"http://127.0.0.1:8090":             {"", "", true, false},
		"http://localhost/handout":          {"/handout", "", true, false},
		"http://[::1]:8090/":                {"", "", true, false},
		"https://localhost":                 {"", "https://localhost", false, true},
		"https://Ops.example.com/handout//": {"/handout", "https://ops.example.com", false, true},
		"https://ops.example.com:443/a/b-c": {"/a/b-c", "https://ops.example.com", false, true},
		"https://ops.example.com:8443":      {"", "https://ops.example.com:8443", false, true},
		"https://[2001:db8::1]:8443/x":      {"/x", "https://[2001:db8::1]:8443", false, true},
		"http://ops.example.com":            {"", "http://ops.example.com", false, false},
		"http://localhost.example.com":      {"", "http://localhost.example.com", false, false},
	} {
		s, err := access.ParseSite(text, false)
		if err != nil || s.Base() != want.base || s.Origin() != want.origin || s.Local() != want.local {
			t.Errorf("%s: %+v, %v", text, s, err)
		}
		w := httptest.NewRecorder()
		s.Set(w, "handout_session", "x", 1)
		if got := w.Result().Cookies()[0]; got.Secure != want.secure || got.Path != want.base+"/" || !got.HttpOnly {
			t.Errorf("%s: %v", text, got)
		}
	}
	for _, text := range []string{
		"ops.example.com", "ftp://ops.example.com", "https://", "https://user@ops.example.com", "https://ops.example.com/?a=b", "https://ops.example.com/#a",
		"https://ops.example.com/a b", `https://ops.example.com/"><script>`, "https://ops.example.com/../x", "https://ops.example.com/a//b", "https://ops.example.com/$1",
	} {
		if s, err := access.ParseSite(text, false); err == nil {
			t.Errorf("%s: %+v", text, s)
		}
	}
}

func TestMount_PutsTheBaseBeforeWhatLeadsOn(t *testing.T) {
	t.Parallel()
	s, err := access.ParseSite("https://ops.example.com/handout/", false)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.URL.EscapedPath()
		w.Header().Set(r.Header.Get("Name"), r.Header.Get("To"))
		w.WriteHeader(http.StatusSeeOther)
	})
	for _, c := range []struct{ path, inside, name, to, want string }{
		{"/handout/a%2Fb", "/a%2Fb", "Location", "/campaigns?a=b", "/handout/campaigns?a=b"},
		{"/a", "/a", "Location", "/handout/x", "/handout/handout/x"}, // a page of ours of this name
		{"/handout/a", "/a", "Location", "https://example.com/", "https://example.com/"},
		{"/handout/a", "/a", "Location", "//example.com/", "//example.com/"},
		{"/handout/a", "/a", "Hx-Redirect", "/login", "/handout/login"},
		{"/handout/a", "/a", "Refresh", "0; url=/campaigns", "0; url=/handout/campaigns"},
		{"/handoutother", "/handoutother", "Location", "/", "/handout/"},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Header.Set("Name", c.name)
		r.Header.Set("To", c.to)
		w := httptest.NewRecorder()
		s.Mount(next).ServeHTTP(w, r)
		if got != c.inside || w.Header().Get(c.name) != c.want || w.Header().Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: inside %s, %v", c.path, got, w.Header())
		}
	}
}
