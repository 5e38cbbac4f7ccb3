package controllers

import (
	"net/netip"
	"strings"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// unknown, in a port's addresses, delivers frames to it whose destination no
// port is known to have (ovn-nb(5), Logical_Switch_Port addresses).
const unknown = "unknown"

// topology is what the northbound database shall hold of a network with the
// given attachments, all of them bound, complete and accepted, beside those
// that another network takes over, on an underlay of the given MTU.
func topology(network *v1alpha1.L2Network, attachments, leaving []*v1alpha1.L2Attachment, underlayMTU int32) ovn.Network {
	n := ovn.Network{
		Key:  ovn.Key{Namespace: network.Namespace, Name: network.Name},
		UID:  string(network.UID),
		DHCP: dhcpSets(network, underlayMTU),
	}
	for _, a := range attachments {
		security := effectiveSecurity(network, a)
		n.Ports = append(n.Ports, ovn.Port{
			Name:         ovn.PortName(a.Namespace, a.Name),
			Owner:        string(a.UID),
			Addresses:    portAddresses(network, a, security),
			PortSecurity: portSecurity(a, security),
		})
	}
	for _, a := range leaving {
		n.Leaving = append(n.Leaving, ovn.PortName(a.Namespace, a.Name))
	}
	return n
}

// effectiveSecurity is the attachment's own port security where the network
// lets it choose, else the network's.
func effectiveSecurity(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) v1alpha1.PortSecurity {
	if a.Spec.PortSecurity != "" && network.Spec.AllowPortSecurityOverride {
		return a.Spec.PortSecurity
	}
	return networkSecurity(network)
}

func networkSecurity(network *v1alpha1.L2Network) v1alpha1.PortSecurity {
	if network.Spec.PortSecurity != "" {
		return network.Spec.PortSecurity
	}
	if network.Spec.IPAM == nil {
		return v1alpha1.PortSecurityMAC
	}
	return v1alpha1.PortSecurityStrict
}

// portAddresses is the port's column addresses: where OVN knows all that the
// port answers to, one element, from which it also answers ARP and neighbour
// solicitations; else the MAC address and unknown.
func portAddresses(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment, security v1alpha1.PortSecurity) []string {
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
		return []string{element(a.Spec.MACAddress, a.Spec.Addresses)}
	case v1alpha1.PortSecurityDisabled:
		return nil
	default:
		return []string{a.Spec.MACAddress}
	}
}

func element(mac string, addresses []string) string {
	return strings.Join(append([]string{mac}, addresses...), " ")
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
