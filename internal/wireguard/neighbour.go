package wireguard

import (
	"encoding/binary"
	"net/netip"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

const (
	// headerLen is Ethernet's: destination, source, type.
	headerLen = 14
	// etherIPv6 is the type of frames with IPv6.
	etherIPv6 = 0x86dd
	// untouched is the hop limit of all that neighbours say: nobody forwarded it (RFC
	// 4861, section 7.1).
	untouched = 255
)

// hasIPv6 says whether the frame holds a whole header of IPv6.
func hasIPv6(frame []byte) bool {
	return len(frame) >= headerLen+ipv6.HeaderLen && binary.BigEndian.Uint16(frame[12:]) == etherIPv6 && frame[headerLen]>>4 == ipv6.Version
}

// solicits says whether a frame with IPv6 is a neighbour solicitation.
func solicits(frame []byte) bool {
	const next, kind = headerLen + 6, headerLen + ipv6.HeaderLen
	return frame[next] == unix.IPPROTO_ICMPV6 && len(frame) > kind && frame[kind] == byte(ipv6.ICMPTypeNeighborSolicitation)
}

// answer is the frame with the neighbour advertisement that a solicitation asks for, or nil
// (RFC 4861, sections 4.4 and 7.2.4): FarMAC, for whatever address within the tunnel is not
// own. Those without a peer are answered as well: that they have none is WireGuard's to
// tell. Who asks from no address wants to have the one that it asks for (RFC 4862, section
// 5.4), and gets no answer: nobody but own has one here.
func answer(frame []byte, own netip.Addr) []byte {
	if !hasIPv6(frame) || !solicits(frame) {
		return nil
	}
	packet := frame[headerLen:]
	length, hops := int(binary.BigEndian.Uint16(packet[4:])), packet[7]
	if hops != untouched || length > len(packet)-ipv6.HeaderLen {
		return nil
	}
	message, err := ndp.ParseMessage(packet[ipv6.HeaderLen : ipv6.HeaderLen+length])
	if err != nil {
		return nil
	}
	asked, ok := message.(*ndp.NeighborSolicitation)
	if !ok || asked.TargetAddress == own || !Within.Contains(asked.TargetAddress) {
		return nil
	}
	asker := netip.AddrFrom16([16]byte(packet[8:24]))
	if asker.IsUnspecified() || asker.IsMulticast() {
		return nil
	}
	told, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{
		Solicited: true, Override: true, TargetAddress: asked.TargetAddress,
		Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Target, Addr: FarMAC}},
	}, asked.TargetAddress, asker)
	if err != nil {
		return nil
	}
	out := make([]byte, 0, headerLen+ipv6.HeaderLen+len(told))
	out = append(append(out, frame[6:12]...), FarMAC...)
	out = binary.BigEndian.AppendUint16(out, etherIPv6)
	out = append(out, ipv6.Version<<4, 0, 0, 0)
	out = binary.BigEndian.AppendUint16(out, uint16(len(told)))
	out = append(out, unix.IPPROTO_ICMPV6, untouched)
	out = append(append(out, asked.TargetAddress.AsSlice()...), asker.AsSlice()...)
	return append(out, told...)
}
