package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"l2sm.io/l2sm/internal/pki"
)

// acceptable is what the agent of node-a asks.
func acceptable(t *testing.T) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	key, _, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	r, err := newRequest("node-a", key)
	if err != nil {
		t.Fatal(err)
	}
	r.Spec.Username = Account
	r.Spec.Extra = map[string]certificatesv1.ExtraValue{nodeNameExtra: {"node-a"}}
	return r
}

// asking is PKCS #10 in PEM, made of any template by any key.
func asking(t *testing.T, key crypto.Signer, template x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func ecKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edKey(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var commonName = asn1.ObjectIdentifier{2, 5, 4, 3}

func TestJudge(t *testing.T) {
	p256 := ecKey(t, elliptic.P256())
	name := pkix.Name{CommonName: "node-a"}
	type request = certificatesv1.CertificateSigningRequest
	pkcs := func(template x509.CertificateRequest) func(*request) {
		return func(r *request) { r.Spec.Request = asking(t, p256, template) }
	}
	cases := map[string]struct {
		reason string
		change func(*request)
		want   string // the refusal's reason; empty for none
	}{
		"Agent":        {"It is the node's own.", func(*request) {}, ""},
		"NoSignature":  {"A usage that is not asked for is not missed.", func(r *request) { r.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth} }, ""},
		"Admin":        {"Not even an administrator speaks for a node.", func(r *request) { r.Spec.Username = "kubernetes-admin" }, ReasonNotAgent},
		"OtherAccount": {"Another program of l2sm does not either.", func(r *request) { r.Spec.Username = "system:serviceaccount:l2sm-system:l2sm-controller" }, ReasonNotAgent},
		"Namesake":     {"A service account of the name elsewhere is anybody's.", func(r *request) { r.Spec.Username = "system:serviceaccount:default:l2sm-agent" }, ReasonNotAgent},
		"Kubelet":      {"A kubelet has its own.", func(r *request) { r.Spec.Username = "system:node:node-a" }, ReasonNotAgent},
		"Unbound":      {"A token that is bound to no pod names no node.", func(r *request) { r.Spec.Extra = nil }, ReasonNoNode},
		"TwoNodes":     {"It would be either.", func(r *request) { r.Spec.Extra[nodeNameExtra] = []string{"node-a", "node-b"} }, ReasonNoNode},
		"EmptyNode":    {"It is none.", func(r *request) { r.Spec.Extra[nodeNameExtra] = []string{""} }, ReasonNoNode},
		"OtherNode":    {"A node that is taken over must not be another.", func(r *request) { r.Spec.Extra[nodeNameExtra] = []string{"node-b"} }, ReasonOtherNode},
		"Server":       {"It could pass for the database.", func(r *request) { r.Spec.Usages = append(r.Spec.Usages, certificatesv1.UsageServerAuth) }, ReasonUsages},
		"Signs":        {"It could sign others.", func(r *request) { r.Spec.Usages = append(r.Spec.Usages, certificatesv1.UsageCertSign) }, ReasonUsages},
		"NoUsage":      {"It would be for nothing.", func(r *request) { r.Spec.Usages = nil }, ReasonUsages},
		"Nothing":      {"There is nothing to sign.", func(r *request) { r.Spec.Request = nil }, ReasonMalformed},
		"NotPEM":       {"It can't be read.", func(r *request) { r.Spec.Request = []byte("node-a") }, ReasonMalformed},
		"NotPKCS10": {"It can't be read.", func(r *request) {
			r.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{1, 2, 3}})
		}, ReasonMalformed},
		"Large": {"To read it costs more than it is worth.", func(r *request) {
			r.Spec.Request = append(r.Spec.Request, strings.Repeat("\n", maxRequest)...)
		}, ReasonMalformed},
		"Tampered": {"Who asks does not have the key.", func(r *request) {
			block, _ := pem.Decode(r.Spec.Request)
			block.Bytes[len(block.Bytes)-1] ^= 1
			r.Spec.Request = pem.EncodeToMemory(block)
		}, ReasonMalformed},
		"DNSName":     {"It has alternative names.", pkcs(x509.CertificateRequest{Subject: name, DNSNames: []string{"node-a"}}), ReasonMalformed},
		"IPAddress":   {"It has alternative names.", pkcs(x509.CertificateRequest{Subject: name, IPAddresses: []net.IP{{192, 0, 2, 1}}}), ReasonMalformed},
		"URI":         {"It has alternative names.", pkcs(x509.CertificateRequest{Subject: name, URIs: []*url.URL{{Scheme: "spiffe", Host: "a"}}}), ReasonMalformed},
		"Email":       {"It has alternative names.", pkcs(x509.CertificateRequest{Subject: name, EmailAddresses: []string{"a@node-a"}}), ReasonMalformed},
		"Group":       {"A subject may say more than a name.", pkcs(x509.CertificateRequest{Subject: pkix.Name{CommonName: "node-a", Organization: []string{"system:masters"}}}), ReasonOtherNode},
		"NameTwice":   {"Programs differ in which they take.", pkcs(x509.CertificateRequest{Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: commonName, Value: "node-b"}, {Type: commonName, Value: "node-a"}}}}), ReasonOtherNode},
		"NameWithNul": {"C programs would end there.", pkcs(x509.CertificateRequest{Subject: pkix.Name{CommonName: "node-a\x00.example"}}), ReasonOtherNode},
		"OtherCase":   {"OVN compares bytes.", pkcs(x509.CertificateRequest{Subject: pkix.Name{CommonName: "Node-A"}}), ReasonOtherNode},
		"NoName":      {"It is nobody.", pkcs(x509.CertificateRequest{}), ReasonOtherNode},
		"OtherCurve": {"Its key is of another kind.", func(r *request) {
			r.Spec.Request = asking(t, ecKey(t, elliptic.P521()), x509.CertificateRequest{Subject: name})
		}, ReasonMalformed},
		"Ed25519": {"Its key is of another kind.", func(r *request) { r.Spec.Request = asking(t, edKey(t), x509.CertificateRequest{Subject: name}) }, ReasonMalformed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := acceptable(t)
			tc.change(r)
			claim, refusal := Judge(r)
			if tc.want == "" && (refusal != nil || claim.Node != "node-a" || claim.Key == nil) {
				t.Errorf("%s got %v, refusal %v, want a certificate of node-a", tc.reason, claim, refusal)
			}
			if tc.want != "" && (refusal == nil || refusal.Reason != tc.want || refusal.Message == "") {
				t.Errorf("%s got %v, want %s", tc.reason, refusal, tc.want)
			}
		})
	}
}

