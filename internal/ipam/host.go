package ipam

import (
	"fmt"
	"net/netip"
)

// block is addresses that no host on a network can be assigned.
type block struct {
	netip.Prefix
	is string
}

// unassignable are the blocks that hold no host's address (IANA's registries
// of special-purpose addresses).
var unassignable = []block{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network, RFC 791"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved, and broadcast"},
	{netip.MustParsePrefix("::/8"), "loopback and IPv4-mapped addresses"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// linkLocal6 has an address of every interface already, on every network, so
// it can be no network's subnet. A pod may still choose an address of it.
var linkLocal6 = block{netip.MustParsePrefix("fe80::/10"), "link-local"}

// checkSubnet says why a subnet can't work.
func checkSubnet(p netip.Prefix) error {
	for _, b := range append(unassignable[:len(unassignable):len(unassignable)], linkLocal6) {
		if b.Overlaps(p) {
			return fmt.Errorf("subnet %s overlaps %s (%s): choose one of unicast addresses, such as 10.101.0.0/16 or fd10:101::/64", p, b.Prefix, b.is)
		}
	}
	return nil
}

// CheckHost says with a *RequestError why no host can have the address. The
// prefix is the address with its subnet's length, or with -1 where that is not
// known yet. An address with a zero host part is refused since it stands for
// the subnet, and OVN reads it so; in a /31 (RFC 3021), a /127 (RFC 6164) and
// in a subnet of one address it is a host's: see SecurityPrefix.
func CheckHost(p netip.Prefix) error {
	addr := p.Addr()
	for _, b := range unassignable {
		if b.Contains(addr) {
			return &RequestError{fmt.Sprintf("address %s is in %s (%s), which no host on a network has", addr, b.Prefix, b.is)}
		}
	}
	if !addr.IsValid() || addr.Is4In6() || addr.Zone() != "" {
		return &RequestError{fmt.Sprintf("address %s is IPv4-mapped, or has a zone: write a plain IPv4 or IPv6 address", addr)}
	}
	if !p.IsValid() {
		return nil // no length: the subnet that it is in decides
	}
	for _, r := range reserved(p.Masked()) {
		if r.First == addr && addr == p.Masked().Addr() {
			return &RequestError{fmt.Sprintf("address %s has a zero host part, so it stands for the subnet and not for a host", p)}
		}
		if r.First == addr {
			return &RequestError{fmt.Sprintf("address %s is the broadcast address of its subnet", p)}
		}
	}
	return nil
}

// SecurityPrefix is an address with the length that a port_security element
// needs to admit it. OVN takes an address with a zero host part and a length
// for the whole subnet (ovn-nb(5), Logical_Switch_Port:port_security), so such a
// one gets the length of a single address. Others keep their subnet's length,
// which admits the subnet's broadcast address.
func SecurityPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr() == p.Masked().Addr() {
		return netip.PrefixFrom(p.Addr(), p.Addr().BitLen())
	}
	return p
}
