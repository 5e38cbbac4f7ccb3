// Package topology is the pure mapping from a network with the spec in force,
// and its attachments, to what OVN's northbound database holds of them. It reads
// nothing and keeps nothing.
package topology

import (
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
	"l2sm.io/l2sm/ovn"
)

// unknown, in a port's addresses, delivers frames to it whose destination no
// port is known to have (ovn-nb(5), Logical_Switch_Port addresses).
const unknown = "unknown"

// For is what the northbound database holds of a network, which is one with the
// spec in force, and of the given attachments, all of them bound, complete and
// accepted, where pods may have the given MTU, in bytes, at most. Another network
// takes over the ports of those that are leaving. By its status the network may go on in
// other clusters.
func For(network *v1alpha1.L2Network, attachments, leaving []*v1alpha1.L2Attachment, maxMTU int32) ovn.Network {
	n := Switch(network, maxMTU)
	for _, a := range attachments {
		n.Ports = append(n.Ports, Port(network, a))
	}
	if edge, goes := Edge(network); goes {
		n.Ports = append(n.Ports, edge)
	}
	for _, a := range leaving {
		n.Leaving = append(n.Leaving, a.PortName())
	}
	return n
}

// Switch is For without attachments: the logical switch and what serves it as a
// whole.
func Switch(network *v1alpha1.L2Network, maxMTU int32) ovn.Network {
	return ovn.Network{
		Key: ovn.Key{Namespace: network.Namespace, Name: network.Name},
		UID: string(network.UID),

		TunnelKey: int(network.Status.TunnelKey),

		DHCP:   dhcpSets(network, maxMTU),
		Guard:  guard(network),
		Tags:   tags(network),
		FDBAge: fdbAge(network),
	}
}

// Port is an attachment's logical switch port. It belongs to one node and to
// one life of a pod: an interface of another node, or of another pod, that
// claims its name is not given the port (requested-chassis in ovn-nb(5),
// iface-id-ver in ovn-controller(8)).
func Port(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) ovn.Port {
	security := Security(network, a)
	return ovn.Port{
		Name:         a.PortName(),
		Owner:        string(a.UID),
		TunnelKey:    int(a.Status.TunnelKey),
		Addresses:    portAddresses(network, a, security),
		PortSecurity: portSecurity(a, security),
		Permit:       permit(network, a, security),
		Options:      map[string]string{"requested-chassis": a.Spec.NodeName, "iface-id-ver": string(a.Spec.PodUID)},
	}
}

// tags says whether frames with VLAN tags pass: where OVN knows all addresses that
// pods may have, it answers for them instead, so that no first packet waits for
// another node.
func tags(network *v1alpha1.L2Network) bool {
	return network.NetworkSecurity() != v1alpha1.PortSecurityStrict
}

// learnedAge, in seconds, is for how long OVN remembers on which port a MAC
// address was that nobody uses: as long as Linux' bridges do.
const learnedAge = 300

// fdbAge is learnedAge where OVN learns addresses: from ports without port
// security.
func fdbAge(network *v1alpha1.L2Network) int {
	if network.NetworkSecurity() == v1alpha1.PortSecurityDisabled || network.Spec.AllowPortSecurityOverride {
		return learnedAge
	}
	return 0
}

// Security is the port security in effect: the attachment's own where the
// network lets it choose, else the network's.
func Security(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) v1alpha1.PortSecurity {
	if a.Spec.PortSecurity != "" && network.Spec.AllowPortSecurityOverride {
		return a.Spec.PortSecurity
	}
	return network.NetworkSecurity()
}

// portAddresses is the port's column addresses: where OVN knows all that the
// port answers to, one element, from which it also answers ARP and neighbour
// solicitations; else the MAC address and unknown. Without unknown OVN learns
// nothing from a port that floods it with MAC addresses.
func portAddresses(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, security v1alpha1.PortSecurity) []string {
	if security == v1alpha1.PortSecurityDisabled && meta.IsStatusConditionFalse(a.Status.Conditions, v1alpha1.ConditionLearning) {
		return []string{element(a.Spec.MACAddress, hosts(a.Spec.Addresses))}
	}
	if network.Spec.IPAM != nil && network.Spec.IPAM.DHCP && security == v1alpha1.PortSecurityDisabled {
		return []string{element(a.Spec.MACAddress, hosts(a.Spec.Addresses)), unknown} // DHCP offers what is here
	}
	if network.Spec.IPAM == nil || security == v1alpha1.PortSecurityDisabled {
		return []string{a.Spec.MACAddress, unknown}
	}
	return []string{element(a.Spec.MACAddress, hosts(a.Spec.Addresses))}
}

// portSecurity is the port's column port_security. Strict is one element: a
// separate one of the MAC address alone would let every address pass. An
// element with addresses of one family forbids the other; that is meant. One
// without addresses is MAC: the pod sets addresses of its own.
func portSecurity(a *v1alpha1.L2Attachment, security v1alpha1.PortSecurity) []string {
	switch security {
	case v1alpha1.PortSecurityStrict:
		return []string{element(a.Spec.MACAddress, admitted(a.Spec.Addresses))}
	case v1alpha1.PortSecurityDisabled:
		return nil
	default:
		return []string{a.Spec.MACAddress}
	}
}

func element(mac string, addresses []string) string {
	return strings.Join(append([]string{mac}, addresses...), " ")
}

// admitted are the addresses as port_security admits them, and nothing beside
// them but their subnet's broadcast address.
func admitted(addresses []string) []string {
	var all []string
	for _, text := range addresses {
		if p, err := netip.ParsePrefix(text); err == nil { // the API admits CIDRs only
			all = append(all, ipam.SecurityPrefix(p).String())
		}
	}
	return all
}

// hosts are the addresses without their prefix lengths.
func hosts(addresses []string) []string {
	var all []string
	for _, text := range addresses {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			continue // the API admits CIDRs only, and acceptance has parsed them
		}
		all = append(all, p.Addr().String())
	}
	return all
}
