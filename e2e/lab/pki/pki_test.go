package pki

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestIssue(t *testing.T) {
	ca, err := New("try")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(Identity{Name: "system:node:n1", Groups: []string{"system:nodes"}, IPs: []string{"10.0.0.1"}, DNS: []string{"n1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(pair.Cert, pair.Key); err != nil {
		t.Fatalf("certificate and key do not belong together: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.Cert)
	cert := parse(t, pair)
	for _, host := range []string{"10.0.0.1", "n1"} {
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}})
			if err != nil {
				t.Errorf("verify as %q with usage %v: %v", host, usage, err)
			}
		}
	}
	if got := cert.Subject; got.CommonName != "system:node:n1" || len(got.Organization) != 1 || got.Organization[0] != "system:nodes" {
		t.Errorf("Kubernetes would take the holder for %v", got)
	}
}

func TestAuthoritiesAreStrangers(t *testing.T) {
	one, err := New("one")
	if err != nil {
		t.Fatal(err)
	}
	other, err := New("one")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := one.Issue(Identity{Name: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(other.Cert)
	if _, err := parse(t, pair).Verify(x509.VerifyOptions{Roots: roots}); err == nil {
		t.Error("a certificate of one cluster is good in another of the same name")
	}
}

func parse(t *testing.T, p Pair) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(p.Cert, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
