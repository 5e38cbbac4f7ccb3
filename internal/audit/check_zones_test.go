package audit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

const portB = "l2sm/default/b"

// tidyZones are the facts of tidy where each node has databases of its own. Node-b is
// another chassis than its name says, and none knows network other, which has no
// member.
func tidyZones() Facts {
	f := tidy()
	f.Fabric, f.Northbound, f.Southbound = v1alpha1.FabricZones, ovn.Contents{}, ovn.Bindings{}
	f.L2Nodes = []v1alpha1.L2Node{
		l2node("node-a", "node-a", "192.0.2.1"), l2node("node-b", "chassis-b", "none", "192.0.2.2"),
	}
	refill(&f)
	return f
}

func l2node(name, chassis string, tunnels ...string) v1alpha1.L2Node {
	return v1alpha1.L2Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.L2NodeStatus{Chassis: chassis, TunnelAddresses: tunnels}}
}

// refill makes both nodes' databases hold what is in force.
func refill(f *Facts) {
	chassis := map[string]string{"node-a": "node-a", "node-b": "chassis-b"}
	remotes := map[string]ovn.Remote{
		"node-a": {Name: "chassis-b", Hostname: "node-b", Address: "192.0.2.2"}, "node-b": {Name: "node-a", Hostname: "node-a", Address: "192.0.2.1"},
	}
	for node, n := range f.Agents {
		z := topology.Zone{Node: node, Chassis: func(node string) string { return chassis[node] }}
		network, ported := f.Networks[0].InForce(), []*v1alpha1.L2Attachment{}
		for i := range min(2, len(f.Attachments)) { // of tidy
			ported = append(ported, &f.Attachments[i])
		}
		rows := z.For(network, ported, nil, maxMTU)
		n.Zone = &inventory.Zone{Northbound: rows.Listed(), Southbound: ovn.Bindings{
			Switches: []ovn.BoundSwitch{{Name: rows.Switch(), TunnelKey: keyOfPing}},
			Ports: []ovn.Binding{
				{Port: portA, Chassis: "node-a", Up: node == "node-a", TunnelKey: 1}, {Port: portB, Chassis: "chassis-b", Up: node == "node-b", TunnelKey: 2},
			},
			Chassis: []string{chassis[node]},
			Remotes: []ovn.Remote{remotes[node]},
		}}
		bound := &n.Zone.Southbound
		bound.Ports = bound.Ports[:len(ported)]
		if s := network.Status.Stretch; s.Goes() {
			bound.Ports = append(bound.Ports, ovn.Binding{Port: "l2sm/default/ping/edge", Chassis: chassis[s.Chassis], TunnelKey: int(s.TunnelKey)})
		}
		f.Agents[node] = n
	}
}

// goOnBy has network ping go on by the node's edge, in the databases too.
func goOnBy(f *Facts, node string) {
	f.Networks[0].Status.Stretch = &v1alpha1.StretchStatus{ID: 5001, Chassis: node, TunnelKey: 30_000}
	refill(f)
}

