package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// central compares the databases that all nodes share with the whole API.
func (c *check) central() {
	var want ovn.Contents
	var switches []ovn.BoundSwitch
	for key, network := range c.networks {
		rows := rowsOf(network, c.ported[key], c.MaxMTU)
		add(&want, rows.Listed())
		switches = append(switches, ovn.BoundSwitch{Name: rows.Switch(), TunnelKey: rows.TunnelKey})
	}
	c.northbound(place{}, want, c.Northbound)
	c.switches(place{}, switches, c.Southbound.Switches)

	var bindings []ovn.Binding
	c.eachPorted(func(a *v1alpha1.L2Attachment) {
		bindings = append(bindings, ovn.Binding{Port: a.PortName(), Chassis: a.Spec.NodeName, Up: true, TunnelKey: int(a.Status.TunnelKey)})
	})
	for key := range c.networks {
		if network := c.inForce(key); network != nil {
			bindings = append(bindings, edgeBinding(topology.Edge(network))...)
		}
	}
	c.bindings(place{}, bindings, c.Southbound.Ports)
	c.chassis()
}

func add(to *ovn.Contents, rows ovn.Contents) {
	to.Switches = append(to.Switches, rows.Switches...)
	to.Ports = append(to.Ports, rows.Ports...)
	to.DHCP = append(to.DHCP, rows.DHCP...)
	to.ACLs = append(to.ACLs, rows.ACLs...)
}

// place is whose database is compared: what its rows are called before their kind,
// and to whom they belong after theirs. It is zero for the central ones.
type place struct{ at, here string }

// ofNetwork is here as it is said of a port.
func (p place) ofNetwork() string {
	if p.here == "" {
		return ""
	}
	return " of a network" + p.here
}

// edgeOwner is what an edge's port belongs to.
func (p place) edgeOwner(port string) (owner string, is bool) {
	_, is = v1alpha1.NetworkOfEdgePort(port)
	return "L2Network" + p.here + " that goes on in other clusters", is
}

// edgeBinding is who must have claimed the edge's port of a network, where there is one.
// OVN says of no port of its kind that it is up.
func edgeBinding(port ovn.Port, goes bool) []ovn.Binding {
	if !goes {
		return nil
	}
	return []ovn.Binding{{Port: port.Name, Chassis: cmp.Or(port.Options["l2gateway-chassis"], port.Options["requested-chassis"]), TunnelKey: port.TunnelKey}}
}

// northbound compares the rows of a database with what the mapping makes of the
// API.
func (c *check) northbound(p place, want, have ovn.Contents) {
	compare(c, things[ovn.ListedSwitch]{
		kind: p.at + "northbound switch", owner: "L2Network" + p.here,
		name: func(s ovn.ListedSwitch) string { return s.Name },
		differs: func(want, have ovn.ListedSwitch) []string {
			return slices.Concat(
				unequal("its network", want.Network, have.Network),
				unequal("its network's UID", want.UID, have.UID),
				unequal("its tunnel key", want.TunnelKey, have.TunnelKey),
			)
		},
	}, want.Switches, have.Switches)
	compare(c, things[ovn.ListedPort]{
		kind: p.at + "northbound port", owner: "L2Attachment" + p.ofNetwork(), ownerOf: p.edgeOwner,
		name: func(p ovn.ListedPort) string { return p.Name }, differs: comparePorts,
	}, want.Ports, have.Ports)
	compare(c, things[ovn.ListedDHCP]{
		kind: p.at + "northbound DHCP options", owner: "L2Network" + p.here,
		name: func(d ovn.ListedDHCP) string { return fmt.Sprintf("of %s for %s", d.Network, d.CIDR) },
		differs: func(want, have ovn.ListedDHCP) []string {
			return slices.Concat(unequalMaps("options", want.Options, have.Options), unequal("its network's UID", want.UID, have.UID))
		},
	}, want.DHCP, have.DHCP)
	compare(c, things[ovn.ListedACL]{
		kind: p.at + "northbound ACL", owner: "L2Network" + p.here,
		name: func(a ovn.ListedACL) string { return strings.TrimSpace(fmt.Sprintf("of %s %s", a.Network, a.Port)) },
		differs: func(want, have ovn.ListedACL) []string {
			return slices.Concat(
				unequal("its network's UID", want.UID, have.UID),
				unequal("direction", want.Direction, have.Direction),
				unequal("priority", want.Priority, have.Priority),
				unequal("match", want.Match, have.Match),
				unequal("action", want.Action, have.Action),
			)
		},
	}, want.ACLs, have.ACLs)
}

