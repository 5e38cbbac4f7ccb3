package pki

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
)

// The files of a folder that [Load] reads, named as in Kubernetes' TLS secrets.
const (
	AuthorityFile   = "ca.crt"
	CertificateFile = "tls.crt"
	KeyFile         = "tls.key"
)

// SharedFile is where ovn-central and the controller find the certificate of the
// authority of v0.1.0, while there may be nodes of that version.
const SharedFile = "shared-ca.crt"

// Serve returns what a server has for tls.Config.GetCertificate: its own
// certificate of a folder, read again for every handshake. While it is missing,
// handshakes fail.
func Serve(dir string) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own(dir) }
}

// Load returns the TLS configuration of a client whose certificates are in a
// folder. The client's own certificate and key are read again for every
// handshake, so a renewed one is used from the next connection on. The
// authority is read once: a program must be restarted to trust another.
func Load(dir string) (*tls.Config, error) {
	roots, err := Roots(dir)
	if err != nil {
		return nil, err
	}
	if _, err := own(dir); err != nil {
		return nil, err // now, rather than at every connection to come
	}
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		RootCAs:              roots,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own(dir) },
	}, nil
}

// Roots are the authorities that a folder's clients trust.
func Roots(dir string) (*x509.CertPool, error) {
	authority, err := os.ReadFile(filepath.Join(dir, AuthorityFile))
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("read certificate authority: no certificate in %q", filepath.Join(dir, AuthorityFile))
	}
	return roots, nil
}

func own(dir string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, CertificateFile), filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, fmt.Errorf("read own certificate: %w", err)
	}
	return &pair, nil
}
