//go:build integration

package topology_test

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/ndp"
)

// endpoint is a pod of a lab as others see it.
type endpoint struct {
	ns     string
	mac    net.HardwareAddr
	v4, v6 netip.Addr
}

// linkLocal is the address that the kernel makes of the MAC address.
func (e endpoint) linkLocal() netip.Addr {
	m := e.mac
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}

var (
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allHosts4 = netip.MustParseAddr("255.255.255.255")
	group4    = netip.MustParseAddr("239.1.2.3")
	allNodes  = netip.IPv6LinkLocalAllNodes()
)

// bridgeGroup is one of the addresses that bridges keep to themselves (IEEE
// 802.1Q, table 8-1).
func bridgeGroup(last byte) net.HardwareAddr { return net.HardwareAddr{0x01, 0x80, 0xc2, 0, 0, last} }

// ether is a frame of at least 60 bytes.
func ether(to, from net.HardwareAddr, etherType uint16, payload []byte) []byte {
	frame := binary.BigEndian.AppendUint16(append(append([]byte{}, to...), from...), etherType)
	frame = append(frame, payload...)
	return append(frame, make([]byte, max(0, 60-len(frame)))...)
}

// tagged puts a tag before what the frame has.
func tagged(frame []byte, etherType, control uint16) []byte {
	tag := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, etherType), control)
	return append(append(append([]byte{}, frame[:12]...), tag...), frame[12:]...)
}

// arp is a reply to all: the address is at the MAC address.
func arp(from, mac net.HardwareAddr, address netip.Addr) []byte {
	body := []byte{0, 1, 8, 0, 6, 4, 0, 2}
	body = append(append(body, mac...), address.AsSlice()...)
	body = append(append(body, broadcast...), address.AsSlice()...)
	return ether(broadcast, from, 0x0806, body)
}

func ipv4(from net.HardwareAddr, source, destination netip.Addr, protocol byte, payload []byte) []byte {
	h := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0}
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(payload)))
	h = append(append(h, source.AsSlice()...), destination.AsSlice()...)
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return ether(broadcast, from, 0x0800, append(h, payload...))
}

func ipv6(from net.HardwareAddr, source, destination netip.Addr, next, limit byte, payload []byte) []byte {
	h := []byte{0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), next, limit}
	h = append(append(h, source.AsSlice()...), destination.AsSlice()...)
	return ether(broadcast, from, 0x86dd, append(h, payload...))
}

// fragmented6 is the first of several fragments (RFC 8200 section 4.5).
func fragmented6(p endpoint, next, limit byte, payload []byte) []byte {
	return ipv6(p.mac, p.linkLocal(), allNodes, 44, limit, append([]byte{next, 0, 0, 1, 0, 0, 0, 9}, payload...))
}

func udp(source, destination uint16) []byte {
	h := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, source), destination)
	return append(h, 0, 8, 0, 0)
}

// icmp6 is a message of that type and length, with zeros.
func icmp6(kind byte, length int) []byte {
	return append([]byte{kind}, make([]byte, length-1)...)
}

// advertised is an unsolicited neighbour advertisement: the address is at the MAC
// address.
func advertised(p endpoint, address netip.Addr, mac net.HardwareAddr) []byte {
	return message(p, &ndp.NeighborAdvertisement{
		Override: true, TargetAddress: address,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: mac}},
	})
}

// advertisedPrefix is what an advertisement would give pods an address of.
var advertisedPrefix = netip.MustParsePrefix("2001:db8:bad::/64")

func routerAdvertisement(p endpoint) []byte {
	return message(p, &ndp.RouterAdvertisement{
		CurrentHopLimit: 64, RouterLifetime: 30 * time.Minute, RouterSelectionPreference: ndp.High,
		Options: []ndp.Option{&ndp.PrefixInformation{
			PrefixLength: 64, OnLink: true, AutonomousAddressConfiguration: true,
			ValidLifetime: time.Hour, PreferredLifetime: time.Hour, Prefix: advertisedPrefix.Addr(),
		}},
	})
}

func message(p endpoint, m ndp.Message) []byte {
	body, err := ndp.MarshalMessageChecksum(m, p.linkLocal(), allNodes)
	if err != nil {
		panic(err) // of a message that is written here
	}
	return ipv6(p.mac, p.linkLocal(), allNodes, 58, 255, body)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
