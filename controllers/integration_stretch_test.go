//go:build integration

package controllers_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/stretch"
	"l2sm.io/l2sm/ovn"
)

// outward is a world with nodes that may run edges, of which the first is active, and
// without a peer.
type outward struct {
	*world
	edge  *v1alpha1.L2Edge
	lease *coordinationv1.Lease
}

// ids are those of networks, another in each call: the API server is all tests'.
var ids = int32(7000)

func nextID() int32 {
	ids++
	return ids
}

func (w *world) outward() *outward {
	w.t.Helper()
	o := &outward{
		world: w,
		edge: &v1alpha1.L2Edge{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.EdgeName}, Spec: v1alpha1.L2EdgeSpec{
			NodeSelector: map[string]string{"l2sm.io/edge": w.namespace}, ASN: 64512,
		}},
		lease: &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: v1alpha1.EdgeLease}},
	}
	for i, name := range []string{"a", "b"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
			Name: o.node(name), Labels: o.edge.Spec.NodeSelector, Annotations: map[string]string{v1alpha1.EdgeAddressAnnotation: fmt.Sprintf("192.0.2.%d", i+1)},
		}}
		o.passing(node)
	}
	o.passing(o.edge.DeepCopy())
	o.lease.Spec.HolderIdentity = new(o.node("a"))
	o.passing(o.lease)
	return o
}

// node is the full name of one of the edges' nodes.
func (o *outward) node(name string) string { return o.namespace + "-" + name }

// passing creates an object of the whole cluster, which goes with the test.
func (o *outward) passing(object client.Object) {
	o.t.Helper()
	o.create(object)
	gone := object.DeepCopyObject().(client.Object)
	o.t.Cleanup(func() {
		if err := o.Delete(context.Background(), gone); client.IgnoreNotFound(err) != nil {
			o.t.Errorf("delete %T: %v", gone, err)
		}
	})
}

// peer makes an L2Peer that allows the test's namespace some ids.
func (o *outward) peer(name string, change ...func(*v1alpha1.L2PeerSpec)) *v1alpha1.L2Peer {
	o.t.Helper()
	p := &v1alpha1.L2Peer{ObjectMeta: metav1.ObjectMeta{Name: o.node(name)}, Spec: v1alpha1.L2PeerSpec{
		Endpoints: []v1alpha1.PeerEndpoint{{Address: "198.51.100.1"}}, ASN: 64512, VNIs: []v1alpha1.VNIRange{{First: 7000, Last: 99_999}},
		Namespaces: metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: o.namespace}},
	}}
	for _, c := range change {
		c(&p.Spec)
	}
	o.passing(p)
	return p
}

// announce has a peer be seen with these networks, as the active edge would.
func (o *outward) announce(p *v1alpha1.L2Peer, networks ...v1alpha1.PeerNetwork) {
	o.t.Helper()
	o.eventually(func(g Gomega) {
		g.Expect(o.Get(o.t.Context(), keyOf(p), p)).To(Succeed())
		ready := v1alpha1.PeerReady(1, 1)
		ready.LastTransitionTime = metav1.Now()
		p.Status.Conditions, p.Status.Networks = []metav1.Condition{ready}, networks
		g.Expect(o.Status().Update(o.t.Context(), p)).To(Succeed())
	})
}

func (o *outward) of(n *v1alpha1.L2Network, macs int32) v1alpha1.PeerNetwork {
	return v1alpha1.PeerNetwork{ID: n.Spec.Stretch.ID, Namespace: n.Namespace, Name: n.Name, MACs: macs}
}

// stretched makes a network that wants to go on behind peers.
func (o *outward) stretched(name string, id int32, peers ...string) *v1alpha1.L2Network {
	o.t.Helper()
	spec := subnets("10.0.0.0/24")
	spec.Stretch = &v1alpha1.Stretch{ID: id}
	for _, p := range peers {
		spec.Stretch.Peers = append(spec.Stretch.Peers, o.node(p))
	}
	return o.network(name, spec)
}

// port is what the database has of the network's port that leads out of the cluster:
// its type, addresses and chassis, or nothing.
func (o *outward) port(n *v1alpha1.L2Network) string {
	o.t.Helper()
	name := v1alpha1.PortOf(v1alpha1.EdgeOf(n.Key()))
	row := strings.Fields(o.NB.Ctl("--bare", "--columns=_uuid,type,addresses,options", "find", "logical_switch_port", "name="+name))
	if len(row) == 0 {
		return ""
	}
	if on := o.NB.Ctl("--if-exists", "get", "logical_switch", ovn.Key(n.Key()).Switch(), "ports"); !strings.Contains(on, row[0]) {
		return "a port of another switch"
	}
	return anyKey.ReplaceAllString(strings.Join(row[1:], " "), "")
}

