// Package pki makes the certificates that the OVN databases and their clients
// show each other, and loads them. Each of three private authorities is trusted
// for one thing:
//
//	control ──signs──> server certificate of the databases (their addresses as SANs)
//	        └─signs──> client certificate of the controller
//	node    ──signs──> client certificate of each node, for the southbound database alone
//	metrics ──signs──> endpoint certificates (agents and controllers, for their metrics)
//
// Everything is PEM in and PEM out. Keys are ECDSA P-256.
package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"time"
)

// How long certificates are valid.
const (
	AuthorityLifetime = 10 * 365 * 24 * time.Hour
	LeafLifetime      = 5 * 365 * 24 * time.Hour
)

// backdate is how far a certificate's validity begins in the past, for hosts
// whose clock is late.
const backdate = time.Hour

// Pair is a certificate and its private key, each in PEM.
type Pair struct {
	Certificate []byte
	Key         []byte
}

// Authority signs certificates.
type Authority struct {
	pair        Pair
	certificate *x509.Certificate
	key         crypto.Signer
}

// NewAuthority makes an authority with a key of its own. The name is its common
// name, for people to read. Two of one name are told apart by their key's
// identifier, which every certificate that they sign carries.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	template := &x509.Certificate{
		// The unit sets it apart from a leaf of the same name, which OpenSSL
		// would take for self-signed.
		Subject:               pkix.Name{CommonName: name, OrganizationalUnit: []string{"certificate authority"}},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(AuthorityLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
	}
	pair, err := sign(template, nil)
	if err != nil {
		return nil, fmt.Errorf("make authority %q: %w", name, err)
	}
	return ParseAuthority(pair)
}

// ParseAuthority returns the authority that an earlier [Authority.Pair] was of.
func ParseAuthority(pair Pair) (*Authority, error) {
	parsed, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("parse authority: %w", err)
	}
	key, ok := parsed.PrivateKey.(crypto.Signer)
	if !ok || !parsed.Leaf.IsCA {
		return nil, fmt.Errorf("parse authority: %q is not a certificate authority", parsed.Leaf.Subject.CommonName)
	}
	return &Authority{pair: pair, certificate: parsed.Leaf, key: key}, nil
}

// Pair returns the authority's own certificate and key, to be kept.
func (a *Authority) Pair() Pair {
	return a.pair
}

// Until is when the authority's own certificate expires.
func (a *Authority) Until() time.Time { return a.certificate.NotAfter }

// Server makes a certificate for a server that is reached by the given names
// and IP addresses. It serves as a client's too: the members of a raft cluster
// connect to each other with it.
func (a *Authority) Server(name string, hosts []string, now time.Time) (Pair, error) {
	template := leaf(name, now, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}

	pair, err := sign(template, a)
	if err != nil {
		return Pair{}, fmt.Errorf("sign server certificate %q: %w", name, err)
	}
	return pair, nil
}

// Endpoint makes a certificate for a server that is asked for by a name alone
// and is nobody's client: the databases do not let it in.
func (a *Authority) Endpoint(name string, now time.Time) (Pair, error) {
	template := leaf(name, now, x509.ExtKeyUsageServerAuth)
	template.DNSNames = []string{name}
	pair, err := sign(template, a)
	if err != nil {
		return Pair{}, fmt.Errorf("sign server certificate %q: %w", name, err)
	}
	return pair, nil
}

// Client makes a certificate for a client. The name is its common name, which
// is what ovsdb-server's role-based access control knows a chassis by.
func (a *Authority) Client(name string, now time.Time) (Pair, error) {
	pair, err := sign(leaf(name, now, x509.ExtKeyUsageClientAuth), a)
	if err != nil {
		return Pair{}, fmt.Errorf("sign client certificate %q: %w", name, err)
	}
	return pair, nil
}
