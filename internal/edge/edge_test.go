//go:build integration

package edge_test

import (
	"testing"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
)

// Two clusters, one network: pods reach each other, and each side says so.
func TestTwoClusters(t *testing.T) {
	w := start(t, 1, 1)
	a, b := w.clusters[0], w.clusters[1]
	withPassword := func(p *v1alpha1.L2PeerSpec) { p.PasswordSecretRef = &v1alpha1.SecretReference{Name: "bgp"} }
	a.peer("b", b, withPassword)
	b.peer("a", a, withPassword)
	b.secret("bgp", "hunter2")
	// Mistakes that keep nobody else from anything.
	a.peer("wrong-asn", b, func(p *v1alpha1.L2PeerSpec) {
		p.ASN, p.Endpoints = asn+1, []v1alpha1.PeerEndpoint{{Address: "10.215.0.99"}}
	})
	a.peer("twice", b)
	a.peer("family", b, func(p *v1alpha1.L2PeerSpec) { p.Endpoints = []v1alpha1.PeerEndpoint{{Address: "fd00::1"}} })
	a.network("red", 5001, "b")
	b.network("red", 5001, "a")
	a.bindTo(a.Edges[0])
	b.bindTo(b.Edges[0])
	pa := a.pod("red", "pa", "0a:58:0a:32:00:01", "10.50.0.1/24", "fd50::1/64")
	pb := b.pod("red", "pb", "0a:58:0a:32:00:81", "10.50.0.129/24", "fd50::81/64")
	a.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(a.Get(t.Context(), client.ObjectKey{Name: "b"}, &p)).To(gomega.Succeed())
		g.Expect(p.Status.Sessions).To(gomega.HaveLen(1))
		g.Expect(p.Status.Sessions[0].Message).To(gomega.ContainSubstring("Secret l2sm-edge/bgp has no key password"))
	})
	a.secret("bgp", "hunter2")
	pa.Reaches(pb)
	pb.Reaches(pa)

	a.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(a.Get(t.Context(), client.ObjectKey{Name: "b"}, &p)).To(gomega.Succeed())
		g.Expect(p.Status.MACs).To(gomega.BeEquivalentTo(1))
		g.Expect(p.Status.Networks).To(gomega.HaveLen(1))
		g.Expect(p.Status.Sessions).To(gomega.HaveLen(1))
		g.Expect(p.Status.Sessions[0].Established).To(gomega.BeTrue())
		var remotes v1alpha1.L2RemoteList
		g.Expect(a.List(t.Context(), &remotes, client.InNamespace("default"))).To(gomega.Succeed())
		g.Expect(remotes.Items).To(gomega.HaveLen(1))
		g.Expect(remotes.Items[0].Hosts).To(gomega.HaveLen(1))
		g.Expect(remotes.Items[0].Hosts[0].Addresses).To(gomega.ConsistOf("10.50.0.129", "fd50::81"))
	})

	for name, says := range map[string]string{
		"wrong-asn": "both sides must have the same (iBGP)", "twice": "is peer b's: take it out of one of them", "family": "one is an IPv4 address, the other IPv6",
	} {
		a.eventually(func(g gomega.Gomega) {
			var p v1alpha1.L2Peer
			g.Expect(a.Get(t.Context(), client.ObjectKey{Name: name}, &p)).To(gomega.Succeed())
			g.Expect(p.Status.Sessions).To(gomega.HaveLen(1))
			g.Expect(p.Status.Sessions[0].Message).To(gomega.ContainSubstring(says))
		})
	}
	tellsInMetrics(t, w)

	// The owner wants it no more: nothing is held for the other side.
	var red v1alpha1.L2Network
	if err := a.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "red"}, &red); err != nil {
		t.Fatal(err)
	}
	red.Status.Stretch = nil
	a.status(&red)
	a.eventually(func(g gomega.Gomega) {
		var remotes v1alpha1.L2RemoteList
		g.Expect(a.List(t.Context(), &remotes)).To(gomega.Succeed())
		g.Expect(remotes.Items).To(gomega.BeEmpty())
		g.Expect(a.Edges[0].Ofctl("dump-flows", "br-edge")).NotTo(gomega.ContainSubstring("0x1389"))
	})
	b.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(b.Get(t.Context(), client.ObjectKey{Name: "a"}, &p)).To(gomega.Succeed())
		g.Expect(p.Status.Networks).To(gomega.BeEmpty())
	})

	// The administrator has no edge any more.
	if err := a.Delete(t.Context(), &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}}); err != nil {
		t.Fatal(err)
	}
	a.eventually(func(g gomega.Gomega) {
		g.Expect(a.Edges[0].Ctl("list-br")).NotTo(gomega.ContainSubstring("br-edge"))
		g.Expect(a.Edges[0].Ctl("get", "Open_vSwitch", ".", "external_ids")).NotTo(gomega.ContainSubstring("l2sm-edge"))
	})
	a.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(a.Get(t.Context(), client.ObjectKey{Name: "b"}, &p)).To(gomega.Succeed())
		g.Expect(meta.IsStatusConditionFalse(p.Status.Conditions, v1alpha1.ConditionReady)).To(gomega.BeTrue(), "%v", p.Status.Conditions)
	})
}
