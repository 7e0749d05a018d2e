package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/handout-dev/handout/test/proxytest"
)

func hello(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }

func newRoute(t *testing.T, proxy, noProxy string, roots *x509.CertPool) *Route {
	t.Helper()
	r, err := NewRoute(proxy, noProxy, roots)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get(t *testing.T, o Options, url string) (string, error) {
	t.Helper()
	o.Header = time.Minute
	c := New(o)
	t.Cleanup(c.CloseIdleConnections)
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestNewRoute_RefusesWhatIsNoProxyAndNamesNoPassword(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"proxy.example.com:3128", "//hunter2@proxy:3128", "http://u:hunter2@proxy", "socks5://u:hunter2@proxy:1080", "http://u:hunter2@proxy:3128/path",
		"http://u:hunter2@proxy:3128?x=y", "http://u:hunter2@pro xy:3128", "http://u:hunter2@:3128", "http://u:hunter2@proxy:port",
	} {
		if _, err := NewRoute(text, "", nil); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRoots_AddToTheMachines(t *testing.T) {
	t.Parallel()
	ca := proxytest.NewCA(t)
	pool, err := Roots(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	pem, _ := os.ReadFile(ca.File)
	if want.AppendCertsFromPEM(pem); !pool.Equal(want) {
		t.Error("it isn't the machine's authorities and one more")
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, empty + ".none"} {
		if _, err := Roots(file); err == nil || !strings.Contains(err.Error(), "empty.pem") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestRoute_LeadsThroughTheProxyByName(t *testing.T) {
	t.Parallel()
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("vendor.example.com:443", ca.Serve(t, http.HandlerFunc(hello), "vendor.example.com"))
	o := Options{Private: true, Route: newRoute(t, proxy.URL(), "", ca.Pool)}
	if body, err := get(t, o, "https://vendor.example.com/"); err != nil || body != "hello" {
		t.Errorf("%q, %v", body, err)
	}
	if asked := proxy.Asked(); !slices.Equal(asked, []string{"vendor.example.com:443"}) {
		t.Errorf("it was asked for %q", asked)
	}
	o.Route = newRoute(t, proxy.URL(), "", nil)
	if _, err := get(t, o, "https://vendor.example.com/"); !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("without the authority: %v", err)
	}
}

func TestRoute_TakesAProxyByTLS(t *testing.T) {
	t.Parallel()
	ca, plain := proxytest.NewCA(t), proxytest.Start(t)
	// What ends TLS before the proxy passes all bytes on.
	front := ca.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		back, err := net.Dial("tcp", strings.SplitN(plain.URL(), "@", 2)[1])
		if err != nil {
			t.Error(err)
			return
		}
		defer back.Close()
		conn, in, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(back, "CONNECT %s HTTP/1.1\r\nHost: x\r\nProxy-Authorization: %s\r\n\r\n", r.RequestURI, r.Header.Get("Proxy-Authorization"))
		go func() { _, _ = io.Copy(back, in) }()
		_, _ = io.Copy(conn, back)
	}), "127.0.0.1")
	plain.Lead("vendor.example.com:443", ca.Serve(t, http.HandlerFunc(hello), "vendor.example.com"))
	url := strings.Replace(strings.Split(plain.URL(), "@")[0], "http://", "https://", 1) + "@" + front
	if body, err := get(t, Options{Private: true, Route: newRoute(t, url, "", ca.Pool)}, "https://vendor.example.com/"); err != nil || body != "hello" {
		t.Errorf("%q, %v", body, err)
	}
	_, err := get(t, Options{Private: true, Route: newRoute(t, url, "", nil)}, "https://vendor.example.com/")
	if p := (*ProxyError)(nil); !errors.As(err, &p) || !errors.As(err, new(x509.UnknownAuthorityError)) {
		t.Errorf("a proxy of an unknown authority: %v", err)
	}
}

// The machine's own variables are for other programs.
func TestRoute_TakesNoProxyFromTheEnvironment(t *testing.T) {
	proxy := proxytest.Start(t)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL())
	}
	server := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(server.Close)
	var route *Route
	for _, c := range []*http.Client{
		New(Options{Private: true, HTTP: true, Header: time.Minute}), {Transport: route.Through(http.DefaultTransport.(*http.Transport).Clone())},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://name.invalid/", nil)
		if _, err := c.Do(req); err == nil || len(proxy.Asked()) != 0 {
			t.Errorf("%v; the proxy was asked for %q", err, proxy.Asked())
		}
		c.CloseIdleConnections()
	}
}

