package pki

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Covers says whether the pair is a certificate of this authority with its key,
// for all the hosts (see [Authority.Server]), that will still be valid at the
// given time. If it does not, a new one is due.
func (a *Authority) Covers(pair Pair, hosts []string, until time.Time) bool {
	parsed, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		return false
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	options := x509.VerifyOptions{Roots: roots, CurrentTime: until, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	if _, err := parsed.Leaf.Verify(options); err != nil {
		return false
	}

	for _, host := range hosts {
		if parsed.Leaf.VerifyHostname(host) != nil {
			return false
		}
	}
	return true
}
