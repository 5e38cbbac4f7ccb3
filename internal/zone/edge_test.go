//go:build integration

package zone_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/link"
	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
	"l2sm.io/l2sm/ovn"
)

// edge gives the node a bridge that leads out of the cluster, and on it a host of
// another side: the bridge learns, and no flow is ours.
func (n *node) edge(last byte) *endpoint {
	t := n.world.t
	t.Helper()
	n.Ctl("add-br", "br-edge", "--", "set", "bridge", "br-edge", "datapath_type="+ovstest.Userspace, "fail_mode=standalone",
		"--", "set", "Open_vSwitch", ".", "external_ids:ovn-bridge-mappings="+v1alpha1.EdgeNetworkName+":br-edge")
	name, netns := "remote", nstest.NewNS(t)
	end := link.HostEnd{Name: name, Owner: link.NewOwner(name, "net1", "l2sm")}
	addr := netip.AddrFrom4([4]byte{10, 0, 0, last})
	want := link.Interface{Name: "net1", MAC: net.HardwareAddr{0x02, 0xee, 10, 0, 0, last}, MTU: 1442, Addresses: []netip.Prefix{netip.PrefixFrom(addr, 24)}}
	nstest.Do(t, n.NetNS, func() error { return link.New("/proc/sys").Create(end, netns, want, ovstest.HostEnds()) })
	n.Ctl("add-port", "br-edge", name)
	n.Mature()
	return &endpoint{node: n, netns: netns, v4: addr}
}

// stretch has the network go on by the node's edge, as the controller says it.
func (w *world) stretch(network *v1alpha1.L2Network, node string, key int32) {
	w.t.Helper()
	network.Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: node, TunnelKey: key}
	w.status(network)
}

// edgePorts are the ports that lead from the edge's bridge into networks.
func (n *node) edgePorts() []string {
	var all []string
	for _, name := range strings.Fields(n.Ctl("list-ports", "br-edge")) {
		if strings.HasPrefix(name, "patch-") {
			all = append(all, name)
		}
	}
	return all
}

// A pod of one node reaches another side by the edge of another, which has no pod of
// the network; the edge is another node's, and then none.
func TestEdgeCarriesNetwork(t *testing.T) {
	w := start(t, "node-a", "edge-1", "edge-2")
	for _, n := range w.zones {
		n.Ctl("set", "Open_vSwitch", ".", "external_ids:ovn-cms-options="+ovn.ChassisMark) // as ovn-node does
	}
	first, second := w.zones["edge-1"].edge(201), w.zones["edge-2"].edge(202)
	one := w.network("one")
	a := w.attach(one, "node-a", 1).plug()
	g := gomega.NewWithT(t)
	patch := "patch-" + v1alpha1.PortOf(v1alpha1.EdgeOf(one.Key())) + "-to-br-int"
	reaches := func(what string, to *endpoint) {
		t.Helper()
		g.Eventually(func() bool { return a.pings(to.v4) }, patience, "10ms").Should(gomega.BeTrue(), "%s: %s pings %s", what, a.Name, to.v4)
	}

	w.stretch(one, "edge-1", 30_000)
	reaches("it goes on by the first edge", first)
	g.Expect(w.zones["edge-1"].edgePorts()).To(gomega.ConsistOf(patch))
	g.Expect(w.zones["edge-2"].edgePorts()).To(gomega.BeEmpty())
	g.Expect(w.zones["edge-1"].chassis()).To(gomega.ConsistOf("edge-1", "node-a"), "the edge knows where the pods are")
	g.Expect(w.zones["edge-2"].switches()).To(gomega.BeEmpty(), "a standby has no part in it")
	if a.pings(second.v4) {
		t.Error("what is behind the standby must not be reached")
	}
	g.Eventually(w.auditedEdges, patience, "100ms").Should(gomega.BeEmpty(), "nothing is wrong")

	w.stretch(one, "edge-2", 30_000)
	reaches("the second edge takes over", second)
	g.Eventually(w.zones["edge-1"].switches, patience, "10ms").Should(gomega.BeEmpty(), "the first one is out")
	g.Eventually(w.zones["edge-1"].edgePorts, patience, "10ms").Should(gomega.BeEmpty())
	g.Expect(w.zones["edge-2"].edgePorts()).To(gomega.ConsistOf(patch))
	if a.pings(first.v4) {
		t.Error("what is behind the edge that was must not be reached")
	}
	g.Eventually(w.auditedEdges, patience, "100ms").Should(gomega.BeEmpty(), "nothing is wrong")

	// A writer that starts knows it from the API, and one whose rows another changes
	// puts them right.
	w.zones["edge-2"].stop()
	w.zones["edge-2"].NB("lsp-del", v1alpha1.PortOf(v1alpha1.EdgeOf(one.Key())))
	g.Eventually(w.zones["edge-2"].edgePorts, patience, "10ms").Should(gomega.BeEmpty())
	w.zones["edge-2"].write(0)
	reaches("its writer is back", second)

	b := w.attach(one, "edge-2", 2).plug()
	w.reaches(a, b)
	g.Eventually(func() bool { return b.pings(second.v4) }, patience, "10ms").Should(gomega.BeTrue(), "a pod beside the edge")

	one.Status.Stretch = nil
	w.status(one)
	g.Eventually(w.zones["edge-2"].edgePorts, patience, "10ms").Should(gomega.BeEmpty(), "it goes on nowhere")
	for _, n := range w.zones {
		g.Eventually(n.portNames, patience, "10ms").ShouldNot(gomega.ContainSubstring("/edge"), n.Name)
	}
	w.reaches(a, b)
	g.Eventually(w.auditedEdges, patience, "100ms").Should(gomega.BeEmpty(), "nothing is wrong")
}