func TestRoute_IsStraightToThisMachineItsLinkAndWhatIsNamed(t *testing.T) {
	t.Parallel()
	r := newRoute(t, "http://proxy.example.com:3128", "internal.example.com,10.0.0.0/8,.corp.example.com,other.example.com:8443, 203.0.113.9", nil)
	for address, want := range map[string]bool{
		"127.0.0.1:80": true, "[::1]:443": true, "localhost:443": true, "169.254.169.254:80": true, "169.254.170.2:80": true, "[fe80::1]:80": true,
		"[fd00:ec2::254]:80": true, "internal.example.com:443": true, "s3.internal.example.com:443": true, "10.1.2.3:443": true, "203.0.113.9:443": true,
		"a.corp.example.com:443": true, "other.example.com:8443": true,
		"corp.example.com:443": false, "other.example.com:443": false, "example.com:443": false, "notinternal.example.com:443": false, "11.0.0.1:443": false, "192.168.1.1:443": false,
	} {
		if got := r.Straight(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
	if r := newRoute(t, "", "", nil); !r.Straight("example.com:443") {
		t.Error("without a proxy")
	}
}

// A guarded request names to the proxy the address that was looked at, never the host:
// the proxy would look that up itself.
func TestRoute_GivesTheProxyTheAddressThatWasJudged(t *testing.T) {
	t.Parallel()
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	server := ca.Serve(t, http.HandlerFunc(hello), "hooks.example.com", "93.184.216.34")
	proxy.Lead("93.184.216.34:443", server)
	proxy.Lead("[2606:2800:220:1::1]:443", server)
	for _, private := range []string{"10.0.0.5", "127.0.0.1", "169.254.169.254", "[::1]", "[fd00::5]", "hooks.example.com", "rebinding.example.com"} {
		proxy.Lead(private+":443", server) // what a guard that only asks would let through
	}
	names := map[string][]string{
		"hooks.example.com.":     {"2606:2800:220:1::1", "93.184.216.34"},
		"inside.example.com.":    {"10.0.0.5"},
		"loopback.example.com.":  {"127.0.0.1", "::1"},
		"mixed.example.com.":     {"10.0.0.5", "93.184.216.34"},
		"rebinding.example.com.": {"93.184.216.34", "10.0.0.5"}, // in turn
	}
	r := newRoute(t, proxy.URL(), "", ca.Pool)
	r.lookup = (&net.Resolver{PreferGo: true, Dial: nameserver(t, names)}).LookupNetIP
	for _, c := range []struct {
		url   string
		err   error
		asked string
	}{
		{"https://hooks.example.com/", nil, "93.184.216.34:443"},
		{"https://93.184.216.34/", nil, "93.184.216.34:443"},
		{"https://inside.example.com/", ErrPrivate, ""},
		{"https://loopback.example.com/", ErrPrivate, ""},
		{"https://10.0.0.5/", ErrPrivate, ""},
		{"https://[fd00::5]/", ErrPrivate, ""},
		{"https://127.0.0.1/", ErrPrivate, ""},
		{"https://169.254.169.254/", ErrPrivate, ""},
		{"https://localhost/", ErrPrivate, ""},
	} {
		before := len(proxy.Asked())
		_, err := get(t, Options{Route: r}, c.url)
		asked := strings.Join(proxy.Asked()[before:], " ")
		if !errors.Is(err, c.err) || asked != c.asked {
			t.Errorf("%s: %v; the proxy was asked for %q", c.url, err, asked)
		}
	}
	for range 4 {
		before := len(proxy.Asked())
		_, err := get(t, Options{Route: r}, "https://rebinding.example.com/")
		if asked := proxy.Asked()[before:]; slices.ContainsFunc(asked, func(a string) bool { return a != "93.184.216.34:443" }) || errors.Is(err, ErrPrivate) != (len(asked) == 0) {
			t.Errorf("a name of two faces: %v, asked for %q", err, asked)
		}
	}
	_, _ = get(t, Options{Route: r}, "https://mixed.example.com/")
	if slices.Contains(proxy.Asked(), "10.0.0.5:443") {
		t.Error("the private one of two addresses was tried")
	}
	if _, err := get(t, Options{Route: r}, "https://unknown.example.com/"); err == nil || errors.Is(err, ErrPrivate) {
		t.Errorf("a name that there isn't: %v", err)
	}
	// Where private addresses are allowed the proxy decides, by the name.
	before := len(proxy.Asked())
	if body, err := get(t, Options{Private: true, Route: r}, "https://hooks.example.com/"); err != nil || body != "hello" || proxy.Asked()[before] != "hooks.example.com:443" {
		t.Errorf("%q, %v", body, err)
	}
}

func TestRoute_TriesTheNextAddressThatTheProxyMayReach(t *testing.T) {
	t.Parallel()
	ca, proxy := proxytest.NewCA(t), proxytest.Start(t)
	proxy.Lead("[2606:2800:220:1::1]:443", ca.Serve(t, http.HandlerFunc(hello), "hooks.example.com"))
	r := newRoute(t, proxy.URL(), "", ca.Pool)
	r.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("2606:2800:220:1::1"), netip.MustParseAddr("93.184.216.34")}, nil
	}
	if body, err := get(t, Options{Route: r}, "https://hooks.example.com/"); err != nil || body != "hello" {
		t.Errorf("%q, %v", body, err)
	}
	if asked := proxy.Asked(); !slices.Equal(asked, []string{"93.184.216.34:443", "[2606:2800:220:1::1]:443"}) {
		t.Errorf("asked for %q", asked)
	}
}

