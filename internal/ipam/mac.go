package ipam

import (
	"crypto/sha256"
	"fmt"
	"net"
	"net/netip"

	"l2sm.io/l2sm/internal/excerpt"
)

// MAC is an Ethernet address. The zero MAC stands for none.
type MAC [6]byte

// ParseMAC reads a station's MAC address, such as 0a:58:0a:65:02:0a. The zero
// address and those of groups (multicast, broadcast) are no station's.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	if err != nil || len(hw) != len(MAC{}) {
		return MAC{}, fmt.Errorf("parse MAC address %s: want six bytes, such as 0a:58:0a:65:02:0a", excerpt.Quote(s))
	}
	m := MAC(hw)
	if !m.unicast() {
		return MAC{}, fmt.Errorf("MAC address %s is no unicast address: want one such as 0a:58:0a:65:02:0a", m)
	}
	return m, nil
}

// unicast says whether one station can have the address (IEEE 802: the lowest
// bit of the first byte marks a group).
func (m MAC) unicast() bool { return m != MAC{} && m[0]&1 == 0 }

// String is the address in lower case with colons.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// 0a:58 is a locally administered unicast prefix (IEEE 802, the second lowest
// bit of the first byte set, the lowest clear).
func madeOf(tail [4]byte) MAC {
	return MAC{0x0a, 0x58, tail[0], tail[1], tail[2], tail[3]}
}

// macOf is an address's MAC. Two IPv4 addresses never share one, and a reader
// of a capture sees the address in it.
func macOf(v4 netip.Addr) MAC { return madeOf(v4.As4()) }

// macFor is the owner's MAC at the given attempt, for owners without an IPv4
// address and where macOf is taken: the same for the same owner, always.
func macFor(owner string, attempt int) MAC {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s#%d", owner, attempt))
	return madeOf([4]byte(sum[:4]))
}
