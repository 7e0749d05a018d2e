package redisx_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/handout-dev/handout/internal/redisx"
	"github.com/handout-dev/handout/test/redistest"
)

// authority signs certificates, and keeps them as files in PEM.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := c, key
	if a.key != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	must(a.t, err)
	cert, err := x509.ParseCertificate(der)
	must(a.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(a.t, err)
	a.write(name+".crt", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", secret)
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	must(a.t, os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A Redis that wants a certificate of its clients, with one of an authority that the
// machine doesn't know.
func TestOpen_OverTLSWithFiles(t *testing.T) {
	t.Parallel()
	a, other := newAuthority(t), newAuthority(t)
	a.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	other.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	port := redistest.FreePort(t)
	redistest.Start(t, redistest.Set("tls-port", port), redistest.Set("tls-ca-cert-file", a.file("ca.crt")),
		redistest.Set("tls-cert-file", a.file("server.crt")), redistest.Set("tls-key-file", a.file("server.key")))
	url := "rediss://127.0.0.1:" + port

	ping := func(url string, files redisx.TLS) error {
		rdb, err := redisx.Open(url, redisx.DefaultPrefix, redisx.WithTLS(files))
		if err != nil {
			return err
		}
		defer rdb.Close()
		return redisx.Ping(t.Context(), rdb)
	}
	good := redisx.TLS{CA: a.file("ca.crt"), Cert: a.file("client.crt"), Key: a.file("client.key")}
	must(t, ping(url, good))
	for name, c := range map[string]struct {
		url  string
		tls  redisx.TLS
		says string
	}{
		"an authority that isn't known": {url, redisx.TLS{}, "unknown authority"},
		"no certificate":                {url, redisx.TLS{CA: good.CA}, "certificate"},
		"one of another authority":      {url, redisx.TLS{CA: good.CA, Cert: other.file("client.crt"), Key: other.file("client.key")}, "unknown certificate authority"},
		"a key alone":                   {url, redisx.TLS{CA: good.CA, Key: good.Key}, "needs both files"},
		"no such file":                  {url, redisx.TLS{CA: a.file("nowhere.crt")}, "no such file"},
		"a key for authorities":         {url, redisx.TLS{CA: good.Key}, "no certificate in PEM"},
		"a key of another certificate":  {url, redisx.TLS{CA: good.CA, Cert: good.Cert, Key: other.file("client.key")}, "does not match"},
		"no TLS":                        {"redis://127.0.0.1:" + port, good, "must begin with rediss"},
	} {
		err := ping(c.url, c.tls)
		for errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			err = ping(c.url, c.tls) // Redis closed before we had read why
		}
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}

	// What is renewed holds for the next connection of a client that has one.
	rdb, err := redisx.Open(url, redisx.DefaultPrefix, redisx.WithTLS(good))
	must(t, err)
	defer rdb.Close()
	first := rdb.(*redis.Client).Conn()
	defer first.Close()
	must(t, first.Ping(t.Context()).Err())
	for _, name := range []string{"client.crt", "client.key"} {
		text, err := os.ReadFile(other.file(name))
		must(t, err)
		must(t, os.WriteFile(a.file(name), text, 0o600))
	}
	second := rdb.(*redis.Client).Conn()
	defer second.Close()
	if err := second.Ping(t.Context()).Err(); err == nil {
		t.Error("the second connection shows the certificate of before")
	}
}
