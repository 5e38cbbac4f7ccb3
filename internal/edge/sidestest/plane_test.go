//go:build integration

package sidestest_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	. "l2sm.io/l2sm/internal/edge/sidestest"
	"l2sm.io/l2sm/internal/openflow"
)

const red, blue = "team/red", "team/blue"

// plane is three sides with two networks that have the same addresses.
type plane struct {
	*World
	t     *testing.T
	edges []*edge // one a side
	later *edge   // the first side's other one
	both  bool    // the other one announces the first side's networks, too
	red   []*Pod  // one a side, on its worker, then one on the first side's edge
	blue  []*Pod
	vtep  *Stranger // of a fabric that the first side peers with, as is other
	other *Stranger
}

func startPlane(t *testing.T) *plane {
	t.Helper()
	began := time.Now()
	p := &plane{World: Start(t, 2, 1, 1), t: t}
	t.Logf("three sides with four edges are up after %s", time.Since(began).Round(10*time.Millisecond))
	p.vtep, p.other = p.Stranger(), p.Stranger()
	var all []netip.Addr
	for _, side := range p.Sides {
		for _, node := range side.Edges {
			all = append(all, node.WAN)
		}
	}
	for _, side := range p.Sides {
		for i, node := range side.Edges {
			var peers []netip.Addr
			for _, one := range all {
				if one != node.WAN {
					peers = append(peers, one)
				}
			}
			e := startEdge(t, node, node.WAN, peers...)
			if i == 0 {
				p.edges = append(p.edges, e)
			} else {
				p.later = e
			}
		}
	}
	for _, name := range []string{red, blue} {
		for _, side := range p.Sides {
			side.Network(name)
			side.EdgePort(name, side.Edges[0])
		}
	}
	for i, side := range p.Sides {
		p.red = append(p.red, side.Pod(side.Worker, red, mac(i), addresses(i)...))
		p.blue = append(p.blue, side.Pod(side.Worker, blue, mac(i), addresses(i)...))
	}
	p.red = append(p.red, p.Sides[0].Pod(p.Sides[0].Edges[0], red, mac(9), addresses(9)...))
	p.writeAll(10_000)
	return p
}

func mac(i int) string { return fmt.Sprintf("02:aa:00:00:00:%02x", i+1) }

func addresses(i int) []string {
	return []string{fmt.Sprintf("10.50.0.%d/24", i+1), fmt.Sprintf("fd50::%x/64", i+1)}
}

// write writes the flows of both networks on an edge of side i.
func (p *plane) write(e *edge, i int, rate uint32) {
	p.t.Helper()
	n := network{name: red, vni: 5001, rate: rate, macs: map[openflow.MAC]netip.Addr{}}
	for other, peer := range p.edges {
		if other == i {
			continue
		}
		n.peers = append(n.peers, peer.WAN)
		n.macs[openflow.MAC(p.red[other].MAC)] = peer.WAN
	}
	if i == 0 {
		n.vteps = []netip.Addr{p.vtep.Addr, p.other.Addr}
	} else {
		n.macs[openflow.MAC(p.red[3].MAC)] = p.edges[0].WAN
		if p.both {
			n.peers = append(n.peers, p.later.WAN)
		}
	}
	e.write(n)
	n.name, n.vni, n.macs, n.vteps = blue, 5002, nil, nil
	e.write(n)
}

func (p *plane) writeAll(rate uint32) {
	p.t.Helper()
	for i, e := range p.edges {
		p.write(e, i, rate)
	}
}

// move has the first side's other edge bind its networks, and returns when it has a port.
func (p *plane) move() {
	p.t.Helper()
	for _, name := range []string{red, blue} {
		p.Sides[0].EdgePort(name, p.later.Node)
	}
	p.edges[0], p.later = p.later, p.edges[0]
	for _, name := range []string{red, blue} {
		p.edges[0].port(name)
	}
}
