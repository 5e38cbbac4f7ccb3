package link

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Holder is a link of the node that holds an address.
type Holder struct {
	Name  string
	Index int
	// MTU in bytes.
	MTU int
}

// HolderOf returns the link that holds the address, and the zero Holder where
// none does.
func HolderOf(ip netip.Addr) (Holder, error) {
	addrs, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return Holder{}, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addrs {
		if prefix(a.IPNet).Addr() != ip {
			continue
		}
		link, err := netlink.LinkByIndex(a.LinkIndex)
		if err != nil {
			return Holder{}, fmt.Errorf("get link %d: %w", a.LinkIndex, err)
		}
		return Holder{Name: link.Attrs().Name, Index: a.LinkIndex, MTU: link.Attrs().MTU}, nil
	}
	return Holder{}, nil
}