// anyKey is the tunnel key that such a port asks for.
var anyKey = regexp.MustCompile(` requested-tnl-key=[1-9][0-9]*`)

func (o *outward) leads(n *v1alpha1.L2Network, node string) {
	o.t.Helper()
	o.eventually(func(g Gomega) {
		g.Expect(o.port(n)).To(Equal("l2gateway unknown l2gateway-chassis=" + o.node(node) + " network_name=l2sm-edge"))
		g.Expect(o.Get(o.t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(n.Status.Stretch).NotTo(BeNil())
		g.Expect(n.Status.Stretch.ID).To(Equal(n.Spec.Stretch.ID))
		g.Expect(n.Status.Stretch.Chassis).To(Equal(o.node(node)))
	})
}

func (o *outward) leadsNowhere(n *v1alpha1.L2Network) {
	o.t.Helper()
	o.eventually(func(g Gomega) {
		g.Expect(o.port(n)).To(BeEmpty())
		g.Expect(o.Get(o.t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(n.Status.Stretch).To(BeNil())
	})
}

func (o *outward) says(n *v1alpha1.L2Network, status metav1.ConditionStatus, reason, message string) {
	o.t.Helper()
	o.condition(n, v1alpha1.ConditionStretched, status, reason, message)
}

// Consent of the owner, the administrator, and the other side, in any order: what is
// missing is said, and nothing is written before it is there.
func TestStretchConsent(t *testing.T) {
	orders := map[string][]string{
		"OwnerFirst":         {"network", "edge", "peer", "announced"},
		"AdministratorFirst": {"edge", "peer", "network", "announced"},
		"PeerFirst":          {"peer", "network", "edge", "announced"},
		"EdgeLast":           {"network", "peer", "edge", "announced"},
	}
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			o := &outward{world: w}
			var n *v1alpha1.L2Network
			var p *v1alpha1.L2Peer
			id := nextID()
			for i, step := range order {
				switch step {
				case "network":
					n = o.stretched("lab", id, "east")
				case "edge":
					o = w.outward()
				case "peer":
					p = o.peer("east")
				case "announced":
					o.announce(p, o.of(n, 3))
				}
				switch has := order[:i+1]; {
				case n == nil:
				case p == nil:
					o.says(n, metav1.ConditionFalse, v1alpha1.ReasonAwaitsPeer, "no L2Peer")
					o.leadsNowhere(n)
				case o.edge == nil:
					o.says(n, metav1.ConditionFalse, v1alpha1.ReasonNoEdge, "no L2Edge")
					o.leadsNowhere(n)
				case len(has) < len(order):
					o.says(n, metav1.ConditionFalse, v1alpha1.ReasonAwaitsPeer, "has not reported")
					o.leads(n, "a")
				default:
					o.says(n, metav1.ConditionTrue, v1alpha1.ReasonStretched, "goes on behind "+o.node("east"))
					o.leads(n, "a")
					NewWithT(t).Expect(n.Status.Stretch.Peers).To(Equal([]v1alpha1.StretchPeer{{Name: o.node("east"), Joined: true, MACs: 3}}))
				}
			}
		})
	}
}

// What is withdrawn takes the port with it, and it comes back with the consent.
func TestStretchWithdrawn(t *testing.T) {
	o := start(t).outward()
	p := o.peer("east")
	n := o.stretched("lab", nextID(), "east")
	o.announce(p, o.of(n, 1))
	o.says(n, metav1.ConditionTrue, v1alpha1.ReasonStretched, "")
	o.leads(n, "a")
	narrow := o.of(n, 1)
	narrow.MTU = 1300
	o.announce(p, narrow)
	o.says(n, metav1.ConditionTrue, v1alpha1.ReasonMTUDiffers, "packets of more than 1300 bytes vanish")
	o.told(n, v1alpha1.ReasonMTUDiffers, "1300")
	o.announce(p, o.of(n, 1))
	o.says(n, metav1.ConditionTrue, v1alpha1.ReasonStretched, "")

	o.change(p, func() { p.Spec.VNIs = []v1alpha1.VNIRange{{First: 1, Last: 2}} })
	o.says(n, metav1.ConditionFalse, v1alpha1.ReasonNotAllowed, "its spec.vnis are 1-2")
	o.leadsNowhere(n)
	o.told(n, v1alpha1.ReasonNotAllowed, "its spec.vnis are 1-2")
	o.change(p, func() { p.Spec.VNIs = []v1alpha1.VNIRange{{First: 7000, Last: 99_999}} })
	o.leads(n, "a")

	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: o.namespace}}
	o.change(p, func() { p.Spec.Namespaces = metav1.LabelSelector{MatchLabels: map[string]string{"wan": "yes"}} })
	o.says(n, metav1.ConditionFalse, v1alpha1.ReasonNotAllowed, o.namespace)
	o.leadsNowhere(n)
	o.change(namespace, func() { namespace.Labels["wan"] = "yes" })
	o.leads(n, "a")
	o.change(namespace, func() { delete(namespace.Labels, "wan") })
	o.leadsNowhere(n)
	o.change(namespace, func() { namespace.Labels["wan"] = "yes" })
	o.leads(n, "a")

	o.change(n, func() { n.Spec.Stretch = nil })
	o.leadsNowhere(n)
	NewWithT(t).Expect(meta.FindStatusCondition(n.Status.Conditions, v1alpha1.ConditionStretched)).To(BeNil())
	o.change(n, func() { n.Spec.Stretch = &v1alpha1.Stretch{ID: nextID(), Peers: []string{p.Name}} })
	o.leads(n, "a")

	o.remove(p)
	o.says(n, metav1.ConditionFalse, v1alpha1.ReasonAwaitsPeer, "no L2Peer")
	o.leadsNowhere(n)
	o.peer("east")
	o.leads(n, "a")
	o.remove(o.edge)
	o.says(n, metav1.ConditionFalse, v1alpha1.ReasonNoEdge, "no L2Edge")
	o.leadsNowhere(n)
	again := o.edge.DeepCopy()
	o.passing(again)
	o.leads(n, "a")
	o.change(again, func() { again.Spec.MTU = 1440 })
	o.says(n, metav1.ConditionFalse, v1alpha1.ReasonMTUTooLarge, "at most 1390")
	o.leadsNowhere(n)
	o.change(n, func() { n.Spec.MTU = new(int32(1390)) })
	o.leads(n, "a")

	o.remove(n)
	o.eventually(func(g Gomega) { g.Expect(o.port(n)).To(BeEmpty()) })
	g := NewWithT(t)
	g.Expect(o.NB.Ctl("--bare", "--columns=name", "list", "logical_switch_port")).To(BeEmpty())
}