// ovn-controller that has just started leaves patch ports alone, also those whose network
// has another edge by now. No frame passes them: the binding is what counts, and not the
// port.
func TestPatchPortWithoutBindingPassesNothing(t *testing.T) {
	w := start(t, "node-a", "edge-1", "edge-2")
	first, second := w.zones["edge-1"].edge(201), w.zones["edge-2"].edge(202)
	one := w.network("one")
	a := w.attach(one, "node-a", 1).plug()
	g := gomega.NewWithT(t)
	w.stretch(one, "edge-1", 30_000)
	g.Eventually(func() bool { return a.pings(first.v4) }, patience, "10ms").Should(gomega.BeTrue())

	w.zones["edge-1"].RestartController()
	w.stretch(one, "edge-2", 30_000)
	g.Eventually(func() bool { return a.pings(second.v4) }, patience, "10ms").Should(gomega.BeTrue())
	g.Eventually(w.zones["edge-1"].switches, patience, "10ms").Should(gomega.BeEmpty())
	t.Logf("patch ports of the edge that was: %v", w.zones["edge-1"].edgePorts())
	for _, from := range []*endpoint{a, second, first} {
		to := first
		if from == first {
			to = a
		}
		if from.pings(to.v4) {
			t.Errorf("%s reaches %s by an edge that carries the network no longer", from.v4, to.v4)
		}
	}
}

// auditedEdges is what audit finds in the databases, which the writers keep.
func (w *world) auditedEdges() string {
	return w.audited(func(n *node) func(context.Context) (*inventory.Zone, error) { return n.writer.Inventory })
}

// An edge that was made again elsewhere costs one port on each node, however many the
// network has.
func TestEdgeTurnsByOnePort(t *testing.T) {
	w := start(t, "node-a")
	w.tunnels("edge-1", "192.0.2.1")
	w.tunnels("edge-2", "192.0.2.2")
	one := w.network("one")
	for i := range 20 {
		w.attach(one, "node-a", byte(i+1))
	}
	n, g := w.zones["node-a"], gomega.NewWithT(t)
	port := v1alpha1.PortOf(v1alpha1.EdgeOf(one.Key()))
	ports := func() int { return len(strings.Fields(n.portNames())) }
	g.Eventually(ports, patience, "10ms").Should(gomega.Equal(20))
	for _, edge := range []string{"edge-1", "edge-2", "edge-1"} {
		w.stretch(one, edge, 30_000)
		g.Eventually(func() string { return n.NB("--if-exists", "get", "Logical_Switch_Port", port, "options") }, patience, "10ms").
			Should(gomega.ContainSubstring(`requested-chassis=` + edge))
		g.Eventually(n.chassis, patience, "10ms").Should(gomega.ConsistOf("node-a", edge), "tunnels lead to the edge")
	}
	g.Expect(ports()).To(gomega.Equal(21))
}
