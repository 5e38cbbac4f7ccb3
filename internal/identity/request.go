package identity

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/internal/pki"
)

// newRequest is the request of a node with a key. Its name is the key's, so that
// one key has one request, whoever restarts meanwhile.
func newRequest(node string, key crypto.Signer) (*certificatesv1.CertificateSigningRequest, error) {
	asked, err := pki.NewRequest(node, key)
	if err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("name request of %q: %w", node, err)
	}
	sum := sha256.Sum256(public)
	seconds := int32(MaxLifetime / time.Second)
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "l2sm-node-" + hex.EncodeToString(sum[:16])},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           asked,
			SignerName:        Signer,
			ExpirationSeconds: &seconds,
			Usages:            []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
		},
	}, nil
}

// outcome is what became of a request: a certificate, an end without one (why),
// or nothing yet.
func outcome(r *certificatesv1.CertificateSigningRequest, node string, key []byte) (certificate []byte, why string) {
	for _, c := range r.Status.Conditions {
		if c.Type == certificatesv1.CertificateDenied || c.Type == certificatesv1.CertificateFailed {
			return nil, fmt.Sprintf("%s, %s: %s", c.Type, c.Reason, c.Message)
		}
	}
	if len(r.Status.Certificate) == 0 {
		return nil, ""
	}
	pair, err := tls.X509KeyPair(r.Status.Certificate, key)
	if err != nil {
		return nil, "its certificate is of no use: " + err.Error()
	}
	if pair.Leaf.Subject.CommonName != node {
		return nil, fmt.Sprintf("its certificate is for %.64q", pair.Leaf.Subject.CommonName)
	}
	// What OVN shows is this one alone, whatever came with it.
	return bytes.Clone(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Leaf.Raw})), ""
}