func TestRoute_SaysWhatTheProxyDidWithoutItsPassword(t *testing.T) {
	t.Parallel()
	proxy := proxytest.Start(t)
	wrong := strings.Replace(proxy.URL(), "worker", "stranger", 1)
	garbage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = garbage.Close() })
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "220 smtp.example.com ESMTP\r\n")
			_ = c.Close()
		}
	}()
	down := proxytest.Start(t)
	down.Stop()
	for _, c := range []struct {
		name, proxy string
		status      int
		refused     bool
		words       string
	}{
		{"a wrong password", wrong, 407, true, "the proxy answers 407 Proxy Authentication Required"},
		{"it can't reach it", proxy.URL(), 502, false, "the proxy answers 502 Bad Gateway"},
		{"it isn't there", down.URL(), 0, false, "connection refused"},
		{"it is none", "http://u:" + "p%40ss@" + garbage.Addr().String(), 0, false, "no answer of a proxy"},
	} {
		_, err := get(t, Options{Private: true, Route: newRoute(t, c.proxy, "", nil)}, "https://vendor.example.com/?token=s3cr3t")
		p := (*ProxyError)(nil)
		if !errors.As(err, &p) || p.Status != c.status || p.Refused() != c.refused || !strings.Contains(Reason(err).Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, secret := range []string{proxytest.Password, "p%40ss", "s3cr3t", "stranger", "d29ya2Vy"} {
			if strings.Contains(Reason(err).Error(), secret) {
				t.Errorf("%s: %q shows %q", c.name, Reason(err), secret)
			}
		}
	}
}

func TestRoute_WaitsForNoProxyBeyondItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	r := newRoute(t, "http://"+silent.Addr().String(), "", nil)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = r.dial(ctx, "tcp", "vendor.example.com:443", true)
	if p := (*ProxyError)(nil); !errors.As(err, &p) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// nameserver is a real name server for these names. It answers a name of several
// addresses whole, but rebinding.example.com with one after the other.
func nameserver(t *testing.T, names map[string][]string) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	turn := 0
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			all := names[q.Name.String()]
			m.Response, m.Additionals = true, nil
			if all == nil {
				m.RCode = dnsmessage.RCodeNameError
			}
			if strings.HasPrefix(q.Name.String(), "rebinding") && q.Type == dnsmessage.TypeA {
				all = all[turn%2 : turn%2+1]
				turn++
			}
			for _, a := range all {
				ip := netip.MustParseAddr(a)
				head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
				switch {
				case ip.Is4() && q.Type == dnsmessage.TypeA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: ip.As4()}})
				case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
				}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(answer, from)
			}
		}
	}()
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}
}
