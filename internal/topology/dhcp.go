package topology

import (
	"net/netip"
	"strconv"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// dhcpMAC is what OVN's DHCP servers answer from: locally administered, unicast
// and outside 0a:58, the prefix of all addresses that we assign. An IPv6 server
// derives its link-local address from it, so that one is no pod's either.
const dhcpMAC = "02:6c:32:73:6d:01"

// dhcpAddresses are what an IPv4 server may call itself: the first that lies
// outside the network's subnet, so that no pod can have it. Both can't be
// somebody else's: one is link-local (RFC 3927), the other the dummy address of
// RFC 7600, which no host has; only a /1 would hold both. A client that renews
// its lease asks the server by this address, without effect, and later by broadcast,
// which OVN answers (RFC 2131 section 4.4.5).
var dhcpAddresses = []netip.Addr{
	netip.AddrFrom4([4]byte{169, 254, 1, 1}),
	netip.AddrFrom4([4]byte{192, 0, 0, 8}),
}

// dhcpLease, in seconds, is when a client at last learns of another MTU.
// Addresses do not change while an attachment lives.
const dhcpLease = 3600

// dhcpSets is what OVN answers to the network's ports that ask for their
// addresses. It names no router and no DNS server: the pod's main interface
// has those.
func dhcpSets(network *v1alpha1.L2Network, maxMTU int32) []ovn.DHCP {
	if network.Spec.IPAM == nil || !network.Spec.IPAM.DHCP {
		return nil
	}
	var sets []ovn.DHCP
	for _, text := range network.Spec.IPAM.Subnets {
		subnet, err := netip.ParsePrefix(text)
		if err != nil {
			continue // the API admits CIDRs only
		}
		if subnet.Addr().Is4() {
			sets = append(sets, dhcpV4(subnet, network.EffectiveMTU(maxMTU)))
			continue
		}
		sets = append(sets, ovn.DHCP{CIDR: subnet.String(), Options: map[string]string{"server_id": dhcpMAC}})
	}
	return sets
}

func dhcpV4(subnet netip.Prefix, mtu int32) ovn.DHCP {
	server := dhcpAddresses[0]
	if subnet.Contains(server) {
		server = dhcpAddresses[1]
	}
	return ovn.DHCP{CIDR: subnet.String(), Options: map[string]string{
		"server_id":  server.String(),
		"server_mac": dhcpMAC,
		"lease_time": strconv.Itoa(dhcpLease),
		"mtu":        strconv.Itoa(int(mtu)),
	}}
}
