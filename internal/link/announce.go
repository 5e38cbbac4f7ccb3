package link

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

// Announce tells an interface's neighbours which MAC has its addresses, so
// that none of them keeps sending to the addresses' last holder: an ARP
// announcement for IPv4 (RFC 5227 section 2.3), an unsolicited neighbour
// advertisement for IPv6 (RFC 4861 section 7.2.6).
func Announce(netns string, want Interface) error {
	if len(want.Addresses) == 0 {
		return nil
	}
	return inNamespace(netns, func() error {
		ifi, err := net.InterfaceByName(want.Name)
		if err != nil {
			return fmt.Errorf("get interface %q: %w", want.Name, err)
		}
		var errs []error
		for _, a := range want.Addresses {
			errs = append(errs, announce(ifi, a.Addr()))
		}
		return errors.Join(errs...)
	})
}

func announce(ifi *net.Interface, addr netip.Addr) error {
	send := advertise
	if addr.Is4() {
		send = announceARP
	}
	if err := send(ifi, addr); err != nil {
		return fmt.Errorf("announce %s on interface %q: %w", addr, ifi.Name, err)
	}
	return nil
}

func announceARP(ifi *net.Interface, addr netip.Addr) error {
	c, err := arp.Dial(ifi)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	p, err := arp.NewPacket(arp.OperationRequest, ifi.HardwareAddr, addr, make(net.HardwareAddr, 6), addr)
	if err != nil {
		return err
	}
	return c.WriteTo(p, ethernet.Broadcast)
}

func advertise(ifi *net.Interface, addr netip.Addr) error {
	c, _, err := ndp.Listen(ifi, ndp.Addr(addr.String()))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	na := &ndp.NeighborAdvertisement{
		Override:      true,
		TargetAddress: addr,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: ifi.HardwareAddr}},
	}
	return c.WriteTo(na, nil, netip.IPv6LinkLocalAllNodes())
}
