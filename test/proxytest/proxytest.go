// Package proxytest has a CONNECT proxy that asks for a password, and an authority of its
// own for TLS servers, for tests of what goes out. Both are real, and on loopback.
package proxytest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// User and Password are what the proxy lets out. The password needs to be written as
// [Proxy.URL] has it in a URL.
const (
	User     = "worker"
	Password = "p@ss:w0rd/"
)

// Proxy is a proxy that connects to where the test says an address is, and nowhere else.
type Proxy struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	leads  map[string]string // the real address of host:port
	asked  []string
	status int
	conns  map[net.Conn]bool
}

// Start returns a proxy that runs until the test ends.
func Start(t testing.TB) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, leads: make(map[string]string), conns: make(map[net.Conn]bool)}
	p.serving.Go(p.serve)
	t.Cleanup(p.Stop)
	return p
}

// URL is the proxy's, with user and password.
func (p *Proxy) URL() string {
	return (&url.URL{Scheme: "http", User: url.UserPassword(User, Password), Host: p.listener.Addr().String()}).String()
}

// Lead says where an address, host:port, really is.
func (p *Proxy) Lead(address, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leads[address] = to
}

// Answer has the proxy answer every CONNECT with this status; 0: as it is asked.
func (p *Proxy) Answer(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// Asked returns what it was asked to connect to.
func (p *Proxy) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Cut breaks every connection through the proxy.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Stop ends the proxy: its address refuses connections.
func (p *Proxy) Stop() {
	_ = p.listener.Close()
	p.Cut()
	p.serving.Wait()
}

func (p *Proxy) serve() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.keep(conn)
		p.serving.Go(func() {
			defer p.drop(conn)
			p.tunnel(conn)
		})
	}
}

func (p *Proxy) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
}

func (p *Proxy) drop(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *Proxy) tunnel(conn net.Conn) {
	in := bufio.NewReader(conn)
	req, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	status, to := p.judge(req)
	if status != http.StatusOK {
		fmt.Fprintf(conn, "HTTP/1.1 %d no\r\nContent-Length: 0\r\n\r\n", status)
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		fmt.Fprint(conn, "HTTP/1.1 502 no\r\nContent-Length: 0\r\n\r\n")
		return
	}
	p.keep(server)
	defer p.drop(server)
	fmt.Fprint(conn, "HTTP/1.1 200 established\r\n\r\n")
	p.serving.Go(func() {
		_, _ = io.Copy(server, in)
		_ = server.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(conn, server)
}

// judge returns the status of the answer, and where the address is.
func (p *Proxy) judge(req *http.Request) (status int, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, req.RequestURI)
	r := http.Request{Header: http.Header{"Authorization": req.Header["Proxy-Authorization"]}}
	user, password, _ := r.BasicAuth()
	to, known := p.leads[req.RequestURI]
	switch {
	case p.status != 0:
		return p.status, ""
	case user != User || password != Password:
		return http.StatusProxyAuthRequired, ""
	case req.Method != http.MethodConnect:
		return http.StatusMethodNotAllowed, ""
	case !known:
		return http.StatusBadGateway, ""
	}
	return http.StatusOK, to
}

// CA is an authority that no machine knows.
type CA struct {
	File string // in PEM
	Pool *x509.CertPool

	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// NewCA returns a new authority.
func NewCA(t testing.TB) *CA {
	t.Helper()
	c := &CA{File: filepath.Join(t.TempDir(), "ca.pem"), Pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	var der []byte
	der, c.key = c.sign(t, template)
	var err error
	if c.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	c.Pool.AddCert(c.cert)
	if err := os.WriteFile(c.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// sign returns a certificate, by the authority or, before it has one, by itself.
func (c *CA) sign(t testing.TB, template *x509.Certificate) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	by, parent := c.key, c.cert
	if parent == nil {
		by, parent = key, template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// Serve serves by TLS, with a certificate of the authority's for these names and
// addresses, until the test ends. It returns the server's address.
func (c *CA) Serve(t testing.TB, handler http.Handler, names ...string) string {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, key := c.sign(t, template)
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that fail are meant to
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Detour answers every request that isn't for this machine with a redirect of this status
// to an address.
type Detour struct {
	http.RoundTripper
	To     string
	Status int
}

// RoundTrip is of [http.RoundTripper].
func (d Detour) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "127.0.0.1" {
		return d.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: d.Status, Header: http.Header{"Location": {d.To}}, Body: http.NoBody, Request: r}, nil
}