func TestCheckZones(t *testing.T) {
	onZone := func(change func(*inventory.Zone)) func(*Facts) {
		return func(f *Facts) { change(f.Agents["node-a"].Zone) }
	}
	const at = "node node-a, "
	cases := map[string]struct {
		reason string
		spoil  func(*Facts)
		want   []Discrepancy
	}{
		"Tidy": {
			reason: "each node has its members' networks, with all ports",
			spoil:  func(*Facts) {},
		},
		"OVNKubernetes": {
			reason: "chassis are its own, and so is their mark",
			spoil: func(f *Facts) {
				f.Fabric = v1alpha1.FabricOVNKubernetes
				for _, n := range f.Agents {
					n.Zone.Southbound.Chassis, n.Zone.Southbound.Remotes = nil, nil
				}
			},
		},
		"NotReached": {
			reason: "what an agent does not tell is not said to be missing",
			spoil:  func(f *Facts) { delete(f.Agents, "node-a") },
		},
		"NoZone": {
			reason: "nor where it tells of no databases: that is said elsewhere",
			spoil:  func(f *Facts) { onA(f, func(n *inventory.Node) { n.Zone = nil }) },
		},

		"Edge": {
			reason: "the edge's port is on each node that has members, and a key goes with it",
			spoil:  func(f *Facts) { goOnBy(f, "node-b") },
		},
		"EdgeWithoutMembers": {
			reason: "the edge is a member itself",
			spoil: func(f *Facts) {
				goOnBy(f, "node-b")
				f.Attachments, f.Pods, f.Leaders[0].Leases = f.Attachments[:1], f.Pods[:1], f.Leaders[0].Leases[:1]
				refill(f)
				n := f.Agents["node-b"]
				n.Ports, n.HostEnds = nil, nil
				f.Agents["node-b"] = n
			},
		},
		"EdgeAlone": {
			reason: "also of a network that has no pod anywhere",
			spoil: func(f *Facts) {
				goOnBy(f, "node-b")
				f.Attachments, f.Pods, f.Leaders[0].Leases = nil, nil, nil
				refill(f)
				f.Agents["node-b"].Zone.Southbound.Remotes = nil
				f.Agents = map[string]inventory.Node{"node-b": {Node: "node-b", Zone: f.Agents["node-b"].Zone}}
			},
		},
		"EdgeMissing": {
			reason: "nothing reaches the other sides",
			spoil: func(f *Facts) {
				goOnBy(f, "node-b")
				z := f.Agents["node-a"].Zone
				z.Northbound.Ports, z.Southbound.Ports = z.Northbound.Ports[:2], z.Southbound.Ports[:2]
			},
			want: []Discrepancy{
				{at + "northbound port l2sm/default/ping/edge", "is missing"},
				{at + "southbound port binding l2sm/default/ping/edge", "is missing"},
			},
		},
		"EdgeStray": {
			reason: "frames would leave by an edge that nobody asked for",
			spoil: func(f *Facts) {
				goOnBy(f, "node-b")
				f.Networks[0].Status.Stretch = nil
				n := f.Agents["node-b"]
				n.Zone.Northbound.Ports, n.Zone.Southbound.Ports = n.Zone.Northbound.Ports[:2], n.Zone.Southbound.Ports[:2]
			},
			want: []Discrepancy{
				{at + "northbound port l2sm/default/ping/edge", "belongs to no L2Network with a member on the node that goes on in other clusters"},
				{at + "southbound port binding l2sm/default/ping/edge", "belongs to no L2Network with a member on the node that goes on in other clusters"},
			},
		},
		"TwoEdges": {
			reason: "each frame would come back: one node takes itself for the edge that another is",
			spoil: func(f *Facts) {
				goOnBy(f, "node-b")
				stale := &Facts{Networks: f.Networks[:1], Attachments: f.Attachments, Agents: map[string]inventory.Node{"node-a": f.Agents["node-a"]}}
				carriedBy := *f.Networks[0].Status.Stretch
				stale.Networks[0].Status.Stretch.Chassis = "node-a"
				refill(stale)
				f.Agents["node-a"] = stale.Agents["node-a"]
				f.Networks[0].Status.Stretch = &carriedBy
			},
			want: []Discrepancy{
				{at + "northbound port l2sm/default/ping/edge", `its type is "l2gateway", want "remote"`},
				{at + "northbound port l2sm/default/ping/edge", "options are map[l2gateway-chassis:node-a network_name:l2sm-edge], want map[requested-chassis:chassis-b]"},
				{at + "northbound port l2sm/default/ping/edge", `port_security is [], want ["00:00:00:00:00:00"]`},
				{at + "southbound port binding l2sm/default/ping/edge", `its chassis is "node-a", want "chassis-b"`},
			},
		},
		"EdgesKeyTwice": {
			reason: "what is for a pod would go to the other sides",
			spoil: func(f *Facts) {
				goOnBy(f, "node-b")
				f.Networks[0].Status.Stretch.TunnelKey = 1
				refill(f)
			},
			want: []Discrepancy{{"L2Network default/ping, tunnel key 1 of ports", "is held by default/a and the edge"}},
		},

		// The API itself.
		"NoTunnelKey": {
			reason: "a port without a key is written by no agent",
			spoil: func(f *Facts) {
				f.Attachments[1].Status.TunnelKey = 0
				f.Agents["node-a"].Zone.Northbound.Ports = f.Agents["node-a"].Zone.Northbound.Ports[:1]
				f.Agents["node-a"].Zone.Southbound.Ports = f.Agents["node-a"].Zone.Southbound.Ports[:1]
				f.Agents["node-a"].Zone.Southbound.Remotes = nil
				n := f.Agents["node-b"]
				n.Zone, n.Ports, n.HostEnds = &inventory.Zone{Southbound: ovn.Bindings{Chassis: []string{"chassis-b"}}}, nil, nil
				f.Agents["node-b"] = n
			},
			want: []Discrepancy{{"L2Attachment default/b", "has a port on default/ping, but no tunnel key"}},
		},
		"NetworkWithoutKey": {
			reason: "its members wait, and it is said once",
			spoil: func(f *Facts) {
				f.Networks[0].Status.TunnelKey = 0
				for _, n := range f.Agents {
					*n.Zone = inventory.Zone{Southbound: ovn.Bindings{Chassis: n.Zone.Southbound.Chassis}}
				}
			},
			want: []Discrepancy{{"L2Network default/ping", "has members, but no spec in force or no tunnel key"}},
		},
		"NetworksOfOneKey": {
			reason: "frames of one would arrive on the other",
			spoil:  func(f *Facts) { f.Networks[1].Status.TunnelKey = keyOfPing },
			want:   []Discrepancy{{"tunnel key 16000001 of networks", "is held by default/other and default/ping"}},
		},
		"PortsOfOneKey": {
			reason: "frames for one would be given to the other",
			spoil: func(f *Facts) {
				f.Attachments[1].Status.TunnelKey = 1
				for _, n := range f.Agents {
					n.Zone.Northbound.Ports[1].TunnelKey, n.Zone.Southbound.Ports[1].TunnelKey = 1, 1
				}
			},
			want: []Discrepancy{{"L2Network default/ping, tunnel key 1 of ports", "is held by default/a and default/b"}},
		},

		// The node's northbound database.
		"SwitchMissing": {
			reason: "a network with a member has its switch here",
			spoil:  onZone(func(z *inventory.Zone) { z.Northbound.Switches = nil }),
			want:   []Discrepancy{{at + "northbound switch l2sm/default/ping", "is missing"}},
		},
		"SwitchSurplus": {
			reason: "one without has none",
			spoil: func(f *Facts) {
				z := topology.Zone{Node: "node-a"}
				add(&f.Agents["node-a"].Zone.Northbound, z.Switch(f.Networks[1].InForce(), maxMTU).Listed())
			},
			want: []Discrepancy{
				{at + "northbound ACL of default/other", "belongs to no L2Network with a member on the node"},
				{at + "northbound switch l2sm/default/other", "belongs to no L2Network with a member on the node"},
			},
		},
		"SwitchKey": {
			reason: "the other nodes mean another network by it",
			spoil:  onZone(func(z *inventory.Zone) { z.Northbound.Switches[0].TunnelKey = 7 }),
			want:   []Discrepancy{{at + "northbound switch l2sm/default/ping", `its tunnel key is "7", want "16000001"`}},
		},
		"PortMissing": {
			reason: "the others' ports are here too",
			spoil:  onZone(func(z *inventory.Zone) { z.Northbound.Ports = z.Northbound.Ports[:1] }),
			want:   []Discrepancy{{at + "northbound port " + portB, "is missing"}},
		},
		"PortSurplus": {
			reason: "as long as there is their attachment",
			spoil: onZone(func(z *inventory.Zone) {
				gone := z.Northbound.Ports[1]
				gone.Name = "l2sm/default/gone"
				z.Northbound.Ports = append(z.Northbound.Ports, gone)
			}),
			want: []Discrepancy{{at + "northbound port l2sm/default/gone", "belongs to no L2Attachment of a network with a member on the node"}},
		},
		"PortKey": {
			reason: "the other nodes mean another port by it",
			spoil:  onZone(func(z *inventory.Zone) { z.Northbound.Ports[1].TunnelKey = 7 }),
			want:   []Discrepancy{{at + "northbound port " + portB, `its tunnel key is "7", want "2"`}},
		},
		"PortAddresses": {
			reason: "OVN answers for the other node's port",
			spoil:  onZone(func(z *inventory.Zone) { z.Northbound.Ports[1].Addresses = []string{"unknown"} }),
			want: []Discrepancy{{at + "northbound port " + portB,
				`addresses is ["unknown"], want ["0a:58:0a:00:00:02 10.0.0.2 fd10::2"]`}},
		},
		"PortSecurity": {
			reason: "what a port of the node may send is seen to here",
			spoil:  onZone(func(z *inventory.Zone) { z.Northbound.Ports[0].PortSecurity = nil }),
			want: []Discrepancy{{at + "northbound port " + portA,
				`port_security is [], want ["0A:58:0a:00:00:01 10.0.0.1/24 fd10::1/64"]`}},
		},
		"RemoteAsOwn": {
			reason: "a pod here that takes its name would have its frames",
			spoil:  onZone(func(z *inventory.Zone) { z.Northbound.Ports[1].Type = "" }),
			want:   []Discrepancy{{at + "northbound port " + portB, `its type is "", want "remote"`}},
		},
		"RemoteElsewhere": {
			reason: "frames go to a node where it is not",
			spoil: onZone(func(z *inventory.Zone) {
				z.Northbound.Ports[1].Options = map[string]string{"requested-chassis": "node-c"}
			}),
			want: []Discrepancy{{at + "northbound port " + portB, "options are map[requested-chassis:node-c], want map[requested-chassis:chassis-b]"}},
		},

		// Its southbound database.
		"KeyOfSwitchHeld": {
			reason: "northd gives another than is asked for where that is taken, and says nothing",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Switches[0].TunnelKey = 7 }),
			want:   []Discrepancy{{at + "southbound switch l2sm/default/ping", `its tunnel key is "7", want "16000001"`}},
		},
		"SwitchNotTranslated": {
			reason: "northd makes one of each",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Switches = nil }),
			want:   []Discrepancy{{at + "southbound switch l2sm/default/ping", "is missing"}},
		},
		"KeyOfPortHeld": {
			reason: "as of switches",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Ports[1].TunnelKey = 7 }),
			want:   []Discrepancy{{at + "southbound port binding " + portB, `its tunnel key is "7", want "2"`}},
		},
		"BindingMissing": {
			reason: "northd makes one of each port",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Ports = z.Southbound.Ports[1:] }),
			want:   []Discrepancy{{at + "southbound port binding " + portA, "is missing"}},
		},
		"BindingSurplus": {
			reason: "and none of nothing",
			spoil: onZone(func(z *inventory.Zone) {
				z.Southbound.Ports = append(z.Southbound.Ports, ovn.Binding{Port: "l2sm/default/gone"})
			}),
			want: []Discrepancy{{at + "southbound port binding l2sm/default/gone", "belongs to no L2Attachment of a network with a member on the node"}},
		},
		"BoundElsewhere": {
			reason: "a remote port is on its node's chassis",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Ports[1].Chassis = "node-a" }),
			want:   []Discrepancy{{at + "southbound port binding " + portB, `its chassis is "node-a", want "chassis-b"`}},
		},
		"Down": {
			reason: "and the node's own is up",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Ports[0].Up = false }),
			want:   []Discrepancy{{at + "southbound port binding " + portA, `up is "false", want "true"`}},
		},
		"OwnChassisMissing": {
			reason: "ovn-controller registers it",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Chassis = nil }),
			want:   []Discrepancy{{at + "southbound chassis node-a", "is missing"}},
		},
		"RemoteMissing": {
			reason: "without one there is no tunnel",
			spoil:  onZone(func(z *inventory.Zone) { z.Southbound.Remotes = nil }),
			want:   []Discrepancy{{at + "southbound remote chassis chassis-b", "is missing"}},
		},
		"RemoteSurplus": {
			reason: "a node pays for its members' nodes alone",
			spoil: onZone(func(z *inventory.Zone) {
				z.Southbound.Remotes = append(z.Southbound.Remotes, ovn.Remote{Name: "node-c"})
			}),
			want: []Discrepancy{{at + "southbound remote chassis node-c", "belongs to no node with members of networks that this node has"}},
		},
		"RemoteAddress": {
			reason: "a tunnel leads to where the node is",
			spoil: onZone(func(z *inventory.Zone) {
				z.Southbound.Remotes = []ovn.Remote{{Name: "chassis-b", Hostname: "node-x", Address: "192.0.2.9"}}
			}),
			want: []Discrepancy{
				{at + "southbound remote chassis chassis-b", `its address is "192.0.2.9", want "192.0.2.2"`},
				{at + "southbound remote chassis chassis-b", `its node is "node-x", want "node-b"`},
			},
		},
		"NoTunnelAddress": {
			reason: "a node that does not say where its tunnels start gets none",
			spoil: func(f *Facts) {
				f.L2Nodes[1].Status.TunnelAddresses = []string{"none"}
				f.Agents["node-a"].Zone.Southbound.Remotes = nil
			},
			want: []Discrepancy{{"L2Node node-b", "has no tunnel address: pods on node node-a can't reach those on it"}},
		},
		"Refused": {
			reason: "the spec in force counts, here too",
			spoil: func(f *Facts) {
				f.Networks[0].Spec = v1alpha1.L2NetworkSpec{PortSecurity: v1alpha1.PortSecurityDisabled}
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := tidyZones()
			tc.spoil(&f)
			if diff := cmp.Diff(tc.want, Check(f)); diff != "" {
				t.Errorf("%s: discrepancies (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
