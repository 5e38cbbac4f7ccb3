package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// zones compares, on each node whose agent was reached, the node's own databases
// with what they must hold: the networks that have a member there, with all
// their ports, and the chassis of the other members' nodes.
func (c *check) zones() {
	l2nodes := map[string]*v1alpha1.L2Node{}
	for i := range c.L2Nodes {
		l2nodes[c.L2Nodes[i].Name] = &c.L2Nodes[i]
	}
	for node, has := range c.Agents {
		if has.Zone == nil {
			continue // among the unseen
		}
		z := &zoneCheck{check: c, node: node, l2nodes: l2nodes, has: has.Zone}
		z.look()
	}
}

// zoneCheck compares one node's databases.
type zoneCheck struct {
	*check
	node    string
	l2nodes map[string]*v1alpha1.L2Node
	has     *inventory.Zone

	rows  ovn.Contents
	bound ovn.Bindings
	// others are the nodes with members of this node's networks.
	others map[string]bool
}

func (z *zoneCheck) look() {
	p := place{at: "node " + z.node + ", ", here: " with a member on the node"}
	z.others = map[string]bool{}
	for key, attachments := range z.ported {
		if slices.ContainsFunc(attachments, func(a *v1alpha1.L2Attachment) bool { return a.Spec.NodeName == z.node }) || z.carries(key) {
			z.expect(key, attachments)
		}
	}
	for key := range z.networks {
		if z.ported[key] == nil && z.carries(key) {
			z.expect(key, nil)
		}
	}
	z.northbound(p, z.rows, z.has.Northbound)
	z.switches(p, z.bound.Switches, z.has.Southbound.Switches)
	z.bindings(p, z.bound.Ports, z.has.Southbound.Ports)
	if z.Fabric == v1alpha1.FabricZones { // another's database knows its nodes by itself
		z.chassis(p)
	}
}

// carries says whether the node's edge carries the network, and so is a member.
func (z *zoneCheck) carries(key types.NamespacedName) bool {
	network := z.networks[key]
	return network != nil && network.Status.Stretch.Goes() && network.Status.Stretch.Chassis == z.node
}

// expect adds what the databases must hold of a network that has a member here. The
// agent writes none without a key or without a spec in force.
func (z *zoneCheck) expect(key types.NamespacedName, attachments []*v1alpha1.L2Attachment) {
	network := z.inForce(key)
	if network == nil || network.Status.TunnelKey == 0 {
		z.report("L2Network "+key.String(), "has members, but no spec in force or no tunnel key")
		return
	}
	zone := topology.Zone{Node: z.node, Chassis: z.chassisOf}
	ported := slices.Clone(attachments)
	for i, a := range ported {
		if slices.Contains(z.has.NotLearned, string(a.UID)) {
			ported[i] = topology.NotLearned(a)
		}
	}
	rows := zone.For(network, ported, nil, z.MaxMTU)
	add(&z.rows, rows.Listed())
	z.bound.Switches = append(z.bound.Switches, ovn.BoundSwitch{Name: rows.Switch(), TunnelKey: rows.TunnelKey})
	if edge, goes := zone.Edge(network); goes {
		z.bound.Ports = append(z.bound.Ports, edgeBinding(edge, goes)...)
		if node := network.Status.Stretch.Chassis; node != z.node {
			z.others[node] = true
		}
	}
	for _, a := range attachments {
		here := a.Spec.NodeName == z.node
		if !here {
			z.others[a.Spec.NodeName] = true
		}
		// OVN says of no remote port that it is up.
		z.bound.Ports = append(z.bound.Ports, ovn.Binding{
			Port: a.PortName(), Chassis: z.chassisOf(a.Spec.NodeName), Up: here, TunnelKey: int(a.Status.TunnelKey),
		})
	}
}

// chassisOf is the name that a node has in OVN: its own, unless it says otherwise.
func (z *zoneCheck) chassisOf(node string) string {
	if n := z.l2nodes[node]; n != nil && n.Status.Chassis != "" {
		return n.Status.Chassis
	}
	return node
}

// chassis compares the chassis with the nodes: the node's own, and of the others those
// to which its networks reach.
func (z *zoneCheck) chassis(p place) {
	if own := z.chassisOf(z.node); !slices.Contains(z.has.Southbound.Chassis, own) {
		z.report(p.at+"southbound chassis "+own, "is missing")
	}
	var want []ovn.Remote
	for node := range z.others {
		r := ovn.Remote{Name: z.chassisOf(node), Hostname: node, Address: z.tunnelOf(node)}
		if r.Address == "" {
			z.report("L2Node "+node, "has no tunnel address: pods on node %s can't reach those on it", z.node)
			continue
		}
		want = append(want, r)
	}
	compare(z.check, things[ovn.Remote]{
		kind: p.at + "southbound remote chassis", owner: "node with members of networks that this node has",
		name: func(r ovn.Remote) string { return r.Name },
		differs: func(want, have ovn.Remote) []string {
			return slices.Concat(unequal("its node", want.Hostname, have.Hostname), unequal("its address", want.Address, have.Address))
		},
	}, want, z.has.Southbound.Remotes)
}

// tunnelOf is where a node's tunnels start, the first of its addresses.
func (z *zoneCheck) tunnelOf(node string) string {
	n := z.l2nodes[node]
	if n == nil {
		return ""
	}
	for _, text := range n.Status.TunnelAddresses {
		if _, err := netip.ParseAddr(text); err == nil {
			return text
		}
	}
	return ""
}

// keysTwice looks for a tunnel key that two networks have, or two ports of one: what
// one sends arrives at the other, or nowhere, and no program of OVN's tells.
func (c *check) keysTwice() {
	holders := map[string][]string{}
	for i := range c.Networks {
		n := &c.Networks[i]
		if key := n.Status.TunnelKey; key != 0 {
			where := fmt.Sprintf("tunnel key %d of networks", key)
			holders[where] = append(holders[where], n.Namespace+"/"+n.Name)
		}
	}
	ofPort := func(network types.NamespacedName, key int32, who string) {
		where := fmt.Sprintf("L2Network %s, tunnel key %d of ports", network, key)
		holders[where] = append(holders[where], who)
	}
	for network, attachments := range c.ported {
		for _, a := range attachments {
			ofPort(network, a.Status.TunnelKey, a.Namespace+"/"+a.Name)
		}
	}
	for key, network := range c.networks {
		if s := network.Status.Stretch; s.Goes() && s.TunnelKey != 0 {
			ofPort(key, s.TunnelKey, "the edge")
		}
	}
	for where, who := range holders {
		if len(who) > 1 {
			slices.Sort(who)
			c.report(where, "is held by %s", strings.Join(who, " and "))
		}
	}
}
