package access

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// Site is where browsers reach the console, as the one who runs it has said. It decides
// which cookies are Secure and who is local, since a request's Host says only what the
// last proxy has written there. The zero Site is this machine, by http.
type Site struct {
	origin string // https://ops.example.com, as browsers send it; empty: this machine, or any with plain
	base   string // the path under which everything stands, as in /handout; empty: none
	secure bool   // by https
	plain  bool   // by http also from other machines, where others can read along
}

// baseForm is a path as a site may have.
var baseForm = regexp.MustCompile(`^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*$`)

// ParseSite reads the console's URL, as in https://ops.example.com/handout/. An empty one
// is this machine, by http. plain lets keys and sessions travel by http.
func ParseSite(text string, plain bool) (Site, error) {
	s := Site{plain: plain}
	if text == "" {
		return s, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return Site{}, errors.New("must be an http or https URL, as in https://ops.example.com/handout/")
	}
	s.base, s.secure = strings.TrimRight(u.Path, "/"), u.Scheme == "https"
	if !baseForm.MatchString(s.base) {
		return Site{}, errors.New("must have a path of letters, digits and -._~ only")
	}
	if s.secure || !loopback(u.Host) {
		port := u.Port()
		if port == map[string]string{"http": "80", "https": "443"}[u.Scheme] {
			port = ""
		}
		s.origin = u.Scheme + "://" + strings.ToLower(u.Hostname())
		if strings.Contains(u.Hostname(), ":") {
			s.origin = u.Scheme + "://[" + u.Hostname() + "]"
		}
		if port != "" {
			s.origin += ":" + port
		}
	}
	return s, nil
}

// Base returns the path under which everything stands, as in /handout; empty: none.
func (s Site) Base() string { return s.base }

// Origin returns the origin of the site's own pages, as browsers send it; empty: unknown.
func (s Site) Origin() string { return s.origin }

// Local reports whether only browsers on this machine reach the console.
func (s Site) Local() bool { return s.origin == "" && !s.plain }

// cookie returns the name under which browsers keep a cookie. By the prefix they take
// it only from https, and with __Host- only from this very host (RFC 6265bis).
func (s Site) cookie(name string) string {
	switch {
	case !s.secure:
		return name
	case s.base == "":
		return "__Host-" + name
	}
	return "__Secure-" + name
}

// Set sends a cookie to a browser, for so many seconds; 0: until it is closed.
func (s Site) Set(w http.ResponseWriter, name, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookie(name), Value: value, Path: s.base + "/", MaxAge: seconds,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
	})
}

// Cookie returns the value of a cookie that Set has sent; empty: none, or several, of
// which some are of another site.
func (s Site) Cookie(r *http.Request, name string) string {
	if all := r.CookiesNamed(s.cookie(name)); len(all) == 1 {
		return all[0].Value
	}
	return ""
}

// Refuses returns why no key is to be entered at this request's page, in words for the
// one who runs the console; empty: it may be.
func (s Site) Refuses(r *http.Request) string {
	origin := r.Header.Get("Origin") // a browser's, whatever proxies do to the Host
	if origin == "null" {
		origin = "" // said of our own forms by some; CrossOriginProtection judges it
	}
	switch {
	case s.secure && (origin != "" && origin != s.origin || r.Header.Get("X-Forwarded-Proto") == "http"):
		return "This page isn't at the console's address, which is " + s.origin + s.base + "/ by HANDOUT_CONSOLE_URL."
	case s.secure || s.plain:
		return ""
	case s.origin != "":
		return "The console's address is " + s.origin + s.base + "/, by plain HTTP, where a key can be read on the way. Put the console behind TLS, and its https address into HANDOUT_CONSOLE_URL; or, in a network that you trust, set HANDOUT_CONSOLE_PLAIN_HTTP=true."
	case forwarded(r) || !loopback(r.Host) || origin != "" && !loopback(strings.TrimPrefix(origin, "http://")):
		return "The console doesn't know this page's address. Put the https address that browsers use into HANDOUT_CONSOLE_URL; or, in a network that you trust, set HANDOUT_CONSOLE_PLAIN_HTTP=true."
	}
	return ""
}

// From is the address that a request comes from. Behind a proxy, which only a site with
// an address of its own has, it is the one that the proxy has added last.
func (s Site) From(r *http.Request) string {
	if last := r.Header.Values("X-Forwarded-For"); s.origin != "" && len(last) > 0 {
		all := strings.Split(last[len(last)-1], ",")
		if ip, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1])); err == nil {
			return ip.String()
		}
	}
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return at.Addr().Unmap().String()
	}
	return "" // a unix socket
}

// forwarded reports whether a proxy says that it has forwarded a request.
func forwarded(r *http.Request) bool {
	for name := range r.Header {
		if name == "Forwarded" || name == "Via" || strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			return true
		}
	}
	return false
}

// loopback reports whether a host, with its port or without, names this machine.
func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

// hsts has browsers come by https alone, for a year.
const hsts = "max-age=31536000"

// Mount serves next, whose paths begin at /, under the site's base. Requests come with
// the base or, where a proxy has cut it off, without. What next redirects to gets it.
func (s Site) Mount(next http.Handler) http.Handler {
	stripped := http.StripPrefix(s.base, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.secure {
			w.Header().Set("Strict-Transport-Security", hsts)
		}
		switch {
		case s.base == "":
			next.ServeHTTP(w, r)
		case r.URL.Path == s.base:
			http.Redirect(w, r, s.base+"/", http.StatusSeeOther)
		case strings.HasPrefix(r.URL.Path, s.base+"/"):
			stripped.ServeHTTP(&moved{ResponseWriter: w, base: s.base}, r)
		default:
			next.ServeHTTP(&moved{ResponseWriter: w, base: s.base}, r)
		}
	})
}

// Whole serves next, which knows the base itself, within Mount.
func (s Site) Whole(next http.Handler) http.Handler {
	if s.base == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.URL.Path = s.base + r.URL.Path
		if r.URL.RawPath != "" {
			r.URL.RawPath = s.base + r.URL.RawPath
		}
		next.ServeHTTP(w, r)
	})
}

// moved puts the base before the addresses in an answer's headers.
type moved struct {
	http.ResponseWriter
	base string
}

func (m *moved) WriteHeader(status int) {
	h := m.Header()
	for name, before := range map[string]string{"Location": "", "Hx-Redirect": "", "Refresh": "0; url="} {
		if to, ok := strings.CutPrefix(h.Get(name), before+"/"); ok && !strings.HasPrefix(to, "/") {
			h.Set(name, before+m.base+"/"+to)
		}
	}
	m.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (m *moved) Unwrap() http.ResponseWriter { return m.ResponseWriter }
