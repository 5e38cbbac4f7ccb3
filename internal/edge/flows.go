package edge

import (
	"net/netip"

	"l2sm.io/l2sm/internal/evpn"
	"l2sm.io/l2sm/internal/openflow"
)

// The tables of br-edge, and the order of what is in them: docs/designs/stretch.md.
const (
	tableIn, tableOut = 0, 1

	priorityRest    = 1
	priorityFlood   = 10
	priorityMAC     = 20
	priorityIn      = 100
	priorityFlooded = 110
)

// way is how frames go to a VTEP and come from it.
type way struct {
	// port of br-edge, 0 while there is none.
	port uint32
	// shared says that the port is that of many VTEPs: frames say which.
	shared bool
}

// to sends a frame to the VTEP.
func (w way) to(vtep netip.Addr) []openflow.Action {
	if w.shared {
		return []openflow.Action{openflow.SetTunnelDestination(vtep), openflow.Output(w.port)}
	}
	return []openflow.Action{openflow.Output(w.port)}
}

// from matches what comes from the VTEP with the number of the network.
func (w way) from(vni uint32, vtep netip.Addr) openflow.Match {
	m := openflow.Match{InPort: w.port, TunnelID: vni}
	if w.shared {
		m.TunnelSource = vtep
	}
	return m
}

// member is a VTEP that takes part in a network.
type member struct {
	vtep netip.Addr
	way  way
}

// flooder is a member with its peer's name, and the meters of what its peer floods into the
// network (in) and of what the network floods to it (out).
type flooder struct {
	member
	peer    string
	in, out uint32
}

// counted is a flow, and the peer that its frames come from, if they do.
type counted struct {
	openflow.Flow
	peer string
}

// carried is a network as the flows need it.
type carried struct {
	vni uint32
	// port is that of the patch to br-int, 0 where another edge, or none, has the network.
	port uint32
	// members are in the order of their peers.
	members []flooder
}

// flows are all of the network but those of MAC addresses. What comes out of a tunnel
// goes into the network only, never into a tunnel.
func (c carried) flows() []counted {
	flows := []counted{{Flow: c.flood()}}
	if c.port == 0 {
		return flows
	}
	flows = append(flows, counted{Flow: openflow.Flow{
		Key:     openflow.Key{Table: tableIn, Priority: priorityIn, Match: openflow.Match{InPort: c.port}},
		Actions: []openflow.Action{openflow.SetTunnelID(c.vni)}, Next: tableOut,
	}})
	for _, m := range c.members {
		if m.way.port == 0 {
			continue
		}
		one := m.way.from(c.vni, m.vtep)
		many := one
		many.Flooded = true
		flows = append(flows, counted{peer: m.peer, Flow: openflow.Flow{
			Key:     openflow.Key{Table: tableIn, Priority: priorityIn, Match: one},
			Actions: []openflow.Action{openflow.Output(c.port)},
		}}, counted{peer: m.peer, Flow: openflow.Flow{
			Key:     openflow.Key{Table: tableIn, Priority: priorityFlooded, Match: many},
			Actions: []openflow.Action{openflow.Police(m.in), openflow.Settle{}, openflow.Output(c.port)},
		}})
	}
	return flows
}

// flood sends to every VTEP of the network what no other flow knows. What is too much for
// one goes to the others all the same.
func (c carried) flood() openflow.Flow {
	f := openflow.Flow{Key: openflow.Key{Table: tableOut, Priority: priorityFlood, Match: openflow.Match{TunnelID: c.vni}}}
	for _, m := range c.members {
		if m.way.port != 0 {
			f.Actions = append(f.Actions, append(openflow.Apart{openflow.Police(m.out)}, m.way.to(m.vtep)...))
		}
	}
	return f
}

// macKey is that of the flow of a MAC address behind a VTEP.
func macKey(vni uint32, mac evpn.MAC) openflow.Key {
	return openflow.Key{Table: tableOut, Priority: priorityMAC, Match: openflow.Match{TunnelID: vni, Destination: openflow.MAC(mac)}}
}

func macFlow(vni uint32, mac evpn.MAC, vtep netip.Addr, w way) openflow.Flow {
	return openflow.Flow{Key: macKey(vni, mac), Actions: w.to(vtep)}
}