// rowsOf is what the database holds of the network by the spec in force,
// whatever another generation asks for. Without one it is a switch without
// ports.
func rowsOf(network *v1alpha1.L2Network, ported []*v1alpha1.L2Attachment, maxMTU int32) ovn.Network {
	if inForce := network.InForce(); inForce != nil {
		return topology.For(inForce, ported, nil, maxMTU)
	}
	bare := *network
	bare.Spec = v1alpha1.L2NetworkSpec{}
	return topology.Switch(&bare, maxMTU)
}

func comparePorts(want, have ovn.ListedPort) []string {
	return slices.Concat(
		unequal("its switch", want.Switch, have.Switch),
		unequal("its network", want.Network, have.Network),
		unequal("its network's UID", want.UID, have.UID),
		unequal("its attachment's UID", want.Owner, have.Owner),
		unequal("its type", want.Type, have.Type),
		unequal("its tunnel key", want.TunnelKey, have.TunnelKey),
		unequalMaps("options", want.Options, have.Options),
		unequalSets("addresses", want.Addresses, have.Addresses),
		unequalSets("port_security", want.PortSecurity, have.PortSecurity),
		unequalSets("DHCP", want.DHCP, have.DHCP),
	)
}

// unequalSets says that two sets differ.
func unequalSets(what string, want, have []string) []string {
	if slices.Equal(set(want), set(have)) {
		return nil
	}
	return []string{fmt.Sprintf("%s is %q, want %q", what, have, want)}
}

// unequalMaps says that two maps differ. A column without keys is nil or empty.
func unequalMaps(what string, want, have map[string]string) []string {
	if maps.Equal(want, have) {
		return nil
	}
	return []string{fmt.Sprintf("%s are %v, want %v", what, have, want)}
}

func set(values []string) []string { return slices.Compact(slices.Sorted(slices.Values(values))) }

// switches compares the keys that northd has given to networks with those that are asked for.
func (c *check) switches(p place, want, have []ovn.BoundSwitch) {
	compare(c, things[ovn.BoundSwitch]{
		kind: p.at + "southbound switch", owner: "L2Network" + p.here,
		name: func(s ovn.BoundSwitch) string { return s.Name },
		differs: func(want, have ovn.BoundSwitch) []string {
			return unequal("its tunnel key", want.TunnelKey, have.TunnelKey)
		},
	}, want, have)
}

// bindings compares who has claimed the ports with where the pods are. A port that need
// not be up may be, and one without a tunnel key on record is told of elsewhere.
func (c *check) bindings(p place, want, have []ovn.Binding) {
	compare(c, things[ovn.Binding]{
		kind: p.at + "southbound port binding", owner: "L2Attachment" + p.ofNetwork(), ownerOf: p.edgeOwner,
		name: func(b ovn.Binding) string { return b.Port },
		differs: func(want, have ovn.Binding) []string {
			all := unequal("its chassis", want.Chassis, have.Chassis)
			if want.Up {
				all = append(all, unequal("up", want.Up, have.Up)...)
			}
			if want.TunnelKey != 0 {
				all = append(all, unequal("its tunnel key", want.TunnelKey, have.TunnelKey)...)
			}
			return all
		},
	}, want, have)
}

func (c *check) eachPorted(f func(*v1alpha1.L2Attachment)) {
	for _, attachments := range c.ported {
		for _, a := range attachments {
			f(a)
		}
	}
}

// chassis compares the chassis with the nodes: one that runs an agent has one,
// and none outlives its node.
func (c *check) chassis() {
	for _, name := range c.Southbound.Chassis {
		if !slices.Contains(c.Nodes, name) {
			c.report("southbound chassis "+name, "belongs to no node")
		}
	}
	for name := range c.Agents {
		if !slices.Contains(c.Southbound.Chassis, name) {
			c.report("southbound chassis "+name, "is missing")
		}
	}
}
