package wireguard

import (
	"crypto/sha256"
	"net/netip"
)

// Within is where all addresses within tunnels are: "l2sme" behind the fd of unique local
// addresses (RFC 4193).
var Within = netip.MustParsePrefix("fd6c:3273:6d65::/48")

// Inside is the address that the edge has within the tunnel which peers reach at endpoint:
// behind Within the 32 bits of an IPv4 address, or the first 80 bits of an IPv6 address's
// SHA-256. Both sides know endpoint, so nobody hands addresses out
// (docs/designs/stretch.md, "Encryption").
func Inside(endpoint netip.Addr) netip.Addr {
	inside := Within.Addr().As16()
	endpoint = endpoint.Unmap()
	if endpoint.Is4() {
		copy(inside[12:], endpoint.AsSlice())
		return netip.AddrFrom16(inside)
	}
	outer := endpoint.As16()
	sum := sha256.Sum256(outer[:])
	copy(inside[Within.Bits()/8:], sum[:])
	return netip.AddrFrom16(inside)
}
