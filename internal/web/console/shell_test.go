package console_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/handout-dev/handout/internal/web/access"
	"github.com/handout-dev/handout/internal/web/console"
)

func TestLogin_LeadsBackToThePage(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	key := h.key(t, "olga", access.Read)
	b := h.browser(t)
	if a := b.get(http.StatusSeeOther, "/campaigns?page=1"); a.header.Get("Location") != "/login?next=%2Fcampaigns%3Fpage%3D1" {
		t.Errorf("without a key it leads to %q", a.header.Get("Location"))
	}
	b.see(b.get(http.StatusOK, "/login?next=%2Fcampaigns%3Fpage%3D1"), `name="next" value="/campaigns?page=1"`, `<label for="key">`)
	b.see(b.post(http.StatusUnauthorized, "/login", "key", key+"0"), `id="wrong"`)
	b.get(http.StatusSeeOther, "/campaigns")
	a := b.post(http.StatusSeeOther, "/login", "key", " "+key+"\n", "next", "/campaigns?page=1")
	if a.header.Get("Location") != "/campaigns?page=1" {
		t.Errorf("the login leads to %q", a.header.Get("Location"))
	}
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"handout_session=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie hasn't %s: %s", want, cookie)
		}
	}
	if strings.Contains(cookie, key[len("ho_olga_"):]) || strings.Contains(cookie, "Secure") {
		t.Errorf("the cookie: %s", cookie)
	}
	b.see(b.get(http.StatusOK, "/campaigns"), "olga")
	if err := h.keys.Revoke(t.Context(), "olga"); err != nil {
		t.Fatal(err)
	}
	b.get(http.StatusSeeOther, "/campaigns")
}

func TestLogin_LeadsNowhereElse(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	key := h.key(t, "olga", access.Read)
	for _, next := range []string{"https://example.com/", "//example.com/", "///example.com/", `/\example.com`, "example.com", "javascript:alert(1)", "/\n/example.com", ""} {
		if a := h.browser(t).post(http.StatusSeeOther, "/login", "key", key, "next", next); a.header.Get("Location") != "/campaigns" {
			t.Errorf("%q leads to %q", next, a.header.Get("Location"))
		}
	}
}

// A browser throws a Secure cookie away that came over plain HTTP, so that
// people wouldn't know why they aren't logged in.
func TestLogin_OverPlainHTTPIsRefusedUnlessItIsWanted(t *testing.T) {
	t.Parallel()
	for plain, want := range map[bool]int{false: http.StatusForbidden, true: http.StatusSeeOther} {
		h := open(t, func(o *console.Options) { o.PlainHTTP = plain })
		key := h.key(t, "olga", access.Read)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url+"/login", strings.NewReader("key="+key))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "console.example.com"
		req.Header.Set("Origin", "http://console.example.com")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || strings.Contains(resp.Header.Get("Set-Cookie"), "Secure") {
			t.Errorf("plain %t: %d %s", plain, resp.StatusCode, resp.Header.Get("Set-Cookie"))
		}
		if plain {
			continue
		}
		req = req.Clone(t.Context()) // TLS ends before the console
		req.Header.Set("Origin", "https://console.example.com")
		req.Body = io.NopCloser(strings.NewReader("key=" + key))
		if resp, err = http.DefaultTransport.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther || !strings.Contains(resp.Header.Get("Set-Cookie"), "; Secure") {
			t.Errorf("behind TLS: %d %s", resp.StatusCode, resp.Header.Get("Set-Cookie"))
		}
	}
}

func TestLogout_EndsTheSession(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read)
	if len(h.rdb.Keys(t.Context(), "handout:session:*").Val()) != 1 {
		t.Fatal("there is no session")
	}
	b.post(http.StatusSeeOther, "/logout")
	b.get(http.StatusSeeOther, "/campaigns")
	if n := len(h.rdb.Keys(t.Context(), "handout:session:*").Val()); n != 0 {
		t.Errorf("Redis still has %d sessions", n)
	}
}

