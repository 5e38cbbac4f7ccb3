//go:build integration

package controllers_test

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/identity"
	"l2sm.io/l2sm/internal/kube"
	"l2sm.io/l2sm/internal/pki"
)

// startIdentities is a world whose databases have certificates, and in which
// nodes' are valid for a while.
func startIdentities(t *testing.T, lifetime time.Duration) *world {
	t.Helper()
	control, err := pki.NewAuthority("l2sm control", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{keys: allKeys, control: string(control.Pair().Certificate), lifetime: lifetime}
	w.startOn(t, shared)
	t.Cleanup(func() {
		for _, o := range []client.Object{w.secret(), w.trusted()} {
			if err := w.Delete(context.Background(), o); err != nil {
				t.Error(err)
			}
		}
		if err := w.DeleteAllOf(context.Background(), &certificatesv1.CertificateSigningRequest{}); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) secret() *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "ovn-node-ca"}}
}

func (w *world) trusted() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "ovn-trust"}}
}

// agentOf makes a Node, and returns the API server as the agent on it has it.
func (w *world) agentOf(name string) *rest.Config {
	w.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.create(node)
	w.t.Cleanup(func() {
		if err := w.Delete(context.Background(), node); err != nil {
			w.t.Error(err)
		}
	})
	return w.agentOn(name)
}

// agentOn has a token as the kubelet gets it for an agent's pod.
func (w *world) agentOn(node string) *rest.Config {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, GenerateName: "agent-"},
		Spec:       corev1.PodSpec{NodeName: node, ServiceAccountName: "l2sm-agent", Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}
	w.create(pod)
	w.t.Cleanup(func() {
		if err := w.Delete(context.Background(), pod, client.GracePeriodSeconds(0)); err != nil {
			w.t.Error(err)
		}
	})
	return w.token(&authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID})
}

// token is the agents' account with a token that is bound to something.
func (w *world) token(to *authenticationv1.BoundObjectReference) *rest.Config {
	w.t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "l2sm-agent"}}
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: to}}
	if err := w.SubResource("token").Create(w.t.Context(), account, token); err != nil {
		w.t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(w.api.Config)
	config.BearerToken = token.Status.Token
	return config
}

// keep runs the agent's keeper of a certificate until stop.
func (w *world) keep(node string, as *rest.Config, dir string) (stop func()) {
	w.t.Helper()
	api, err := kube.New(as)
	if err != nil {
		w.t.Fatal(err)
	}
	keeper := &identity.Keeper{API: api, Node: node, Dir: dir, Log: logr.Discard(), Told: func(error) {}}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- keeper.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("the keeper ended with %v", err)
		}
	}
}

// held reads a node's certificate.
func held(dir string) (*x509.Certificate, error) {
	text, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		return nil, err
	}
	return pki.ParseCertificate(text)
}

func (w *world) read(o client.Object) {
	w.t.Helper()
	if err := w.Get(w.t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) requests() int {
	w.t.Helper()
	list := &certificatesv1.CertificateSigningRequestList{}
	if err := w.List(w.t.Context(), list); err != nil {
		w.t.Fatal(err)
	}
	return len(list.Items)
}

func signedBy(c *x509.Certificate, authority []byte) bool {
	parsed, err := pki.ParseCertificate(authority)
	return err == nil && c.CheckSignatureFrom(parsed) == nil
}

func TestNodeGetsItsCertificate(t *testing.T) {
	w := startIdentities(t, time.Hour)
	dir := filepath.Join(t.TempDir(), "ovn")
	if err := os.Mkdir(dir, 0o755); err != nil { // as the kubelet makes it
		t.Fatal(err)
	}
	agent := w.agentOf("id-a")
	stop := w.keep("id-a", agent, dir)
	var first *x509.Certificate
	w.eventually(func(g Gomega) {
		var err error
		first, err = held(dir)
		g.Expect(err).NotTo(HaveOccurred())
	})
	if first.Subject.String() != "CN=id-a" || first.NotAfter.Sub(first.NotBefore) != time.Hour {
		t.Errorf("certificate of %s from %s to %s", first.Subject, first.NotBefore, first.NotAfter)
	}
	w.read(w.secret())
	if ca, err := os.ReadFile(filepath.Join(dir, "ca.crt")); err != nil || string(ca) != w.control {
		t.Errorf("ca.crt is %s (%v), want the authority of the databases", ca, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v (%v), want root's alone", info.Mode(), err)
	}
	if trust := w.NB.Get("NB_Global", ".", "external_ids:l2sm-node-trust"); strings.Count(trust, "BEGIN CERTIFICATE") != 1 {
		t.Errorf("the southbound database is told to trust %s", trust)
	}

	// Another start finds it as it is.
	stop()
	requests := w.requests()
	stop = w.keep("id-a", agent, dir)
	defer stop()
	// The database is rebuilt.
	w.NB.Wipe()
	w.eventually(func(g Gomega) {
		g.Expect(w.NB.Ctl("--if-exists", "get", "NB_Global", ".", "external_ids:l2sm-node-trust")).To(ContainSubstring("BEGIN CERTIFICATE"))
	})
	if second, err := held(dir); err != nil || !second.Equal(first) || w.requests() != requests {
		t.Errorf("after restarts: another certificate or request (%v)", err)
	}
}

// The databases get certificates of another authority: nodes are told, and keep
// their own.
func TestNodesTrustAnotherControl(t *testing.T) {
	w := startIdentities(t, time.Hour)
	dir := t.TempDir()
	defer w.keep("id-l", w.agentOf("id-l"), dir)()
	ca := func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "ca.crt")) // it may not be there yet
		return string(text)
	}
	var own *x509.Certificate
	w.eventually(func(g Gomega) {
		var err error
		own, err = held(dir)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(ca()).To(Equal(w.control))
	})
	other, err := pki.NewAuthority("l2sm control", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.control = string(other.Pair().Certificate)
	w.restart()
	w.eventually(func(g Gomega) { g.Expect(ca()).To(Equal(w.control)) })
	if now, err := held(dir); err != nil || !now.Equal(own) {
		t.Errorf("the node has another certificate (%v)", err)
	}
}

