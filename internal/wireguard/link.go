package wireguard

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

// portMAC is the MAC address of a TAP device that is a port of Bridge.
var portMAC = net.HardwareAddr{0x02, 0x6c, 0x32, 0x73, 0x6d, 0x02}

// find returns nil where there is no such link.
func find(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get link %q: %w", name, err)
	}
	return link, nil
}

func setMTU(link netlink.Link, mtu int) error {
	if link.Attrs().MTU == mtu {
		return nil
	}
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("set MTU of %q to %d: %w", link.Attrs().Name, mtu, err)
	}
	return nil
}

func setUp(link netlink.Link) error {
	if link.Attrs().Flags&net.FlagUp != 0 {
		return nil
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %q up: %w", link.Attrs().Name, err)
	}
	return nil
}

// keepQuiet has the kernel make no link-local address, from which it would speak by itself.
// Where it can't be had, as without IPv6, nothing is lost but some frames that nobody hears.
func keepQuiet(link netlink.Link) {
	_ = netlink.LinkSetIP6AddrGenMode(link, nl.IN6_ADDR_GEN_MODE_NONE)
}
