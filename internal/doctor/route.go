package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/handout-dev/handout/internal/outbound"
	"github.com/handout-dev/handout/internal/probe"
)

const (
	// routeTime bounds a connection to Telesign and its handshake.
	routeTime = 10 * time.Second
	// caSoon is when the end of an authority is worth a word.
	caSoon = 30 * 24 * time.Hour
)

// examineRoute looks at the proxy and at the authorities that were set: it connects to
// Telesign's servers that way, and sends nothing.
func examineRoute(ctx context.Context, s *Setup) []probe.Finding {
	var findings []probe.Finding
	if s.CAFile != "" {
		findings = append(findings, examineCA(s.CAFile, time.Now()))
	}
	if s.Route.Proxy() == "" {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			if os.Getenv(name) != "" {
				return append(findings, probe.Finding{Check: "proxy", Found: name + " is set, which handout doesn't read",
					Advice: "set HANDOUT_PROXY_URL, if handout is to use it, too: docs/operating.md, \"Behind a proxy\""})
			}
		}
	}
	if s.Route.Proxy() == "" && s.CAFile == "" {
		return findings
	}
	urls := slices.Clone(s.TelesignURLs) // accounts share them
	slices.Sort(urls)
	for _, text := range slices.Compact(urls) {
		if u, err := url.Parse(text); err == nil && u.Hostname() != "" {
			findings = append(findings, examineWay(ctx, s.Route, u))
		}
	}
	return findings
}

func examineWay(ctx context.Context, route *outbound.Route, u *url.URL) probe.Finding {
	f := probe.Finding{Fatal: true, Check: "way to " + u.Host}
	address := net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80"}[u.Scheme], "443"))
	by := "straight"
	if !route.Straight(address) {
		by = "through the proxy " + route.Proxy()
	}
	ctx, cancel := context.WithTimeout(ctx, routeTime)
	defer cancel()
	transport := route.Through(new(http.Transport))
	conn, err := transport.DialContext(ctx, "tcp", address)
	var proxy *outbound.ProxyError
	switch {
	case errors.As(err, &proxy) && proxy.Refused():
		f.Found, f.Advice = by+": "+oneLine(err), "compare the user and password in HANDOUT_PROXY_URL with the proxy's, and have it allow CONNECT to "+address
		return f
	case errors.As(err, &proxy):
		f.Found, f.Advice = by+": "+oneLine(err), "is HANDOUT_PROXY_URL right, and may this machine reach the proxy, and the proxy "+address+"?"
		return f
	case err != nil:
		f.Found, f.Advice = by+": "+oneLine(err), "is TELESIGN_URL right, and isn't it to go through the proxy (HANDOUT_NO_PROXY)?"
		return f
	}
	defer conn.Close()
	f.OK, f.Found = true, by+": a connection"
	if u.Scheme == "http" {
		return f
	}
	config := transport.TLSClientConfig.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	config.ServerName = u.Hostname()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		f.OK, f.Found, f.Advice = false, by+": "+oneLine(err), "if the proxy ends TLS, put its authority into HANDOUT_CA_FILE"
		return f
	}
	chain := secure.ConnectionState().VerifiedChains[0]
	f.Found = fmt.Sprintf("%s: a certificate by %s", by, cmp.Or(chain[len(chain)-1].Subject.CommonName, "an authority without a name"))
	return f
}

// examineCA looks at the authorities of a file.
func examineCA(file string, now time.Time) probe.Finding {
	f := probe.Finding{Fatal: true, Check: "HANDOUT_CA_FILE", Advice: "put the authorities' present certificates into it, and restart handout"}
	text, err := os.ReadFile(file)
	if err != nil {
		f.Found = oneLine(err)
		return f
	}
	n, end, name := 0, time.Time{}, ""
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			continue // as TLS does
		}
		if n++; end.IsZero() || c.NotAfter.Before(end) {
			end, name = c.NotAfter, c.Subject.CommonName
		}
	}
	day := end.Format(time.DateOnly)
	switch {
	case n == 0:
		f.Found = file + " has no certificate in PEM"
	case !now.Before(end):
		f.Found = fmt.Sprintf("%d read; %s ended on %s", n, name, day)
	case now.Add(caSoon).After(end):
		f.Fatal, f.Found = false, fmt.Sprintf("%d read; %s ends on %s", n, name, day)
	default:
		f.OK, f.Found = true, fmt.Sprintf("%d read, the first ends on %s", n, day)
	}
	return f
}
