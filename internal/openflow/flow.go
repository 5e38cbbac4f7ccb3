// Package openflow writes flows and meters into a bridge of Open vSwitch, by
// OpenFlow 1.5 on the bridge's management socket: as much of the protocol as an
// edge needs, and no more.
package openflow

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// MAC is an Ethernet address.
type MAC [6]byte

func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

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
	// Flooded is frames to many: broadcast and multicast, whatever their Destination.
	Flooded bool
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

// Police drops what is more than the meter of that number lets pass: for this frame the
// actions and tables after it are not reached.
type Police uint32

// Settle ends what a Police before it says for Open vSwitch's own executing of actions: it
// sends the frame's first 14 bytes to the bridge's own port, which is down. The kernel's
// datapath can't do some actions (OVN's answer to ARP is one); Open vSwitch does them itself,
// and before 3.5.2, 3.4.4 and 3.3.6 looks for ever for an action that is not in the list of
// the meter before it (dpif: Fix infinite netlink loop in dpif_execute_helper_cb,
// 5c4d60671c56). Actions of other bridges may be in a list of their own, and so may each
// output to a tunnel but the last one, on the datapath in user space. What comes after Settle
// is not policed where Open vSwitch executes the actions.
type Settle struct{}

// Apart does its actions to a copy of the frame: what Police drops among them is not
// dropped for those after it. One peer's rate does not hold up another's.
type Apart []Action

// Meter lets so many frames a second pass, and as many at once.
type Meter struct {
	ID   uint32
	Rate uint32
}

// String is the key as ovs-ofctl(8) writes it.
func (k Key) String() string {
	s := fmt.Sprintf("table=%d,priority=%d", k.Table, k.Priority)
	if m := k.Match.String(); m != "" {
		s += "," + m
	}
	return s
}

// String is the match as ovs-ofctl(8) writes it.
func (m Match) String() string {
	var parts []string
	say := func(is bool, format string, value any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	say(m.InPort != 0, "in_port=%d", m.InPort)
	say(m.Destination != MAC{}, "dl_dst=%s", m.Destination)
	say(m.Flooded, "dl_dst=%s", "01:00:00:00:00:00/01:00:00:00:00:00")
	say(m.TunnelID != 0, "tun_id=%d", m.TunnelID)
	say(m.TunnelSource.Is4(), "tun_src=%s", m.TunnelSource)
	say(m.TunnelSource.Is6(), "tun_ipv6_src=%s", m.TunnelSource)
	return strings.Join(parts, ",")
}
