// Package openflow writes flows and meters into a bridge of Open vSwitch, by
// OpenFlow 1.5 on the bridge's management socket: as much of the protocol as an
// edge needs, and no more.
package openflow

import (
	"net/netip"
)

// MAC is an Ethernet address.
type MAC [6]byte

// Key is what tells a flow from others: two flows of one key replace each other
// (OpenFlow 1.5.1 section 6.4).
type Key struct {
	Table    uint8
	Priority uint16
	Match    Match
}

// Match is what a flow matches. What is zero matches all.
type Match struct {
	// InPort is the port's number in the bridge.
	InPort uint32
	// TunnelID is the VXLAN network identifier of the frame that came, or that will be
	// sent.
	TunnelID uint32
	// TunnelSource is the address that the tunnelled frame came from.
	TunnelSource netip.Addr
	// Destination is the frame's.
	Destination MAC
	// Group matches multicast and broadcast destinations: those with the first byte's
	// lowest bit set (IEEE 802.3 section 3.2.3).
	Group bool
}

// Flow is what is done to frames: the actions in their order, then table Next,
// unless it is zero. A flow without either drops them.
type Flow struct {
	Key
	Actions []Action
	Next    uint8
}

// Action is one of those below.
type Action interface{ encode() []byte }

// SetTunnelID gives the frame the VXLAN network identifier that it is sent with.
type SetTunnelID uint32

// SetTunnelDestination has a port whose remote_ip is flow send the frame there.
type SetTunnelDestination netip.Addr

// Output sends the frame out of a port. It never goes back to the one it came by.
type Output uint32

// Police drops what is more than the meter of that number lets pass. It comes first.
type Police uint32

// Meter lets so many frames a second pass.
type Meter struct {
	ID   uint32
	Rate uint32
}
