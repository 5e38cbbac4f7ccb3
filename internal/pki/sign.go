package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// backdateShare is the part of a node certificate's lifetime that lies in the
// past when it is signed: an hour of a day.
const backdateShare = 24

// Node signs a certificate for a client's public key, whose private key never
// comes here. From its beginning, a little in the past for hosts whose clock is
// late, to its end it is valid for the lifetime, and no longer than the
// authority. The result is PEM.
func (a *Authority) Node(name string, public crypto.PublicKey, lifetime time.Duration, now time.Time) ([]byte, error) {
	template := leaf(name, now, x509.ExtKeyUsageClientAuth)
	template.NotBefore = now.Add(-lifetime / backdateShare)
	template.NotAfter = template.NotBefore.Add(lifetime)
	if template.NotAfter.After(a.certificate.NotAfter) {
		template.NotAfter = a.certificate.NotAfter
	}
	signed, err := certify(template, public, a.certificate, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of node %q: %w", name, err)
	}
	return signed, nil
}

func leaf(name string, now time.Time, usage ...x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(LeafLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           usage,
		BasicConstraintsValid: true,
	}
}

// sign makes a key and signs the template with it or, unless it is nil, by the
// authority.
func sign(template *x509.Certificate, authority *Authority) (Pair, error) {
	key, private, err := NewKey()
	if err != nil {
		return Pair{}, err
	}
	parent, signer := template, key
	if authority != nil {
		parent, signer = authority.certificate, authority.key
	}
	certificate, err := certify(template, key.Public(), parent, signer)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Certificate: certificate, Key: private}, nil
}

// certify signs the template for a public key, with a random serial number.
func certify(template *x509.Certificate, public crypto.PublicKey, parent *x509.Certificate, signer crypto.Signer) ([]byte, error) {
	var err error
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
