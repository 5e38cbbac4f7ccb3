// Package sidestest runs several sides of a stretched network for a test: clusters
// without Kubernetes, each an OVN of its own with a worker node and one or two edge nodes,
// whose edges meet on a wide area network. All is the product's OVN, in network namespaces, on
// the datapath that ovstest says, and ends with the test. Use it under
// internal/link/nstest, with ovstest.Unpack among the preparations.
package sidestest

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"l2sm.io/l2sm/internal/link/nstest"
	"l2sm.io/l2sm/internal/ovs/ovstest"
)

// MTU of all ways. Geneve leaves pods MTU - 58 bytes, VXLAN between edges MTU - 50: pods
// have the smaller.
const (
	MTU    = 1500
	PodMTU = MTU - 58
)

// bridge of an edge node to the wide area network.
const wanBridge = "br-wan"

var patience = nstest.Patience(20 * time.Second)

// World is the sides and what joins them.
type World struct {
	t testing.TB
	// WAN is the segment between the edges.
	WAN   *ovstest.Segment
	Sides []*Side
}

// Addresses of the wide area network, of either family.
var (
	WAN4 = netip.MustParsePrefix("10.215.0.0/24")
	WAN6 = netip.MustParsePrefix("fd00:215::/64")
)

// Start starts as many sides as there are numbers, a, b, c and so on, each with so many
// edges. It returns when all nodes are chassis of their sides.
func Start(t testing.TB, edges ...int) *World {
	t.Helper()
	return StartOver(t, WAN4, edges...)
}

// StartOver is Start with these addresses on the wide area network.
func StartOver(t testing.TB, wan netip.Prefix, edges ...int) *World {
	t.Helper()
	w := &World{t: t, WAN: ovstest.NewSegment(t, "wan", wan, MTU), Sides: make([]*Side, len(edges))}
	var all sync.WaitGroup
	for i, n := range edges {
		all.Go(func() { w.Sides[i] = w.side(i, n) })
	}
	all.Wait()
	w.whole()
	return w
}

// whole ends the test when a part of it failed in a goroutine of its own.
func (w *World) whole() {
	w.t.Helper()
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// Side is one cluster.
type Side struct {
	*ovstest.Central
	// Name is a, b, c and so on.
	Name   string
	Worker *Node
	Edges  []*Node
	world  *World
}

// Node is a node of a side.
type Node struct {
	*ovstest.Chassis
	Side *Side
	// WAN is the address of an edge's tunnels to other sides.
	WAN netip.Addr
	wan *ovstest.Member
}

func (w *World) side(i, edges int) *Side {
	w.t.Helper()
	name := string(rune('a' + i))
	s := &Side{Name: name, Central: ovstest.StartCentral(w.t), Edges: make([]*Node, edges), world: w}
	underlay := ovstest.NewSegment(w.t, "side-"+name, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 214, byte(i), 0}), 24), MTU)
	var all sync.WaitGroup
	all.Go(func() { s.Worker = &Node{Side: s, Chassis: underlay.Chassis(name+"1", s.Central)} })
	for e := range edges {
		all.Go(func() { s.Edges[e] = s.edge(underlay, fmt.Sprintf("%s%d", name, e+2)) })
	}
	all.Wait()
	w.whole()
	s.NB("--wait=hv", "sync")
	return s
}

// edge starts a node that is on the wide area network as well.
func (s *Side) edge(underlay *ovstest.Segment, name string) *Node {
	s.world.t.Helper()
	n := &Node{Side: s, Chassis: underlay.Chassis(name, s.Central)}
	n.wan = s.world.WAN.Join(n.NetNS, "eth2")
	n.wan.Tunnels(n.OVS, wanBridge)
	n.WAN = n.wan.Addr
	return n
}

// Cut takes an edge off the wide area network, and nothing else of it. The function that
// it returns brings it back.
func (n *Node) Cut() (mend func()) {
	n.Side.world.t.Helper()
	return n.wan.Cut()
}

// Management is the socket on which the edge's bridge speaks OpenFlow.
func (n *Node) Management() string { return n.OVS.Management("br-edge") }

// Network makes a network, namespace/name, as l2sm does: a logical switch.
func (s *Side) Network(name string) {
	s.world.t.Helper()
	s.NB("--may-exist", "ls-add", "l2sm/"+name)
}

// EdgePort has the network's way out be bound by the node: it makes the port, or changes
// it by one write (docs/designs/stretch.md).
func (s *Side) EdgePort(network string, to *Node) {
	s.world.t.Helper()
	port := "l2sm/" + network + "/edge"
	s.NB("--may-exist", "lsp-add", "l2sm/"+network, port, "--", "lsp-set-type", port, "l2gateway", "--", "lsp-set-addresses", port, "unknown",
		"--", "lsp-set-options", port, "network_name=l2sm-edge", "l2gateway-chassis="+to.Name)
}

// Learned is how many MAC addresses the side's southbound database has learned (table
// FDB).
func (s *Side) Learned() int {
	s.world.t.Helper()
	return len(strings.Fields(s.SB("--bare", "--columns=_uuid", "list", "FDB")))
}
