package redisx

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS are files in PEM for connections over TLS. All may be empty: then the machine's
// own authorities count, and no certificate is shown.
type TLS struct {
	CA        string // the authorities that the servers' certificates must come from
	Cert, Key string // what this client shows
}

// WithTLS has [Open] use the files. The certificate is read again for each connection,
// so that one that is renewed holds without a restart; the authorities are read once.
func WithTLS(files TLS) func(*tls.Config) error { return files.set }

// errPlain: with files but without TLS, what was meant to be secret would be in clear.
var errPlain = errors.New("redis URL: a CA or a certificate is set, but the URL doesn't ask for TLS: it must begin with rediss")

func (f TLS) set(c *tls.Config) error {
	if f == (TLS{}) {
		return nil
	}
	if c == nil {
		return errPlain
	}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return fmt.Errorf("read the authorities of Redis's certificates: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("read the authorities of Redis's certificates: %s has no certificate in PEM", f.CA)
		}
	}
	if f.Cert == "" && f.Key == "" {
		return nil
	}
	if f.Cert == "" || f.Key == "" {
		return errors.New("a certificate for Redis needs both files: the certificate and its key")
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("read the certificate for Redis: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return nil
}
