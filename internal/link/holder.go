package link

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Holder is a link of the node that holds an address.
type Holder struct {
	Name  string
	Index int
	// MTU in bytes.
	MTU int
	// VRF is the device of the virtual routing domain that the link is in: what
	// comes in by the link is seen to come by it (networking/vrf of the kernel's
	// documentation). Empty for none.
	VRF string
	// Local says that nothing comes in by the link, as by lo or a dummy: packets to
	// its address come by others.
	Local bool
}

// HolderOf returns the link that holds the address, and the zero Holder where
// none does.
func HolderOf(ip netip.Addr) (Holder, error) {
	addrs, err := Whole(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
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
		vrf, err := vrfOf(link)
		return Holder{
			Name: link.Attrs().Name, Index: a.LinkIndex, MTU: link.Attrs().MTU, VRF: vrf,
			Local: link.Attrs().Flags&net.FlagLoopback != 0 || link.Type() == "dummy",
		}, err
	}
	return Holder{}, nil
}

func vrfOf(link netlink.Link) (string, error) {
	if link.Attrs().MasterIndex == 0 {
		return "", nil
	}
	master, err := netlink.LinkByIndex(link.Attrs().MasterIndex)
	if err != nil {
		return "", fmt.Errorf("get link %d: %w", link.Attrs().MasterIndex, err)
	}
	if master.Type() != "vrf" {
		return "", nil
	}
	return master.Attrs().Name, nil
}

// Arrivals are the names of the interfaces by which packets to the address come
// in.
func (h Holder) Arrivals() []string {
	if h.VRF != "" {
		return []string{h.Name, h.VRF}
	}
	return []string{h.Name}
}
