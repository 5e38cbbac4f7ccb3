package wireguard

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv6"
	"pgregory.net/rapid"
)

var (
	own  = Inside(netip.MustParseAddr("192.0.2.1"))
	peer = Inside(netip.MustParseAddr("192.0.2.2"))
)

// solicitation is what a node sends for the target, as the kernel does (RFC 4861, section 4.3).
func solicitation(t testing.TB, from, target netip.Addr) []byte {
	t.Helper()
	to, err := ndp.SolicitedNodeMulticast(target)
	if err != nil {
		t.Fatal(err)
	}
	message, err := ndp.MarshalMessageChecksum(&ndp.NeighborSolicitation{
		TargetAddress: target, Options: []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: NearMAC}},
	}, from, to)
	if err != nil {
		t.Fatal(err)
	}
	last := to.As16()
	frame := append(append([]byte{0x33, 0x33}, last[12:]...), NearMAC...)
	return append(append(frame, 0x86, 0xdd), inIPv6(from, to, message)...)
}

// inIPv6 is ICMPv6 in IPv6, with the hop limit of what neighbours say.
func inIPv6(from, to netip.Addr, message []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, uint16(len(message)))
	b = append(b, 58, 255)
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	return append(b, message...)
}

func TestNeighboursAreAnswered(t *testing.T) {
	got := answer(solicitation(t, own, peer), own)
	if got == nil {
		t.Fatal("no answer")
	}
	if !bytes.Equal(got[:6], NearMAC) || !bytes.Equal(got[6:12], FarMAC) || got[12] != 0x86 || got[13] != 0xdd {
		t.Errorf("the header is % x", got[:14])
	}
	header, err := ipv6.ParseHeader(got[14:])
	if err != nil {
		t.Fatal(err)
	}
	if !header.Src.Equal(net.IP(peer.AsSlice())) || !header.Dst.Equal(net.IP(own.AsSlice())) || header.HopLimit != 255 || header.PayloadLen != len(got)-54 {
		t.Errorf("the header is %v", header)
	}
	if sum := checksum(append(icmp.IPv6PseudoHeader(header.Src, header.Dst), 0), got[54:]); sum != 0xffff {
		t.Errorf("with its checksum the message sums up to %#x, want 0xffff", sum)
	}
	message, err := ndp.ParseMessage(got[54:])
	if err != nil {
		t.Fatal(err)
	}
	told, ok := message.(*ndp.NeighborAdvertisement)
	if !ok || told.TargetAddress != peer || !told.Solicited || told.Router || len(told.Options) != 1 {
		t.Fatalf("the answer is %+v", message)
	}
	if option, ok := told.Options[0].(*ndp.LinkLayerAddress); !ok || option.Direction != ndp.Target || !bytes.Equal(option.Addr, FarMAC) {
		t.Errorf("the option is %+v", told.Options[0])
	}
}

// checksum is the one's complement sum (RFC 1071) of the pseudo-header with its length and next header, and the message.
func checksum(pseudo, message []byte) uint16 {
	pseudo = pseudo[:40]
	binary.BigEndian.PutUint32(pseudo[32:], uint32(len(message)))
	pseudo[39] = 58
	all := append(bytes.Clone(pseudo), message...)
	var sum uint32
	for i := 0; i+1 < len(all); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(all[i:]))
	}
	if len(all)%2 == 1 {
		sum += uint32(all[len(all)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}

func TestWhatGetsNoAnswer(t *testing.T) {
	other := netip.MustParseAddr("fd6c:3273:6d66::1")
	change := func(do func([]byte)) []byte {
		frame := solicitation(t, own, peer)
		do(frame)
		return frame
	}
	cases := map[string]struct {
		reason string
		frame  []byte
	}{
		"Own":        {"nobody else has our address", solicitation(t, own, own)},
		"Elsewhere":  {"only peers are behind the device", solicitation(t, own, other)},
		"Unassigned": {"who looks for another with its address must not find one", solicitation(t, netip.IPv6Unspecified(), peer)},
		"Multicast":  {"nobody speaks from such an address", solicitation(t, netip.MustParseAddr("ff02::1"), peer)},
		"Forwarded":  {"it comes from no neighbour", change(func(b []byte) { b[14+7] = 64 })},
		"IPv4":       {"only IPv6 is spoken here", change(func(b []byte) { b[12], b[13] = 0x08, 0x00 })},
		"ARP":        {"only IPv6 is spoken here", change(func(b []byte) { b[12], b[13] = 0x08, 0x06 })},
		"Version":    {"it is no IPv6", change(func(b []byte) { b[14] = 0x45 })},
		"Next":       {"it is no ICMPv6", change(func(b []byte) { b[14+6] = 17 })},
		"Advertised": {"it is no question", change(func(b []byte) { b[54] = 136 })},
		"Length":     {"the frame is shorter than it says", change(func(b []byte) { b[14+4] = 0xff })},
		"Empty":      {"there is no message", change(func(b []byte) { b[14+4], b[14+5] = 0, 0 })},
		"Option":     {"an option of no length has no end", change(func(b []byte) { b[54+25] = 0 })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := answer(tc.frame, own); got != nil {
				t.Errorf("answer % x: %s", got, tc.reason)
			}
		})
	}
}

// Whatever a frame is, and wherever it ends, it is read within its bounds, and an answer is
// no longer than it needs to be.
func FuzzAnswer(f *testing.F) {
	whole := solicitation(f, own, peer)
	for _, n := range []int{0, 13, 53, 54, 77, len(whole)} {
		f.Add(whole[:n:n])
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		if got := answer(frame, own); got != nil && len(got) != 86 {
			t.Errorf("%d bytes", len(got))
		}
	})
}

func TestOddFrames(t *testing.T) {
	whole := solicitation(t, own, peer)
	rapid.Check(t, func(t *rapid.T) {
		frame := bytes.Clone(whole)
		for range rapid.IntRange(0, 5).Draw(t, "changes") {
			frame[rapid.IntRange(0, len(frame)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
		}
		n := rapid.IntRange(0, len(frame)).Draw(t, "length")
		if got := answer(frame[:n:n], own); got != nil && len(got) != 86 {
			t.Errorf("%d bytes", len(got))
		}
	})
}
