// Package evpn speaks BGP EVPN (RFC 7432) for VXLAN (RFC 8365): routes out, routes
// in. The speaker is GoBGP's; which of the received routes are followed is decided by
// a Table, which is pure.
package evpn

import (
	"context"
	"net"
	"net/netip"
)

// MAC is an Ethernet address.
type MAC [6]byte

func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// Kind of a route (RFC 7432 section 7).
type Kind uint8

const (
	// Multicast, type 3, says that a VTEP takes part in a network: what is flooded goes
	// there too.
	Multicast Kind = 3
	// MACIP, type 2, says behind which VTEP a MAC address is.
	MACIP Kind = 2
)

// RouteKey is what a route of one speaker tells from its others.
type RouteKey struct {
	Kind Kind
	// VNI of the network.
	VNI uint32
	// MAC and Address of a MACIP; the address is invalid where there is none.
	MAC     MAC
	Address netip.Addr
}

// Route is what is announced.
type Route struct {
	RouteKey
	// VTEP is where frames go to: the next hop.
	VTEP netip.Addr
	// Sequence is that of MAC mobility (RFC 7432 section 7.7): the highest is where the
	// MAC address is.
	Sequence uint32
}

// Peer is the speakers of one other side.
type Peer struct {
	// Name of the L2Peer.
	Name string
	// Endpoints are the addresses of its speakers.
	Endpoints []netip.Addr
	ASN       uint32
	// Password of TCP MD5, or none.
	Password string
}

// Speaker announces what it is told to, to those that it is told, and tells Events what
// it receives. It knows no policy but that.
type Speaker interface {
	// SetPeers says which peers there are. Sessions of those that did not change go on.
	SetPeers(ctx context.Context, peers []Peer) error
	// Announce announces a route of our own to the named peers and no others. One that
	// was announced before is changed.
	Announce(ctx context.Context, route Route, peers []string) error
	// Withdraw withdraws a route of our own.
	Withdraw(ctx context.Context, key RouteKey) error
}

// Events are what a speaker sees. Calls are one after the other.
type Events interface {
	// Received is one route of an endpoint: announced, or withdrawn. With the route comes
	// who made it: the originator of type 3, the next hop, as they stand in it.
	Received(endpoint netip.Addr, route Route, withdrawn bool)
	// Session says that the session with an endpoint is up or down, and why. Stale
	// says that its routes hold on: it restarts (RFC 4724), and End follows.
	Session(endpoint netip.Addr, up, stale bool, why string)
	// End is End-of-RIB: what the endpoint had announced before its session went down and
	// has not announced again is gone.
	End(endpoint netip.Addr)
}
