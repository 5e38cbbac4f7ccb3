package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// maxRequest bounds the work that a request costs, in bytes: the agents' have at
// most 700.
const maxRequest = 4096

// Claim is what an acceptable request is given.
type Claim struct {
	Node     string
	Key      crypto.PublicKey
	Lifetime time.Duration
}

// Refusal is why a request is denied: Reason is for programs, Message for people.
type Refusal struct{ Reason, Message string }

// Error implements error.
func (r *Refusal) Error() string { return r.Reason + ": " + r.Message }

// Reasons of refusals, and of the approval.
const (
	ReasonIssued    = "NodesAgent"
	ReasonNotAgent  = "NotAnAgent"
	ReasonNoNode    = "NoNodeInToken"
	ReasonOtherNode = "OtherNode"
	ReasonUsages    = "UsagesNotAllowed"
	ReasonMalformed = "RequestMalformed"
	ReasonRevoked   = "NodeRevoked"
)

func refused(reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Judge says what a request for [Signer] is given, or why nothing. Anybody may
// make such a request. What it says of its user is the API server's word, all
// the rest is the requester's: the node is the one that the user's token is bound
// to.
func Judge(r *certificatesv1.CertificateSigningRequest) (Claim, *Refusal) {
	if r.Spec.Username != Account {
		return Claim{}, refused(ReasonNotAgent, "only l2sm-agent gets certificates of %s", Signer)
	}
	nodes := r.Spec.Extra[nodeNameExtra]
	if len(nodes) != 1 || nodes[0] == "" {
		return Claim{}, refused(ReasonNoNode, "the requester's token names %d nodes in %s, want one: the token of a pod, from Kubernetes 1.32", len(nodes), nodeNameExtra)
	}
	if !usagesAllowed(r.Spec.Usages) {
		return Claim{}, refused(ReasonUsages, "want usages %q and %q alone", certificatesv1.UsageClientAuth, certificatesv1.UsageDigitalSignature)
	}
	asked, refusal := parseRequest(r.Spec.Request)
	if refusal != nil {
		return Claim{}, refusal
	}
	if len(asked.Subject.Names) != 1 || asked.Subject.CommonName != nodes[0] {
		return Claim{}, refused(ReasonOtherNode, "want the subject CN=%s, the node that the requester's token names", nodes[0])
	}
	return Claim{Node: nodes[0], Key: asked.PublicKey, Lifetime: lifetime(r.Spec.ExpirationSeconds)}, nil
}

// Revoked refuses a node whose labels say so.
func Revoked(node string, labels map[string]string) *Refusal {
	if _, revoked := labels[RevokedLabel]; revoked {
		return refused(ReasonRevoked, "node %s has the label %s", node, RevokedLabel)
	}
	return nil
}

func usagesAllowed(usages []certificatesv1.KeyUsage) bool {
	client := false
	for _, usage := range usages {
		switch usage {
		case certificatesv1.UsageClientAuth:
			client = true
		case certificatesv1.UsageDigitalSignature:
		default:
			return false
		}
	}
	return client
}

// parseRequest reads PKCS #10 in PEM: an ECDSA key on P-256, no extensions, and
// so no alternative names.
func parseRequest(text []byte) (*x509.CertificateRequest, *Refusal) {
	if len(text) > maxRequest {
		return nil, refused(ReasonMalformed, "the request has %d bytes, want at most %d", len(text), maxRequest)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, refused(ReasonMalformed, "want PEM of a CERTIFICATE REQUEST")
	}
	asked, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, refused(ReasonMalformed, "can't parse the request")
	}
	if key, is := asked.PublicKey.(*ecdsa.PublicKey); !is || key.Curve != elliptic.P256() {
		return nil, refused(ReasonMalformed, "want an ECDSA key on P-256")
	}
	if len(asked.Extensions) > 0 {
		return nil, refused(ReasonMalformed, "want no extensions, and no alternative names")
	}
	if err := asked.CheckSignature(); err != nil {
		return nil, refused(ReasonMalformed, "the request is not signed with its key")
	}
	return asked, nil
}

// lifetime is what was asked for, within bounds. The API server takes no less
// than ten minutes.
func lifetime(seconds *int32) time.Duration {
	if seconds == nil || *seconds <= 0 {
		return MaxLifetime
	}
	return min(time.Duration(*seconds)*time.Second, MaxLifetime)
}
