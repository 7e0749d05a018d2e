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

// at is a request that a browser at another address makes, through a proxy or not.
func (h *house) at(t *testing.T, method, path, form string, header ...string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, h.url+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		if req.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // which follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

func site(t *testing.T, url string, plain bool) func(*console.Options) {
	t.Helper()
	s, err := access.ParseSite(url, plain)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *console.Options) { o.Gate.Site = s }
}

// Where a key would travel in the open, or a cookie be thrown away by the browser, no
// key is asked for.
func TestLogin_IsAtTheConsolesAddressAlone(t *testing.T) {
	t.Parallel()
	const https, plainly = "https://ops.example.com", "http://ops.example.com"
	for _, c := range []struct {
		name, url string
		plain     bool
		header    []string
		form, in  bool // it is shown; a key that is sent lets in
	}{
		{name: "this machine", header: []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:8090"}, form: true, in: true},
		{name: "another machine, by http", header: []string{"Host", "10.0.0.7:8090", "Origin", "http://10.0.0.7:8090"}},
		{name: "a proxy that keeps the host", header: []string{"Host", "ops.example.com", "Origin", https}},
		{name: "a proxy that says so", header: []string{"X-Forwarded-Proto", "https", "Origin", https}},
		{name: "a proxy that says nothing", header: []string{"Sec-Fetch-Site", "same-origin", "Origin", https}, form: true},
		{name: "plain http that is wanted", plain: true, header: []string{"Host", "10.0.0.7:8090", "Origin", "http://10.0.0.7:8090"}, form: true, in: true},
		{name: "https", url: https, header: []string{"Sec-Fetch-Site", "same-origin", "Origin", https}, form: true, in: true},
		{name: "https, an old browser behind a proxy", url: https, header: []string{"Origin", https}, form: true, in: true},
		{name: "https, past the proxy", url: https, header: []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8090"}, form: true},
		{name: "https, by http to the proxy", url: https, header: []string{"X-Forwarded-Proto", "http", "Origin", plainly}},
		{name: "an address by http", url: plainly, header: []string{"Host", "ops.example.com", "Origin", plainly}},
		{name: "an address by http that is wanted", url: plainly, plain: true, header: []string{"Host", "ops.example.com", "Origin", plainly}, form: true, in: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, site(t, c.url, c.plain))
			key := h.key(t, "olga", access.Read)
			n := len(c.header) // a browser sends no Origin along with a GET
			if n > 0 {
				n -= 2
			}
			status, _, page := h.at(t, http.MethodGet, "/login", "", c.header[:n]...)
			if shown := strings.Contains(page, `name="key"`); shown != c.form || shown != (status == http.StatusOK) {
				t.Errorf("the form: %d, %t", status, shown)
			}
			status, header, _ := h.at(t, http.MethodPost, "/login", "key="+key, c.header...)
			secure := strings.HasPrefix(header.Get("Set-Cookie"), "__Host-handout_session=") && strings.Contains(header.Get("Set-Cookie"), "; Secure")
			if (status == http.StatusSeeOther) != c.in || secure != (c.in && c.url == https) {
				t.Errorf("with a key: %d %v", status, header)
			}
		})
	}
}

func TestLogin_EndsTheSessionBefore(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	b := h.login(t, "olga", access.Read)
	b.post(http.StatusSeeOther, "/login", "key", h.key(t, "petra", access.Read))
	b.see(b.get(http.StatusOK, "/campaigns"), "petra")
	if n := len(h.rdb.Keys(t.Context(), "handout:session:*").Val()); n != 1 {
		t.Errorf("%d sessions", n)
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

func TestPages_SayAtTheirFootWhereMessagesGo(t *testing.T) {
	t.Parallel()
	h := open(t, func(o *console.Options) { o.Destination = "a simulator (127.0.0.1:8060)" })
	b := h.login(t, "olga", access.Read)
	b.see(b.get(http.StatusOK, "/campaigns"), `id="destination">Messages go to a simulator (127.0.0.1:8060).`)
	b.miss(h.browser(t).get(http.StatusOK, "/login"), "Messages go to") // who has no key needn't know
}
