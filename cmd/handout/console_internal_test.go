package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/handout-dev/handout/test/redistest"
)

// behind opens a console behind a proxy that does as nginx's proxy_pass: it puts the
// upstream's Host into the request, and says nothing of where it came from. cut is
// what it cuts off the path.
func behind(t *testing.T, cut string, serve func(http.Handler) *httptest.Server, change func(c *Config, proxy string)) (proxy *httptest.Server, redis *redistest.Server, open string) {
	t.Helper()
	redis = redistest.Start(t)
	t.Setenv("REDIS_URL", redis.URL())
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Transport: &http.Transport{}}
	proxy = serve(forward)
	t.Cleanup(proxy.Close)
	change(c, proxy.URL)
	handler, open, stop, err := newConsole(&mode{c, redis.Client(), prometheus.NewRegistry(), slog.New(slog.DiscardHandler), ""})
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(handler)
	t.Cleanup(func() { _ = stop(); upstream.Close() })
	to, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	forward.Rewrite = func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", to.Host, to.Host
		r.Out.URL.Path = strings.TrimPrefix(r.Out.URL.Path, cut)
	}
	return proxy, redis, open
}

// visitor is a browser that says what browsers say of their requests.
type visitor struct {
	t      *testing.T
	client *http.Client
	origin string
}

func visit(t *testing.T, server *httptest.Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.Jar = jar
	return &visitor{t, client, server.URL}
}

// ask sends a request and follows redirects; where it ends is the path.
func (v *visitor) ask(method, path string, form url.Values) (status int, at string, resp *http.Response, text string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", v.origin)
	}
	resp, err = v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		line := make([]byte, 1)
		if _, err := resp.Body.Read(line); err != nil {
			v.t.Error(err)
		}
		return resp.StatusCode, resp.Request.URL.Path, resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, resp.Request.URL.Path, resp, string(body)
}