// It is renewed before its end, by another key each time.
func TestNodeCertificateIsRenewed(t *testing.T) {
	w := startIdentities(t, 4*time.Second)
	dir := t.TempDir()
	defer w.keep("id-b", w.agentOf("id-b"), dir)()
	keys := map[string]bool{}
	var last *x509.Certificate
	w.eventually(func(g Gomega) {
		c, err := held(dir)
		g.Expect(err).NotTo(HaveOccurred())
		if last != nil && !c.Equal(last) && c.NotBefore.After(last.NotAfter) {
			t.Error("it was renewed after its end")
		}
		last = c
		keys[string(c.RawSubjectPublicKeyInfo)] = true
		g.Expect(len(keys)).To(BeNumerically(">=", 3))
	})
	if got := w.requests(); got > len(keys)+2 {
		t.Errorf("%d requests for %d certificates", got, len(keys))
	}
	versions, err := filepath.Glob(filepath.Join(dir, "..version-*"))
	if err != nil || len(versions) > 2 {
		t.Errorf("the folder keeps %v (%v)", versions, err)
	}
}

// Each way to rotate the authority, with every node's certificate after it.
func TestNodeAuthorityIsRotated(t *testing.T) {
	w := startIdentities(t, time.Hour)
	dir := t.TempDir()
	defer w.keep("id-c", w.agentOf("id-c"), dir)()
	w.eventually(func(g Gomega) {
		_, err := held(dir)
		g.Expect(err).NotTo(HaveOccurred())
	})
	annotate := func(overlap string) func() {
		return func() {
			s := w.secret()
			w.change(s, func() { s.Annotations = map[string]string{identity.RotateAnnotation: overlap} })
		}
	}
	for _, step := range []struct {
		name    string
		act     func()
		overlap bool
	}{
		{"Asked", annotate("2s"), true},
		{"AskedAtOnce", annotate("0s"), false},
		{"SecretDeleted", func() { w.remove(w.secret()) }, false},
		{"KeySpoilt", func() {
			s := w.secret()
			w.change(s, func() { s.Data["tls.key"] = []byte("spoilt") })
		}, false},
	} {
		before := w.secret()
		w.read(before)
		both := false
		step.act()
		w.eventually(func(g Gomega) {
			trust := w.NB.Ctl("--if-exists", "get", "NB_Global", ".", "external_ids:l2sm-node-trust") // it may not be written yet
			both = both || strings.Count(trust, "BEGIN CERTIFICATE") == 2
			now := w.secret()
			g.Expect(w.Get(t.Context(), client.ObjectKeyFromObject(now), now)).To(Succeed())
			c, err := held(dir)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(signedBy(c, now.Data["tls.crt"])).To(BeTrue(), "%s: the node has a certificate of the new authority", step.name)
			g.Expect(signedBy(c, before.Data["tls.crt"])).To(BeFalse())
			g.Expect(strings.Count(trust, "BEGIN CERTIFICATE")).To(Equal(1), "%s: the former is no longer trusted", step.name)
			g.Expect(now.Annotations).To(BeEmpty())
		})
		if both != step.overlap {
			t.Errorf("%s: both were trusted for a while: %t, want %t", step.name, both, step.overlap)
		}
	}
}

// ask creates a request as somebody, and returns what became of it.
func (w *world) ask(as *rest.Config, name, node string) *certificatesv1.CertificateSigningRequest {
	w.t.Helper()
	key, _, err := pki.NewKey()
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := pki.NewRequest(node, key)
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := client.New(as, client.Options{Scheme: scheme})
	if err != nil {
		w.t.Fatal(err)
	}
	r := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: text, SignerName: identity.Signer, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}
	if err := c.Create(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
	return r
}

