package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// northbound compares the rows with what the controllers' own mapping makes of
// the API.
func (c *check) northbound() {
	var want ovn.Contents
	for key, network := range c.networks {
		rows := rowsOf(network, c.ported[key], c.MaxMTU).Listed()
		want.Switches = append(want.Switches, rows.Switches...)
		want.Ports = append(want.Ports, rows.Ports...)
		want.DHCP = append(want.DHCP, rows.DHCP...)
		want.ACLs = append(want.ACLs, rows.ACLs...)
	}
	compare(c, things[ovn.ListedSwitch]{
		kind: "northbound switch", owner: "L2Network",
		name: func(s ovn.ListedSwitch) string { return s.Name },
		differs: func(want, have ovn.ListedSwitch) []string {
			return slices.Concat(
				unequal("its network", want.Network, have.Network),
				unequal("its network's UID", want.UID, have.UID),
				unequal("its tunnel key", want.TunnelKey, have.TunnelKey),
			)
		},
	}, want.Switches, c.Northbound.Switches)
	compare(c, things[ovn.ListedPort]{
		kind: "northbound port", owner: "L2Attachment",
		name: func(p ovn.ListedPort) string { return p.Name }, differs: comparePorts,
	}, want.Ports, c.Northbound.Ports)
	compare(c, things[ovn.ListedDHCP]{
		kind: "northbound DHCP options", owner: "L2Network",
		name: func(d ovn.ListedDHCP) string { return fmt.Sprintf("of %s for %s", d.Network, d.CIDR) },
		differs: func(want, have ovn.ListedDHCP) []string {
			return slices.Concat(unequalMaps("options", want.Options, have.Options), unequal("its network's UID", want.UID, have.UID))
		},
	}, want.DHCP, c.Northbound.DHCP)
	compare(c, things[ovn.ListedACL]{
		kind: "northbound ACL", owner: "L2Network",
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
	}, want.ACLs, c.Northbound.ACLs)
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

// southbound compares who has claimed the ports with where the pods are.
func (c *check) southbound() {
	var want []ovn.Binding
	c.eachPorted(func(a *v1alpha1.L2Attachment) {
		want = append(want, ovn.Binding{Port: a.PortName(), Chassis: a.Spec.NodeName, Up: true})
	})
	compare(c, things[ovn.Binding]{
		kind: "southbound port binding", owner: "L2Attachment",
		name: func(b ovn.Binding) string { return b.Port },
		differs: func(want, have ovn.Binding) []string {
			return slices.Concat(unequal("its chassis", want.Chassis, have.Chassis), unequal("up", want.Up, have.Up))
		},
	}, want, c.Southbound.Ports)
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