func TestLifetime(t *testing.T) {
	hour := int32(3600)
	for name, tc := range map[string]struct {
		asked *int32
		want  time.Duration
	}{
		"Asked":   {&hour, time.Hour},
		"Nothing": {nil, MaxLifetime},
		"Years":   {func() *int32 { y := int32(1 << 30); return &y }(), MaxLifetime},
		"Less":    {func() *int32 { y := int32(-5); return &y }(), MaxLifetime},
	} {
		t.Run(name, func(t *testing.T) {
			r := acceptable(t)
			r.Spec.ExpirationSeconds = tc.asked
			claim, refusal := Judge(r)
			if refusal != nil || claim.Lifetime != tc.want {
				t.Errorf("want %s, got %s, refusal %v", tc.want, claim.Lifetime, refusal)
			}
		})
	}
}

// Whoever asks for whatever: a certificate is of the one node that the API server
// says is the requester's, and the requester is its agent.
func TestNobodyGetsAnothersCertificate(t *testing.T) {
	users := []string{"", Account, "kubernetes-admin", "system:node:node-a", "system:serviceaccount:default:l2sm-agent", "system:serviceaccount:l2sm-system:l2sm-controller", Account + " ", strings.ToUpper(Account)}
	nodes := [][]string{nil, {}, {""}, {"node-a"}, {"node-b"}, {"node-a", "node-b"}, {"node-a", "node-a"}, {"node-a\x00node-b"}}
	keys := []string{nodeNameExtra, "authentication.kubernetes.io/node-uid", "Authentication.Kubernetes.io/Node-Name"}
	usages := [][]certificatesv1.KeyUsage{{"client auth"}, {"client auth", "digital signature"}, {"server auth"}, {"client auth", "server auth"}, {"any"}, nil}
	p256, signed := ecKey(t, elliptic.P256()), 0
	authority, err := pki.NewAuthority("node", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var requests [][]byte
	for _, name := range []pkix.Name{
		{}, {CommonName: "node-a"}, {CommonName: "node-b"}, {CommonName: "node-a\x00node-b"}, {CommonName: "node-b", Organization: []string{"o"}},
		{ExtraNames: []pkix.AttributeTypeAndValue{{Type: commonName, Value: "node-a"}, {Type: commonName, Value: "node-b"}}},
	} {
		for _, dns := range [][]string{nil, {"node-b"}} {
			requests = append(requests, asking(t, p256, x509.CertificateRequest{Subject: name, DNSNames: dns}))
		}
	}
	for i, user := range users {
		for _, node := range nodes {
			for _, key := range keys {
				for _, usage := range usages {
					for _, request := range requests {
						r := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
							Username: user, Usages: usage, Request: request, SignerName: Signer,
							Extra:  map[string]certificatesv1.ExtraValue{key: node},
							Groups: []string{"system:masters", "system:nodes"},
						}}
						claim, refusal := Judge(r)
						if refusal != nil {
							continue
						}
						signed++
						if user != Account || key != nodeNameExtra || !slices.Equal(node, []string{claim.Node}) || slices.Contains(usage, "server auth") {
							t.Fatalf("user %d %q with %s=%q gets a certificate of %q", i, user, key, node, claim.Node)
						}
						text, err := authority.Node(claim.Node, claim.Key, claim.Lifetime, time.Now())
						if err != nil {
							t.Fatal(err)
						}
						checkCertificate(t, text, claim.Node, authority)
					}
				}
			}
		}
	}
	if want := 3 * 2; signed != want { // three nodes, in two lists of usages
		t.Errorf("%d certificates were signed, want %d: those of agents for their nodes", signed, want)
	}
}

// checkCertificate: it is of one node and good for nothing else.
func checkCertificate(t *testing.T, text []byte, node string, authority *pki.Authority) {
	t.Helper()
	c, err := pki.ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.Pair().Certificate)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Errorf("it is no client's: %v", err)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err == nil {
		t.Error("it passes for a server's")
	}
	if got := fmt.Sprint(c.Subject.Names); c.Subject.CommonName != node || len(c.Subject.Names) != 1 {
		t.Errorf("its subject is %s, want CN=%s alone", got, node)
	}
	if c.IsCA || len(c.DNSNames)+len(c.IPAddresses)+len(c.URIs)+len(c.EmailAddresses) > 0 {
		t.Error("it is an authority, or has alternative names")
	}
	if all := c.NotAfter.Sub(c.NotBefore); all > MaxLifetime {
		t.Errorf("it is valid for %s, want at most %s", all, MaxLifetime)
	}
}
