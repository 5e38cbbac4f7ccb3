package link

import (
	"net"
	"net/netip"
	"testing"

	"github.com/mdlayher/arp"
	"github.com/mdlayher/ethernet"
	"github.com/mdlayher/ndp"
)

func TestAnnouncements(t *testing.T) {
	mac := net.HardwareAddr{0x0a, 0x58, 0x0a, 0x65, 0x02, 0x0a}
	v4, v6 := netip.MustParsePrefix("10.101.2.10/16"), netip.MustParsePrefix("fd10:101::10/64")
	frames, err := announcements(Interface{MAC: mac, Addresses: []netip.Prefix{v4, v6}})
	if err != nil || len(frames) != 2 {
		t.Fatalf("announcements = %v, %v, want one frame for each address", frames, err)
	}

	var p arp.Packet
	if err := p.UnmarshalBinary(frames[0].Payload); err != nil {
		t.Fatal(err)
	}
	if frames[0].Destination.String() != ethernet.Broadcast.String() || p.Operation != arp.OperationRequest ||
		p.SenderHardwareAddr.String() != mac.String() || p.SenderIP != v4.Addr() || p.TargetIP != v4.Addr() {
		t.Errorf("an ARP announcement asks everybody for its own address, got %+v in %+v", p, frames[0])
	}

	const ipv6Header = 40
	payload := frames[1].Payload
	m, err := ndp.ParseMessage(payload[ipv6Header:])
	if err != nil {
		t.Fatal(err)
	}
	na, ok := m.(*ndp.NeighborAdvertisement)
	if !ok || !na.Override || na.Solicited || na.TargetAddress != v6.Addr() || frames[1].Destination.String() != "33:33:00:00:00:01" {
		t.Errorf("an unsolicited advertisement tells all nodes to override what they know, got %+v in %+v", m, frames[1])
	}
	if length, limit := int(payload[4])<<8|int(payload[5]), payload[7]; length != len(payload)-ipv6Header || limit != 255 {
		t.Errorf("the IPv6 header says %d bytes and hop limit %d; receivers want %d and 255", length, limit, len(payload)-ipv6Header)
	}
	if sum := checksum(payload); sum != 0xffff {
		t.Errorf("the checksum does not add up: %#x", sum)
	}
}

// checksum sums the pseudo header (RFC 8200 section 8.1) and the message.
func checksum(p []byte) uint32 {
	sum := uint32(len(p)-40) + uint32(p[6])
	for i := 8; i < len(p); i += 2 {
		sum += uint32(p[i])<<8 | uint32(p[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}
