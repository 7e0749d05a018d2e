package outbound

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const (
	// dialTime bounds a connection, through a proxy too.
	dialTime = 10 * time.Second
	// maxProxyAnswer bounds the header of a proxy's answer, in bytes.
	maxProxyAnswer = 64 << 10
)

// Route is how requests leave: straight, or through a proxy, and which authorities are
// trusted beside the machine's. A nil Route is straight, with the machine's. No variable
// of the environment changes a Route: one that is meant for other programs would lead
// past the look at private addresses.
type Route struct {
	proxy  *url.URL                         // nil: straight
	via    func(*url.URL) (*url.URL, error) // the proxy of a URL, nil where it is straight
	roots  *x509.CertPool                   // nil: the machine's
	lookup func(context.Context, string, string) ([]netip.Addr, error)
}

// NewRoute returns the route through a proxy, http(s)://[user:password@]host:port, but
// straight to the hosts of noProxy, which is written as NO_PROXY is; without a proxy all
// is straight. No error has the proxy's password.
func NewRoute(proxy, noProxy string, roots *x509.CertPool) (*Route, error) {
	r := &Route{roots: roots, lookup: net.DefaultResolver.LookupNetIP}
	if proxy == "" {
		return r, nil
	}
	u, err := url.Parse(proxy)
	switch {
	case err != nil: // the cause would repeat it
		return nil, errors.New("isn't a URL; odd characters of a password are written as %40 for @")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Port() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "":
		return nil, errors.New("must be as in http://proxy.example.com:3128, or http://user:password@proxy.example.com:3128")
	}
	r.proxy = u
	r.via = (&httpproxy.Config{HTTPSProxy: "http://proxy", NoProxy: noProxy}).ProxyFunc()
	return r, nil
}

// Roots returns the machine's authorities and those of a file in PEM; nil without a file.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // there are none
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM", file)
	}
	return pool, nil
}

// ProxyError means that a proxy made no connection. Nothing was sent beyond it.
type ProxyError struct {
	Status int   // HTTP, of its answer; 0: none
	Err    error // why there is none
}

func (e *ProxyError) Error() string {
	if e.Status != 0 {
		return strings.TrimSpace(fmt.Sprintf("the proxy answers %d %s", e.Status, http.StatusText(e.Status)))
	}
	return "the proxy: " + e.Err.Error()
}

func (e *ProxyError) Unwrap() error { return e.Err }

// Refused reports whether the proxy doesn't let us out, or not to there: the next request
// would meet the same.
func (e *ProxyError) Refused() bool {
	return slices.Contains([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired}, e.Status)
}

// Proxy returns the proxy's host and port; empty without one.
func (r *Route) Proxy() string {
	if r == nil || r.proxy == nil {
		return ""
	}
	return r.proxy.Host
}

// Straight reports whether an address, host:port, is dialed without the proxy.
func (r *Route) Straight(address string) bool {
	if r.Proxy() == "" {
		return true
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		if ip, err := netip.ParseAddr(host); err == nil && near(ip) {
			return true
		}
	}
	via, err := r.via(&url.URL{Scheme: "https", Host: address})
	return err == nil && via == nil
}

// near reports whether an address is this machine's or its link's, where clouds have
// their metadata: a proxy would reach its own.
func near(ip netip.Addr) bool {
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || awsLink.Contains(ip)
}

// awsLink is AWS's link by IPv6. Source: AWS, "Instance metadata service", fd00:ec2::254,
// and "EKS Pod Identity", fd00:ec2::23.
var awsLink = netip.MustParsePrefix("fd00:ec2::/32")

// Through has a transport take the route, whatever it had.
func (r *Route) Through(t *http.Transport) *http.Transport {
	return r.through(t, true)
}

func (r *Route) through(t *http.Transport, private bool) *http.Transport {
	t.Proxy = nil
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return r.dial(ctx, network, address, private)
	}
	if r != nil && r.roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: r.roots}
	}
	return t
}

// dial connects to an address, host:port. Unless private addresses are allowed, each
// address is judged when it is dialed, and a proxy gets addresses that were judged
// instead of the name: it would look the name up itself, and find another one.
func (r *Route) dial(ctx context.Context, network, address string, private bool) (net.Conn, error) {
	if r.Straight(address) {
		return straight(private).DialContext(ctx, network, address)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	targets := []string{address}
	if !private {
		var err error
		if targets, err = r.public(ctx, address); err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
	}
	var conn net.Conn
	var err error
	for _, target := range targets {
		conn, err = r.connect(ctx, target)
		if no := (*ProxyError)(nil); err == nil || !errors.As(err, &no) || no.Status < 500 {
			break // else the proxy may reach another one
		}
	}
	return conn, err
}

// straight judges addresses when they are dialed: a name can't be looked up as one
// address and dialed as another.
func straight(private bool) *net.Dialer {
	return &net.Dialer{Timeout: dialTime, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if private {
			return nil
		}
		// What can't be read as an address is no public one.
		if at, err := netip.ParseAddrPort(address); err != nil || !public(at.Addr()) {
			return ErrPrivate
		}
		return nil
	}}
}

// public returns the public addresses of host:port, IPv4 first: whether the proxy has
// IPv6 isn't known here.
func (r *Route) public(ctx context.Context, address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ips, err := r.lookup(ctx, "ip", host) // an address is its own
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return cmp.Compare(a.Unmap().BitLen(), b.Unmap().BitLen()) })
	var targets []string
	for _, ip := range ips {
		if public(ip) {
			targets = append(targets, net.JoinHostPort(ip.Unmap().String(), port))
		}
	}
	if targets == nil {
		return nil, ErrPrivate
	}
	return targets, nil
}

// connect has the proxy connect to an address. Until it has, nothing that is meant for
// the address leaves this machine.
func (r *Route) connect(ctx context.Context, target string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.proxy.Host)
	if err != nil {
		return nil, &ProxyError{Err: err}
	}
	// The context ends the reads and writes, too.
	over := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	tunnel, err := r.ask(ctx, conn, target)
	if !over() && err == nil {
		err = &ProxyError{Err: context.Cause(ctx)}
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return tunnel, nil
}

func (r *Route) ask(ctx context.Context, conn net.Conn, target string) (net.Conn, error) {
	if r.proxy.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: r.proxy.Hostname(), RootCAs: r.roots})
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, &ProxyError{Err: err}
		}
		conn = secure
	}
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target, Header: http.Header{"User-Agent": {"handout"}}}
	if user := r.proxy.User; user != nil {
		password, _ := user.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return nil, &ProxyError{Err: errors.New("it closes the connection")} // the cause names no more
	}
	in := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	resp, err := http.ReadResponse(in, req)
	switch {
	case ctx.Err() != nil:
		return nil, &ProxyError{Err: ctx.Err()}
	case err != nil:
		return nil, &ProxyError{Err: errors.New("no answer of a proxy")} // the cause may quote what came
	case resp.StatusCode != http.StatusOK:
		return nil, &ProxyError{Status: resp.StatusCode}
	case in.Buffered() > 0: // TLS and HTTP begin with the client
		return nil, &ProxyError{Err: errors.New("it speaks before it is asked")}
	}
	return conn, nil
}
