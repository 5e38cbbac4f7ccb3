//go:build integration

package edge_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/edge/sidestest"
)

// Two clusters, one network: pods reach each other, and each side says so.
func TestTwoClusters(t *testing.T) {
	for name, over := range ways {
		t.Run(name, func(t *testing.T) { testTwoClusters(t, over) })
	}
}

// way is the addresses that edges have for each other, what frames between them have more
// than pods' packets, and an address of the other family.
type way struct {
	wan              netip.Prefix
	plain, encrypted int
	stranger, family string
}

var ways = map[string]way{
	"IPv4": {sidestest.WAN4, 50, 130, "10.215.0.99", "fd00::1"},
	"IPv6": {sidestest.WAN6, 70, 150, "fd00:215::99", "192.0.2.99"},
}

func testTwoClusters(t *testing.T, over way) {
	w := startOver(t, over.wan, 1, 1)
	a, b := w.clusters[0], w.clusters[1]
	withPassword := func(p *v1alpha1.L2PeerSpec) { p.PasswordSecretRef = &v1alpha1.SecretReference{Name: "bgp"} }
	a.peer("b", b, withPassword)
	b.peer("a", a, withPassword)
	b.secret("bgp", "hunter2")
	// Mistakes that keep nobody else from anything.
	a.peer("wrong-asn", b, func(p *v1alpha1.L2PeerSpec) {
		p.ASN, p.Endpoints = asn+1, []v1alpha1.PeerEndpoint{{Address: over.stranger}}
	})
	a.peer("twice", b)
	a.peer("family", b, func(p *v1alpha1.L2PeerSpec) { p.Endpoints = []v1alpha1.PeerEndpoint{{Address: over.family}} })
	a.edgesAlsoAre(v1alpha1.EdgeNode{Name: "family", Address: over.family}, v1alpha1.EdgeNode{Name: "twice", Address: a.Edges[0].WAN.String()})
	a.network("red", 5001, "b")
	b.network("red", 5001, "a")
	a.bindTo(a.Edges[0])
	b.bindTo(b.Edges[0])
	pa := a.openPod("red", "pa", "0a:58:0a:32:00:01", "10.50.0.1/24", "fd50::1/64")
	pb := b.openPod("red", "pb", "0a:58:0a:32:00:81", "10.50.0.129/24", "fd50::81/64")
	a.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(a.Get(t.Context(), client.ObjectKey{Name: "b"}, &p)).To(gomega.Succeed())
		g.Expect(p.Status.Sessions).To(gomega.HaveLen(1))
		g.Expect(p.Status.Sessions[0].Message).To(gomega.ContainSubstring("Secret l2sm-edge/bgp has no key password"))
	})
	a.secret("bgp", "hunter2")
	pa.Reaches(pb)
	pb.Reaches(pa)
	fits(t, over.plain, pa, pb)

	a.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(a.Get(t.Context(), client.ObjectKey{Name: "b"}, &p)).To(gomega.Succeed())
		g.Expect(p.Status.MACs).To(gomega.BeEquivalentTo(1))
		g.Expect(p.Status.Networks).To(gomega.HaveLen(1))
		g.Expect(p.Status.Networks[0].MTU).To(gomega.BeEquivalentTo(sidestest.PodMTU))
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
	arrivesOnce(t, pa, pb)
	forgetsNothing(t, a, pa, pb)

	// The other side changes its network's MTU.
	b.changed("red", func(s *v1alpha1.L2NetworkStatus) { s.MTU = 1400 })
	a.eventually(func(g gomega.Gomega) {
		var p v1alpha1.L2Peer
		g.Expect(a.Get(t.Context(), client.ObjectKey{Name: "b"}, &p)).To(gomega.Succeed())
		g.Expect(p.Status.Networks).To(gomega.HaveLen(1))
		g.Expect(p.Status.Networks[0].MTU).To(gomega.BeEquivalentTo(1400))
	})

	// It goes on no more. What the other side has is not free for that: the controller knows.
	a.changed("red", func(s *v1alpha1.L2NetworkStatus) { s.Stretch = nil })
	a.eventually(func(g gomega.Gomega) {
		var remotes v1alpha1.L2RemoteList
		g.Expect(a.List(t.Context(), &remotes)).To(gomega.Succeed())
		g.Expect(remotes.Items).To(gomega.HaveLen(1))
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
	var remotes v1alpha1.L2RemoteList
	if err := a.List(t.Context(), &remotes); err != nil || len(remotes.Items) != 1 {
		t.Errorf("there are %d L2Remotes after a while, want the one that the controller has not removed: %v", len(remotes.Items), err)
	}
}

// fits: what the MTU between edges leaves room for goes through, to the byte, both ways.
func fits(t *testing.T, overhead int, pods ...*sidestest.Pod) {
	t.Helper()
	most := min(sidestest.PodMTU, sidestest.MTU-overhead)
	for i, from := range pods {
		to := pods[(i+1)%len(pods)]
		gomega.NewWithT(t).Eventually(func() error { return from.Ping(to.V4(), "-M", "do", "-s", fmt.Sprint(most-28)) }, patience, "10ms").
			Should(gomega.Succeed(), "packets of %d bytes, which the MTU leaves room for, do not arrive", most)
		if most < sidestest.PodMTU && from.Ping(to.V4(), "-M", "do", "-s", fmt.Sprint(most+1-28)) == nil {
			t.Errorf("packets of %d bytes arrive: the MTU leaves more room than is said", most+1)
		}
	}
}

// arrivesOnce: a broadcast of each pod does at the other.
func arrivesOnce(t *testing.T, a, b *sidestest.Pod) {
	t.Helper()
	for _, way := range [][2]*sidestest.Pod{{a, b}, {b, a}} {
		ear := way[1].Hear()
		mark++
		way[0].Send(sidestest.Frame(sidestest.Broadcast, way[0].MAC, mark))
		gomega.NewWithT(t).Eventually(func() int { return ear.Copies(mark) }, patience, "5ms").Should(gomega.BeNumerically(">", 0), "copies of a broadcast")
		time.Sleep(200 * time.Millisecond) // for copies that come later
		if got := ear.Copies(mark); got != 1 {
			t.Errorf("a broadcast arrived %d times", got)
		}
	}
}

// changed has a network's status be another.
func (c *cluster) changed(network string, change func(*v1alpha1.L2NetworkStatus)) {
	c.t.Helper()
	var n v1alpha1.L2Network
	if err := c.Get(c.t.Context(), client.ObjectKey{Namespace: "default", Name: network}, &n); err != nil {
		c.t.Fatal(err)
	}
	change(&n.Status)
	c.status(&n)
}

// edgesAlsoAre has the L2Edge name further nodes.
func (c *cluster) edgesAlsoAre(nodes ...v1alpha1.EdgeNode) {
	c.t.Helper()
	var e v1alpha1.L2Edge
	if err := c.Get(c.t.Context(), client.ObjectKey{Name: v1alpha1.EdgeName}, &e); err != nil {
		c.t.Fatal(err)
	}
	e.Status.Nodes = append(e.Status.Nodes, nodes...)
	c.status(&e)
}

// forgetsNothing ends the edge's connection to Open vSwitch: what it wrote before, and would
// not write any more, goes. It could let frames in by a number that another port has by then.
func forgetsNothing(t *testing.T, c *cluster, from, to *sidestest.Pod) {
	t.Helper()
	flows := func() string { return c.Edges[0].Ofctl("dump-flows", "br-edge") }
	own := regexp.MustCompile(`cookie=(0x[0-9a-f]+), [^\n]*tun_id`).FindStringSubmatch(flows())
	if own == nil {
		t.Fatalf("no flow is of a network:\n%s", flows())
	}
	c.Edges[0].Ofctl("add-flow", "br-edge", "cookie="+own[1]+",priority=100,in_port=1,tun_id=9999,actions=drop")
	c.Edges[0].Ctl("set", "bridge", "br-edge", "protocols=OpenFlow15") // other versions than before end all connections
	c.eventually(func(g gomega.Gomega) { g.Expect(flows()).NotTo(gomega.ContainSubstring("tun_id=0x270f")) })
	from.Reaches(to)
}