// The Lease's holder carries the networks, and the last one does until another holds it.
func TestStretchTakeOver(t *testing.T) {
	const networks = 20
	o := start(t).outward()
	o.peer("east")
	var all []*v1alpha1.L2Network
	for i := range networks {
		all = append(all, o.stretched(fmt.Sprint("net-", i), nextID(), "east"))
	}
	for _, n := range all {
		o.leads(n, "a")
	}
	edge := &v1alpha1.L2Edge{}
	shows := func(active string) {
		t.Helper()
		o.eventually(func(g Gomega) {
			g.Expect(o.Get(t.Context(), client.ObjectKey{Name: v1alpha1.EdgeName}, edge)).To(Succeed())
			g.Expect(edge.Status.Active).To(Equal(o.node(active)))
			g.Expect(edge.Status.Nodes).To(Equal([]v1alpha1.EdgeNode{{Name: o.node("a"), Address: "192.0.2.1"}, {Name: o.node("b"), Address: "192.0.2.2"}}))
			g.Expect(meta.IsStatusConditionTrue(edge.Status.Conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%v", edge.Status.Conditions)
		})
	}
	shows("a")
	hold := func(node string) { o.change(o.lease, func() { o.lease.Spec.HolderIdentity = new(node) }) }
	began := time.Now()
	hold(o.node("b"))
	for _, n := range all {
		o.leads(n, "b")
	}
	t.Logf("%d networks follow another edge within %v", networks, time.Since(began).Round(time.Millisecond))
	shows("b")
	for _, nobody := range []string{"", "a-stranger"} {
		hold(nobody)
		o.consistently(func(g Gomega) { g.Expect(o.port(all[0])).To(ContainSubstring(o.node("b"))) })
	}

	o.restart()
	o.consistently(func(g Gomega) { g.Expect(o.port(all[0])).To(ContainSubstring(o.node("b")), "after a start, too") })
	hold(o.node("a"))
	o.leads(all[0], "a")

	// A database that is lost is filled again.
	o.NB.Wipe()
	for _, n := range all {
		o.leads(n, "a")
	}
}

// Of two networks with one id the older one has it, and what is in force stays so.
func TestStretchIDTaken(t *testing.T) {
	o := start(t).outward()
	id := nextID()
	older, younger := o.stretched("one", id, "east"), o.stretched("other", id, "east")
	if stretch.Elder(older, younger) > 0 { // within one second the UID decides
		older, younger = younger, older
	}
	o.says(younger, metav1.ConditionFalse, v1alpha1.ReasonAwaitsPeer, "no L2Peer")
	p := o.peer("east") // both may have it from now on
	o.leads(older, "a")
	o.says(younger, metav1.ConditionFalse, v1alpha1.ReasonIDTaken, older.Name)
	o.leadsNowhere(younger)
	o.restart()
	o.consistently(func(g Gomega) { g.Expect(o.port(younger)).To(BeEmpty()) })
	o.leads(older, "a")

	o.change(older, func() { o.swap(older) })
	o.leads(younger, "a")
	o.leads(older, "a")
	o.change(older, func() { older.Spec.Stretch.ID = id })
	o.says(older, metav1.ConditionFalse, v1alpha1.ReasonIDTaken, younger.Name)
	o.leadsNowhere(older)
	o.restart() // what is in force wins over age
	o.says(older, metav1.ConditionFalse, v1alpha1.ReasonIDTaken, younger.Name)
	o.consistently(func(g Gomega) { g.Expect(o.port(older)).To(BeEmpty()) })
	o.leads(younger, "a")
	o.announce(p, o.of(younger, 1))
	o.says(younger, metav1.ConditionTrue, v1alpha1.ReasonStretched, "")

	o.remove(younger)
	o.leads(older, "a")
}

// Where nodes have databases of their own, the port's key is in the status: no other port
// of the network has it, and it stays for as long as the network goes on.
func TestStretchOnZones(t *testing.T) {
	o := startZoned(t, allKeys).outward()
	o.peer("east")
	n := o.stretched("lab", nextID(), "east")
	for _, name := range []string{"p", "q"} {
		o.pod(name, "lab")
	}
	keyOn := func(node string) int32 {
		t.Helper()
		o.eventually(func(g Gomega) {
			g.Expect(o.Get(t.Context(), keyOf(n), n)).To(Succeed())
			g.Expect(n.Status.Stretch).NotTo(BeNil())
			g.Expect(n.Status.Stretch.Chassis).To(Equal(o.node(node)))
			g.Expect(n.Status.Stretch.TunnelKey).NotTo(BeZero())
		})
		return n.Status.Stretch.TunnelKey
	}
	key := keyOn("a")
	g := NewWithT(t)
	for _, name := range []string{"p", "q"} {
		g.Expect(o.attached(name, 1)[0].Status.TunnelKey).NotTo(Equal(key))
	}
	o.change(o.lease, func() { o.lease.Spec.HolderIdentity = new(o.node("b")) })
	g.Expect(keyOn("b")).To(Equal(key))
	o.restart()
	o.pod("late", "lab")
	g.Expect(o.attached("late", 1)[0].Status.TunnelKey).NotTo(Equal(key))
	g.Expect(keyOn("b")).To(Equal(key))

	o.change(n, func() { n.Spec.Stretch.ID = nextID() })
	o.eventually(func(g Gomega) {
		g.Expect(o.Get(t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(n.Status.Stretch.ID).To(Equal(n.Spec.Stretch.ID))
	})
	g.Expect(keyOn("b")).To(Equal(key))
	o.change(n, func() { n.Spec.Stretch = nil })
	o.eventually(func(g Gomega) {
		g.Expect(o.Get(t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(n.Status.Stretch).To(BeNil())
	})
	g.Expect(o.NB.Ctl("--bare", "--columns=name", "list", "logical_switch")).To(BeEmpty(), "the controller writes no database")
}

// Inside OVN-Kubernetes nobody has tried it.
func TestStretchFabricNotSupported(t *testing.T) {
	w := &world{fabric: v1alpha1.FabricOVNKubernetes, keys: allKeys}
	w.startOn(t, shared)
	o := w.outward()
	o.peer("east")
	n := o.stretched("lab", nextID(), "east")
	o.says(n, metav1.ConditionFalse, v1alpha1.ReasonFabricNotSupported, "OVNKubernetes")
	NewWithT(t).Expect(n.Status.Stretch).To(BeNil())
	o.told(n, v1alpha1.ReasonFabricNotSupported, "OVNKubernetes")
}

// Of what a peer says of a thousand networks, a change of one concerns one.
func TestStretchCost(t *testing.T) {
	const networks = 1_000
	w := start(t)
	w.stop() // all of them come at once, as after a restart
	o := w.outward()
	p := o.peer("east")
	var all []*v1alpha1.L2Network
	var said []v1alpha1.PeerNetwork
	var made errgroup.Group
	made.SetLimit(16)
	for i := range networks {
		n := &v1alpha1.L2Network{ObjectMeta: metav1.ObjectMeta{Namespace: o.namespace, Name: fmt.Sprint("net-", i)}}
		n.Spec.Stretch = &v1alpha1.Stretch{ID: nextID(), Peers: []string{p.Name}}
		all, said = append(all, n), append(said, o.of(n, 1))
		made.Go(func() error { return o.Create(t.Context(), n) })
	}
	if err := made.Wait(); err != nil {
		t.Fatal(err)
	}
	o.announce(p, said...)
	w.run()
	joined := func(g Gomega) {
		list := &v1alpha1.L2NetworkList{}
		g.Expect(o.List(t.Context(), list, client.InNamespace(o.namespace))).To(Succeed())
		on := 0
		for _, n := range list.Items {
			if meta.IsStatusConditionTrue(n.Status.Conditions, v1alpha1.ConditionStretched) {
				on++
			}
		}
		g.Expect(on).To(Equal(networks))
	}
	NewWithT(t).Eventually(joined, 2*time.Minute, 200*time.Millisecond).Should(Succeed())
	o.quiet()
	before, reconciled := o.lag.counted("PATCH l2networks"), o.reconciles()
	said[500].MACs = 2
	o.announce(p, said...)
	o.eventually(func(g Gomega) {
		n := all[500]
		g.Expect(o.Get(t.Context(), keyOf(n), n)).To(Succeed())
		g.Expect(n.Status.Stretch.Peers[0].MACs).To(BeEquivalentTo(2))
	})
	o.quiet()
	g := NewWithT(t)
	g.Expect(o.lag.counted("PATCH l2networks")-before).To(Equal(1), "writes")
	g.Expect(o.reconciles()-reconciled).To(BeNumerically("<=", 2), "one, and one for its own write")

	// A take-over is a write of each network.
	leads := func(node string) {
		NewWithT(t).Eventually(func() int {
			return strings.Count(o.NB.Ctl("--bare", "--columns=options", "find", "logical_switch_port", "type=l2gateway"), "l2gateway-chassis="+o.node(node))
		}, time.Minute, 10*time.Millisecond).Should(Equal(networks))
	}
	leads("a")
	commits := o.NB.Commits()
	began := time.Now()
	o.change(o.lease, func() { o.lease.Spec.HolderIdentity = new(o.node("b")) })
	leads("b")
	t.Logf("%d networks follow another edge within %v, by %d transactions", networks, time.Since(began).Round(time.Millisecond), o.NB.Commits()-commits)
	g.Expect(o.NB.Commits()-commits).To(BeNumerically("<=", networks), "transactions")
}

// quiet waits until the controller has nothing to do.
func (o *outward) quiet() {
	o.t.Helper()
	last, since := o.reconciles(), time.Now()
	NewWithT(o.t).Eventually(func() bool {
		if now := o.reconciles(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	}, time.Minute, 50*time.Millisecond).Should(BeTrue())
}

// reconciles is how many of networks have taken place, of both controllers, in all tests.
func (o *outward) reconciles() float64 {
	o.t.Helper()
	families, err := ctrlmetrics.Registry.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	all := 0.0
	for _, f := range families {
		if f.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "controller" && strings.HasPrefix(l.GetValue(), "l2network") {
					all += m.GetCounter().GetValue()
				}
			}
		}
	}
	return all
}

// swap gives a network an id of its own.
func (o *outward) swap(n *v1alpha1.L2Network) { n.Spec.Stretch.ID = nextID() }
