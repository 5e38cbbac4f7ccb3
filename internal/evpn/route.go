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
	// MACIP is type 2: it says behind which VTEP a MAC address is.
	MACIP Kind = 2
	// Multicast is type 3: it says that a VTEP takes part in a network: what is flooded goes
	// there too.
	Multicast Kind = 3
)

// RouteKey is what tells a route of ours from our others.
type RouteKey struct {
	Kind Kind
	// VNI of the network.
	VNI uint32
	// MAC and Address of a MACIP; the address is invalid where there is none.
	MAC     MAC
	Address netip.Addr
}

// Route is what is announced. Its VTEP is the speaker's own address.
type Route struct {
	RouteKey
	// Sequence is that of MAC mobility (RFC 7432 section 7.7): the highest is where the
	// MAC address is. It is raised to that of the other routes of the MAC address.
	Sequence uint32
	// MTU, in bytes, of a Multicast's network; 0 says nothing of it.
	MTU uint16
}

// ID is what tells a received route from the others of its endpoint: what stands in its
// NLRI.
type ID struct {
	Kind Kind
	// RD is the route distinguisher as it stands in the NLRI, and Tag the Ethernet tag.
	RD  [8]byte
	Tag uint32
	// MAC and Address of a MACIP; of a Multicast, Address is the originator.
	MAC     MAC
	Address netip.Addr
}

// Learned is what is received. Of a withdrawn route only the ID counts.
type Learned struct {
	ID
	// VNI is the number of the route target, which is the label's too.
	VNI uint32
	// VTEP is the next hop.
	VTEP     netip.Addr
	Sequence uint32
	// MTU of a Multicast, in bytes, 0 where it says none.
	MTU uint16
}

// Peer is the speakers of one other side.
type Peer struct {
	// Name of the L2Peer.
	Name string
	// Endpoints are the addresses of its speakers.
	Endpoints []netip.Addr
	ASN       uint32
	// Password of TCP MD5 (RFC 2385), 80 bytes at most, or none.
	Password string
	// Fabric says that its endpoints are no edges. Between two edges the one with the
	// lower address waits for the other to connect, since GoBGP, where both connect at
	// once, may keep one connection here and the other there, and try again after 16 s;
	// what a fabric's speakers do is not known, so that we connect too.
	Fabric bool
	// MaxRoutes is how many routes one endpoint may announce, on all networks; 0 is
	// DefaultMaxRoutes. The session of one that announces more is closed for a minute.
	MaxRoutes int
}

// DefaultMaxRoutes is room for 16 networks with 1,024 MAC addresses, IPv4 and IPv6
// addresses each, and as much again.
const DefaultMaxRoutes = 1 << 17

// Speaker announces what it is told to, to those that it is told, and tells Events what
// it receives. It knows no policy but that. What is to be announced on start is
// announced before the first SetPeers: End-of-RIB follows a session at once, and ends
// what the peer has kept of a predecessor.
type Speaker interface {
	// SetPeers says which peers there are. Sessions of those that did not change go on.
	SetPeers(ctx context.Context, peers []Peer) error
	// Announce announces a route of our own to the named peers and no others; a peer may
	// be named before SetPeers knows it. One that was announced before is changed, and
	// withdrawn from peers that are not named any more.
	Announce(ctx context.Context, route Route, peers []string) error
	// Withdraw withdraws a route of our own; one that is not announced is no error.
	Withdraw(ctx context.Context, key RouteKey) error
}

// Events are what a speaker sees. Calls are one after the other, and hold up what
// follows: GoBGP queues it.
type Events interface {
	// Received is one route of an endpoint: announced, or withdrawn.
	Received(endpoint netip.Addr, route Learned, withdrawn bool)
	// Session says that the session with an endpoint is up or down, and why. Stale
	// says that its routes hold on: it restarts (RFC 4724), and End follows.
	Session(endpoint netip.Addr, up, stale bool, why string)
	// End is End-of-RIB: what the endpoint had announced before its session went down and
	// has not announced again is gone.
	End(endpoint netip.Addr)
}