// What the API server really says of the requester decides, and an approval by
// somebody else does not help.
func TestForeignRequestsAreRefused(t *testing.T) {
	w := startIdentities(t, time.Hour)
	agent := w.agentOf("id-d")
	revoked := w.agentOf("id-e")
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "id-e"}}
	w.change(node, func() { node.Labels = map[string]string{identity.RevokedLabel: ""} })
	for name, tc := range map[string]struct {
		as     *rest.Config
		node   string
		reason string // empty: signed
	}{
		"own":       {agent, "id-d", ""},
		"other":     {agent, "id-e", identity.ReasonOtherNode},
		"unbound":   {w.token(nil), "id-d", identity.ReasonNoNode},
		"admin":     {w.api.Config, "id-d", identity.ReasonNotAgent},
		"revoked":   {revoked, "id-e", identity.ReasonRevoked},
		"impostors": {agent, "system:node:id-d", identity.ReasonOtherNode},
	} {
		r := w.ask(tc.as, "foreign-"+name, tc.node)
		w.eventually(func(g Gomega) {
			w.read(r)
			g.Expect(r.Status.Conditions).To(HaveLen(1), "%s", name)
			g.Expect(len(r.Status.Certificate) > 0).To(Equal(tc.reason == ""), "%s", name)
			if tc.reason != "" {
				g.Expect(r.Status.Conditions[0]).To(And(HaveField("Type", certificatesv1.CertificateDenied), HaveField("Reason", tc.reason)), "%s", name)
			}
		})
	}
}

func TestApprovalOfOthersIsJudged(t *testing.T) {
	w := startIdentities(t, time.Hour)
	w.eventually(func(g Gomega) {
		g.Expect(w.Get(t.Context(), client.ObjectKeyFromObject(w.trusted()), w.trusted())).To(Succeed())
	})
	w.stop() // or it would deny it first
	r := w.ask(w.api.Config, "approved", "id-f")
	r.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Friendly"}}
	if err := w.SubResource("approval").Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.eventually(func(g Gomega) {
		w.read(r)
		g.Expect(r.Status.Conditions).To(ContainElement(And(HaveField("Type", certificatesv1.CertificateFailed), HaveField("Reason", identity.ReasonNotAgent))))
	})
	if len(r.Status.Certificate) > 0 {
		t.Error("it has a certificate")
	}
}

// A node that is refused asks no second time while its request stands, however
// often its agent starts; it does when the request is deleted.
func TestRefusedNodeAsksOnce(t *testing.T) {
	w := startIdentities(t, time.Hour)
	agent := w.agentOf("id-g")
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "id-g"}}
	w.change(node, func() { node.Labels = map[string]string{identity.RevokedLabel: ""} })
	dir := t.TempDir()
	request := &certificatesv1.CertificateSigningRequest{}
	for range 3 {
		stop := w.keep("id-g", agent, dir)
		w.eventually(func(g Gomega) {
			list := &certificatesv1.CertificateSigningRequestList{}
			g.Expect(w.List(t.Context(), list)).To(Succeed())
			g.Expect(list.Items).To(HaveLen(1))
			g.Expect(list.Items[0].Status.Conditions).To(HaveLen(1))
			request = &list.Items[0]
		})
		NewWithT(t).Consistently(w.requests, time.Second, 50*time.Millisecond).Should(Equal(1))
		stop()
	}
	w.change(node, func() { node.Labels = nil })
	defer w.keep("id-g", agent, dir)()
	w.remove(request)
	w.eventually(func(g Gomega) {
		_, err := held(dir)
		g.Expect(err).NotTo(HaveOccurred())
	})
}

// A request whose node is not there yet waits for it.
func TestRequestAwaitsItsNode(t *testing.T) {
	w := startIdentities(t, time.Hour)
	r := w.ask(w.agentOn("id-h"), "early", "id-h")
	signed := w.ask(w.agentOf("id-i"), "later", "id-i")
	w.eventually(func(g Gomega) {
		w.read(signed)
		g.Expect(signed.Status.Certificate).NotTo(BeEmpty())
	})
	w.read(r)
	if len(r.Status.Conditions) > 0 {
		t.Errorf("it is answered: %v", r.Status.Conditions)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "id-h"}}
	w.create(node)
	t.Cleanup(func() { _ = w.Delete(context.Background(), node) })
	w.eventually(func(g Gomega) {
		w.read(r)
		g.Expect(r.Status.Certificate).NotTo(BeEmpty())
	})
}

// The agent's account reads neither the authority's key nor other Secrets.
func TestAgentsReadNoKey(t *testing.T) {
	w := startIdentities(t, time.Hour)
	agent, err := client.New(w.agentOf("id-j"), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w.eventually(func(g Gomega) {
		g.Expect(agent.Get(t.Context(), client.ObjectKeyFromObject(w.trusted()), w.trusted())).To(Succeed())
	})
	if err := agent.Get(t.Context(), client.ObjectKeyFromObject(w.secret()), w.secret()); !apierrors.IsForbidden(err) {
		t.Errorf("an agent reads the authority's key: %v", err)
	}
	r := w.ask(w.agentOf("id-k"), "approves", "id-j")
	r.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Friendly"}}
	if err := agent.SubResource("approval").Update(t.Context(), r); !apierrors.IsForbidden(err) {
		t.Errorf("an agent approves a request: %v", err)
	}
}
