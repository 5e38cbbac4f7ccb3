package link

import (
	"encoding"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Announce tells an interface's neighbours which MAC has its addresses, so
// that none of them keeps sending to the addresses' last holder.
//
// The frames pass the pod's own stack by: it takes a moment after the
// interface is up until that would route an advertisement.
func Announce(netns string, want Interface) error {
	frames, err := announcements(want)
	if err != nil {
		return fmt.Errorf("announce interface %q: %w", want.Name, err)
	}
	if len(frames) == 0 {
		return nil
	}
	err = inNamespace(netns, func() error { return send(want.Name, frames) })
	if err != nil {
		return fmt.Errorf("announce interface %q: %w", want.Name, err)
	}
	return nil
}

// announcements are the frames, one for each address.
func announcements(want Interface) ([]*ethernet.Frame, error) {
	var frames []*ethernet.Frame
	for _, a := range want.Addresses {
		announce := advertisement
		if a.Addr().Is4() {
			announce = announcement
		}
		frame, err := announce(want.MAC, a.Addr())
		if err != nil {
			return nil, fmt.Errorf("make announcement of %s: %w", a.Addr(), err)
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

// announcement is an ARP announcement, RFC 5227 section 2.3.
func announcement(mac net.HardwareAddr, addr netip.Addr) (*ethernet.Frame, error) {
	p, err := arp.NewPacket(arp.OperationRequest, mac, addr, make(net.HardwareAddr, len(mac)), addr)
	if err != nil {
		return nil, err
	}
	payload, err := p.MarshalBinary()
	return &ethernet.Frame{Destination: ethernet.Broadcast, Source: mac, EtherType: ethernet.EtherTypeARP, Payload: payload}, err
}

// allNodes is the Ethernet address of ff02::1, RFC 2464 section 7.
var allNodes = net.HardwareAddr{0x33, 0x33, 0, 0, 0, 1}

// advertisement is an unsolicited neighbour advertisement, RFC 4861 section
// 7.2.6.
func advertisement(mac net.HardwareAddr, addr netip.Addr) (*ethernet.Frame, error) {
	to := netip.IPv6LinkLocalAllNodes()
	message, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Override:      true,
		TargetAddress: addr,
		Options:       []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
	}, addr, to)
	payload := append(header(addr, to, len(message)), message...)
	return &ethernet.Frame{Destination: allNodes, Source: mac, EtherType: ethernet.EtherTypeIPv6, Payload: payload}, err
}

// header is an IPv6 header before an NDP message of n bytes, RFC 8200 section
// 3.
func header(from, to netip.Addr, n int) []byte {
	h := []byte{6 << 4, 0, 0, 0, byte(n >> 8), byte(n), unix.IPPROTO_ICMPV6, ndp.HopLimit}
	h = append(h, from.AsSlice()...)
	return append(h, to.AsSlice()...)
}

// again are the pauses before an announcement is repeated. OVN's other nodes
// learn of a port by themselves, some milliseconds after its own; a neighbour
// that asked for the address meanwhile, without an answer, asks again after a second, but
// takes an announcement for an answer. QEMU announces a migrated guest in the
// same way (net/announce.c); the last is of RFC 5227 section 2.3,
// ANNOUNCE_INTERVAL.
var again = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 2 * time.Second}

// send sends the frames, and again later; the caller need not wait for that.
func send(name string, frames []*ethernet.Frame) error {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	const receiveNothing = 0
	conn, err := packet.Listen(ifi, packet.Raw, receiveNothing, nil)
	if err != nil {
		return err
	}
	if err := writeAll(conn, frames); err != nil {
		return errors.Join(err, conn.Close())
	}
	repeat(conn, frames, again)
	return nil
}

func repeat(conn net.PacketConn, frames []*ethernet.Frame, pauses []time.Duration) {
	if len(pauses) == 0 {
		_ = conn.Close()
		return
	}
	time.AfterFunc(pauses[0], func() {
		_ = writeAll(conn, frames) // the interface may be gone by now
		repeat(conn, frames, pauses[1:])
	})
}

func writeAll(conn net.PacketConn, frames []*ethernet.Frame) error {
	var errs []error
	for _, frame := range frames {
		errs = append(errs, write(conn, frame, frame.Destination))
	}
	return errors.Join(errs...)
}

func write(conn net.PacketConn, frame encoding.BinaryMarshaler, to net.HardwareAddr) error {
	bytes, err := frame.MarshalBinary()
	if err != nil {
		return err
	}
	_, err = conn.WriteTo(bytes, &packet.Addr{HardwareAddr: to})
	return err
}