// As with nginx's `proxy_pass http://127.0.0.1:8090;`, through which all the world came
// in without a key and could make some.
func TestConsole_IsOpenToNoUserOfAProxy(t *testing.T) {
	proxy, redis, link := behind(t, "", httptest.NewServer, func(c *Config, _ string) { c.ConsoleOpen = true })
	v := visit(t, proxy)
	if _, at, _, _ := v.ask("GET", "/campaigns", nil); at != "/login" {
		t.Errorf("a page: %s", at)
	}
	if status, _, _, _ := v.ask("POST", "/keys", url.Values{"name": {"evil"}, "scope": {"read", "people"}}); status != http.StatusUnauthorized {
		t.Errorf("a key is made: %d", status)
	}
	for _, path := range []string{"/api/v1/campaigns", "/queues/"} {
		if status, _, _, _ := v.ask("GET", path, nil); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, _, text := v.ask("GET", "/metrics", nil); strings.Contains(text, "go_goroutines") {
		t.Errorf("metrics: %d", status)
	}
	if n := redis.Client().HLen(t.Context(), "handout:keys").Val(); n != 0 {
		t.Errorf("%d keys", n)
	}
	// The one who can read what was printed comes in.
	if status, at, _, text := v.ask("GET", link, nil); status != http.StatusOK || at != "/campaigns" || !strings.Contains(text, "on this machine") {
		t.Errorf("by the link: %d %s", status, at)
	}
}

var links = regexp.MustCompile(` (href|src|action|hx-get|sse-connect)="([^"#]+)`)

// A proxy ends TLS and has the console under a path; it cuts the path off, or doesn't.
func TestConsole_StandsUnderAProxysPath(t *testing.T) {
	for name, cut := range map[string]string{"the path is passed on": "", "the path is cut off": "/handout"} {
		t.Run(name, func(t *testing.T) {
			proxy, _, _ := behind(t, cut, httptest.NewTLSServer, func(c *Config, proxy string) { c.ConsoleURL = proxy + "/handout/" })
			f := &faces{t: t, dir: t.TempDir()}
			f.submit("spring")
			token, why := f.command("key", "create", "--name", "olga", "--scopes", "read,submit,control,people")
			if why != "" {
				t.Fatal(why)
			}
			v := visit(t, proxy)
			_, at, _, text := v.ask("GET", "/handout/campaigns/spring?history=all", nil)
			next := regexp.MustCompile(`name="next" value="([^"]*)"`).FindStringSubmatch(text)
			if at != "/handout/login" || next == nil {
				t.Fatalf("%s %s", at, text)
			}
			status, at, resp, _ := v.ask("POST", "/handout/login", url.Values{"key": {token}, "next": {next[1]}})
			if status != http.StatusOK || at != "/handout/campaigns/spring" || resp.Header.Get("Strict-Transport-Security") == "" {
				t.Fatalf("the login leads to %d %s %v", status, at, resp.Header)
			}
			here, err := url.Parse(proxy.URL + "/handout/")
			if err != nil {
				t.Fatal(err)
			}
			if cookies := v.client.Jar.Cookies(here); len(cookies) != 1 || cookies[0].Name != "__Secure-handout_session" {
				t.Errorf("cookies: %v", cookies)
			}
			above, _ := url.Parse(proxy.URL + "/")
			if cookies := v.client.Jar.Cookies(above); len(cookies) != 0 {
				t.Errorf("others at the proxy get %v", cookies)
			}
			walk(t, v)
			if status, at, _, text := v.ask("POST", "/handout/campaigns/spring/cancel", nil); status != http.StatusConflict || at != "/handout/campaigns/spring/cancel" {
				t.Errorf("a form: %d %s %.300s", status, at, text)
			}
			if status, at, _, text := v.ask("POST", "/handout/campaigns/spring/pause", nil); status != http.StatusOK || at != "/handout/campaigns/spring" {
				t.Errorf("a form: %d %s %.300s", status, at, text)
			}
			if _, _, _, text := v.ask("GET", "/handout/queues/", nil); !strings.Contains(text, `FLAG_ROOT_PATH="/handout/queues"`) && !strings.Contains(text, `FLAG_ROOT_PATH="\/handout\/queues"`) {
				t.Errorf("the queues' scripts look elsewhere: %s", text)
			}
			if status, _, _, text := v.ask("GET", "/handout/queues/api/queues", nil); status != http.StatusOK || !strings.Contains(text, `"queues"`) {
				t.Errorf("the queues: %d %s", status, text)
			}
			_, _, _, text = v.ask("GET", "/handout/api/v1/openapi.json", nil)
			var document struct{ Servers []struct{ URL string } }
			if err := json.Unmarshal([]byte(text), &document); err != nil || len(document.Servers) != 1 || document.Servers[0].URL != "/handout/api/v1" {
				t.Errorf("%v %v", document, err)
			}
			if _, at, _, _ := v.ask("POST", "/handout/logout", nil); at != "/handout/login" {
				t.Errorf("the logout leads to %s", at)
			}
		})
	}
}

// walk follows all addresses in all pages, as far as they lead.
func walk(t *testing.T, v *visitor) {
	t.Helper()
	seen := map[string]bool{}
	waiting := []string{"/handout/", "/handout"}
	for len(waiting) > 0 {
		path := waiting[0]
		waiting = waiting[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		status, at, resp, text := v.ask("GET", path, nil)
		if status >= 400 || !strings.HasPrefix(at, "/handout/") || at == "/handout/login" {
			t.Errorf("%s: %d at %s", path, status, at)
		}
		if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
			continue
		}
		for _, m := range links.FindAllStringSubmatch(text, -1) {
			to, err := resp.Request.URL.Parse(strings.ReplaceAll(m[2], "&amp;", "&"))
			if err != nil || !strings.HasPrefix(to.Path, "/handout/") {
				t.Errorf("%s leads to %s", path, m[0])
				continue
			}
			if m[1] != "action" { // which may take a POST alone
				waiting = append(waiting, to.RequestURI())
			}
		}
	}
	for _, path := range []string{
		"/handout/campaigns/spring/live", "/handout/campaigns/spring/export?format=xlsx", "/handout/new", "/handout/doubt", "/handout/suppression",
		"/handout/keys", "/handout/queues/", "/handout/queues/favicon.ico", "/handout/api/v1/docs", "/handout/api/v1/openapi.json",
	} {
		if !seen[path] {
			t.Errorf("nothing leads to %s", path)
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d addresses", len(seen))
	}
}
