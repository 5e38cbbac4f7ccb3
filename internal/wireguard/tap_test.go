package wireguard

import (
	"net/netip"
	"testing"

	"github.com/mdlayher/ndp"
	"pgregory.net/rapid"
)

func TestWhatPeersMaySend(t *testing.T) {
	other := Inside(netip.MustParseAddr("192.0.2.3"))
	// An advertisement that has what goes to another peer go elsewhere.
	lie, err := ndp.MarshalMessageChecksum(&ndp.NeighborAdvertisement{Override: true, TargetAddress: other}, peer, own)
	if err != nil {
		t.Fatal(err)
	}
	change := func(do func([]byte)) []byte {
		p := inIPv6(peer, own, make([]byte, 20))
		do(p)
		return p
	}
	cases := map[string]struct {
		reason string
		packet []byte
		want   bool
	}{
		"UDP":       {"VXLAN", change(func(b []byte) { b[6] = 17 }), true},
		"TCP":       {"BGP", change(func(b []byte) { b[6] = 6 }), true},
		"TooBig":    {"path MTU discovery", change(func(b []byte) { b[40] = 2 }), true},
		"Echo":      {"an administrator's ping", change(func(b []byte) { b[40] = 128 }), true},
		"Neighbour": {"peers are no neighbours", inIPv6(peer, own, lie), false},
		"Router":    {"peers are no routers", change(func(b []byte) { b[40] = 134 }), false},
		"Redirect":  {"peers are no routers", change(func(b []byte) { b[40] = 137 }), false},
		"Options":   {"what is behind them is not looked at", change(func(b []byte) { b[6] = 60 }), false},
		"Fragment":  {"what it is a part of is not known", change(func(b []byte) { b[6] = 44 }), false},
		"Other":     {"it is not for this edge", inIPv6(peer, other, make([]byte, 20)), false},
		"Multicast": {"it is not for this edge", inIPv6(peer, netip.MustParseAddr("ff02::1"), make([]byte, 20)), false},
		"IPv4":      {"only IPv6 is spoken here", change(func(b []byte) { b[0] = 0x45 }), false},
		"Short":     {"there is nothing in it", change(func([]byte) {})[:40], false},
		"Empty":     {"there is nothing", nil, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := spoken(tc.packet, own); got != tc.want {
				t.Errorf("spoken: %v, want %v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// Whatever a node or a peer sends is read within its bounds.
func TestOddPackets(t *testing.T) {
	whole := solicitation(t, own, peer)
	rapid.Check(t, func(t *rapid.T) {
		frame := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "frame")
		copy(frame, whole[:rapid.IntRange(0, len(whole)).Draw(t, "kept")])
		frame = frame[:len(frame):len(frame)]
		_ = spoken(frame, own)
		if hasIPv6(frame) {
			_ = solicits(frame)
		}
		_ = answer(frame, own)
	})
}