func TestPages_TakeAKeyAsAPasswordToo(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.browser(t)
	b.header.Set("Authorization", "Bearer "+h.key(t, "olga", access.Read))
	b.see(b.get(http.StatusOK, "/campaigns"), "olga")
	b.header.Set("Authorization", "Bearer ho_olga_wrong")
	if a := b.get(http.StatusUnauthorized, "/campaigns"); a.header.Get("WWW-Authenticate") == "" {
		t.Error("nothing says how to show a key")
	}
	b.header.Set("Authorization", "Bearer "+h.key(t, "shop", access.Submit))
	b.see(b.get(http.StatusForbidden, "/campaigns"), "lacks the scope read")
}

func TestForms_AreRefusedFromOtherSites(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	h.submit(t, "spring", 2, true, "")
	b := h.login(t, "olga", access.Read, access.Control)
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://example.com"}}, {"Origin": {"null"}},
	} {
		b.header = header
		for _, path := range []string{"/campaigns/spring/pause", "/campaigns/spring/cancel", "/login", "/logout"} {
			b.see(b.post(http.StatusForbidden, path), "Nothing was done")
		}
	}
	if info, err := h.ledger.Info(t.Context(), "spring"); err != nil || info.Phase != "running" {
		t.Errorf("%v, %v", info, err)
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {h.url}}
	b.post(http.StatusSeeOther, "/campaigns/spring/pause")
}

// The browser keeps a Strict cookie back when a link on another site's page was
// followed: the first page sends it on, once.
func TestLinks_FromOtherSitesLeadIn(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.browser(t)
	b.header.Set("Sec-Fetch-Site", "cross-site")
	if a := b.get(http.StatusOK, "/campaigns?page=2"); a.header.Get("Refresh") != "0; url=/campaigns?page=2" {
		t.Errorf("%v", a.header)
	}
	b.header.Set("Sec-Fetch-Site", "same-origin")
	b.get(http.StatusSeeOther, "/campaigns?page=2")
}

func TestErrors_HaveTheLayout(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read)
	b.see(b.get(http.StatusNotFound, "/nope"), `id="error"`, `id="nav"`)
	b.miss(h.browser(t).get(http.StatusNotFound, "/nope"), `id="nav"`)
	b.see(b.get(http.StatusNotFound, "/campaigns/nope"), `id="error"`)
	b.see(b.get(http.StatusNotFound, "/campaigns/NOPE"), `id="error"`)
	b.see(b.post(http.StatusMethodNotAllowed, "/campaigns"), `id="error"`)
	b.see(b.get(http.StatusBadRequest, "/campaigns?page=0"), `id="error"`)
}

func TestErrors_ARedisThatIsAwayIsSaid(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read)
	h.redis.Kill()
	for _, path := range []string{"/campaigns", "/campaigns/spring"} {
		a := b.get(http.StatusServiceUnavailable, path)
		b.see(a, "be reached")
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s: it doesn't say when to come back", path)
		}
	}
	b.see(b.post(http.StatusServiceUnavailable, "/login", "key", "ho_olga_"+strings.Repeat("0", 64)), "be reached")
	h.redis.Restart()
}

func TestAssets_AreHereWithTheirLicences(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.browser(t)
	for _, file := range []string{"console.css", "icon.svg", "htmx-2.0.11.min.js", "htmx-2.0.11.LICENSE", "htmx-ext-sse-2.2.4.min.js", "htmx-ext-sse-2.2.4.LICENSE"} {
		if a := b.get(http.StatusOK, "/assets/"+file); a.body == "" || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v", file, a.header)
		}
	}
	for _, path := range []string{"/assets/nope.css", "/assets/"} {
		if resp, err := http.Get(h.url + path); err != nil || resp.StatusCode == http.StatusOK || strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %v, %v", path, resp, err)
		} else {
			_ = resp.Body.Close()
		}
	}
}
