package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/inventory"
	"l2sm.io/l2sm/internal/topology"
)

// nodes compares, on each node whose agent was reached, Open vSwitch's ports
// with the node's attachments, the host ends with the ports, and the pods'
// interfaces with the attachments.
func (c *check) nodes() {
	want := map[string][]inventory.Port{}
	c.eachPorted(func(a *v1alpha1.L2Attachment) {
		want[a.Spec.NodeName] = append(want[a.Spec.NodeName], c.wantedPort(a))
	})
	for node, has := range c.Agents {
		compare(c, things[inventory.Port]{
			kind: "node " + node + ", Open vSwitch port of", owner: "L2Attachment of the node",
			name: func(p inventory.Port) string { return p.LogicalPort }, differs: compareWires,
		}, want[node], has.Ports)

		var ends []inventory.HostEnd
		for _, p := range has.Ports {
			ends = append(ends, inventory.HostEnd{Name: p.Name, Container: p.Container})
		}
		compare(c, things[inventory.HostEnd]{
			kind: "node " + node + ", link", owner: "port",
			name: func(e inventory.HostEnd) string { return e.Name },
			differs: func(want, have inventory.HostEnd) []string {
				return unequal("its container", want.Container, have.Container)
			},
		}, ends, has.HostEnds)
	}
}

// wantedPort is the attachment's port on its node, with its pod's interface.
func (c *check) wantedPort(a *v1alpha1.L2Attachment) inventory.Port {
	p := inventory.Port{
		LogicalPort:  a.PortName(),
		Attachment:   string(a.UID),
		MAC:          strings.ToLower(a.Spec.MACAddress),
		Interface:    a.Spec.Interface,
		PodNamespace: a.Namespace,
		PodName:      a.Spec.PodName,
		PodUID:       string(a.Spec.PodUID),
		Installed:    true,
		Inner:        inventory.Interface{Present: true},
	}
	key, _ := a.PortNetwork()
	if network := c.inForce(key); network != nil {
		p.Inner = wantedInner(network, a, c.MaxMTU)
	}
	return p
}

// wantedInner is what the pod's interface must have to work. A pod may change
// what its port security leaves to it: any address with MAC, and the MAC address
// too, a virtual router's or a bridge's, with Disabled.
func wantedInner(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, maxMTU int32) inventory.Interface {
	inner := inventory.Interface{Present: true, MTU: int(network.EffectiveMTU(maxMTU))}
	security := topology.Security(network, a)
	if security != v1alpha1.PortSecurityDisabled {
		inner.MAC = strings.ToLower(a.Spec.MACAddress)
	}
	if security == v1alpha1.PortSecurityStrict {
		inner.Addresses = a.Spec.Addresses
	}
	return inner
}

func compareWires(want, have inventory.Port) []string {
	all := slices.Concat(
		unequal("its attachment's UID", want.Attachment, have.Attachment),
		unequal("attached-mac", want.MAC, have.MAC),
		unequal("its interface", want.Interface, have.Interface),
		unequal("its pod", want.PodNamespace+"/"+want.PodName, have.PodNamespace+"/"+have.PodName),
		unequal("its pod's UID", want.PodUID, have.PodUID),
		unequal("ovn-installed", want.Installed, have.Installed),
		unequal("its error", want.Error, have.Error),
	)
	for _, what := range compareInner(want.Inner, have.Inner) {
		all = append(all, fmt.Sprintf("interface %s in pod %s/%s: %s", want.Interface, want.PodNamespace, want.PodName, what))
	}
	return all
}

// compareInner leaves out what is not wanted: it is the pod's own.
func compareInner(want, have inventory.Interface) []string {
	switch {
	case have.Error != "":
		return []string{have.Error}
	case !have.Present:
		return []string{"is missing"}
	}
	var all []string
	if want.MAC != "" {
		all = unequal("MAC address", want.MAC, have.MAC)
	}
	if want.MTU != 0 {
		all = append(all, unequal("MTU", want.MTU, have.MTU)...)
	}
	for _, address := range want.Addresses {
		// A pod may have added addresses of its own.
		if !slices.ContainsFunc(have.Addresses, func(h string) bool { return samePrefix(address, h) }) {
			all = append(all, fmt.Sprintf("lacks address %s", address))
		}
	}
	return all
}

// samePrefix compares addresses that may be spelt differently.
func samePrefix(a, b string) bool {
	p, err := netip.ParsePrefix(a)
	q, err2 := netip.ParsePrefix(b)
	return err == nil && err2 == nil && p == q
}
