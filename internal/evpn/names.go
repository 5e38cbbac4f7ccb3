package evpn

import (
	"fmt"
	"net/netip"
)

// names are the numbers of peers in communities. A peer keeps its number for as long as
// it is configured or a route names it: a number that another peer got would hand it
// the routes of the former.
type names struct {
	index map[string]*name
	taken map[uint16]bool
}

type name struct {
	index      uint16
	routes     int
	configured bool
}

func (n *names) get(peer string) (*name, error) {
	if p := n.index[peer]; p != nil {
		return p, nil
	}
	i, ok := lowest(n.taken)
	if !ok {
		return nil, fmt.Errorf("peer %s: there are %d peers already, all that have room in a community", peer, len(n.taken))
	}
	p := &name{index: i}
	n.taken[i] = true
	n.index[peer] = p
	return p, nil
}

func (n *names) release(peer string) {
	if p := n.index[peer]; p != nil && p.routes == 0 && !p.configured {
		delete(n.taken, p.index)
		delete(n.index, peer)
	}
}

// configure says which peers there are, and leaves those out that have no room.
func (n *names) configure(wanted map[netip.Addr]neighbor) {
	for _, p := range n.index {
		p.configured = false
	}
	for a, w := range wanted {
		p, err := n.get(w.peer)
		if err != nil {
			delete(wanted, a)
			continue
		}
		p.configured = true
	}
	for peer := range n.index {
		n.release(peer)
	}
}

// lowest is the lowest number that is not taken, from 1.
func lowest(taken map[uint16]bool) (uint16, bool) {
	for i := uint16(1); i != 0; i++ {
		if !taken[i] {
			return i, true
		}
	}
	return 0, false
}

// distinguisher is the number of a network in route distinguishers. It is none that
// both sides know: 16 bits have no room for a VNI.
type distinguisher struct {
	index  uint16
	routes int
}

func (s *GoBGP) distinguisher(vni uint32) (*distinguisher, error) {
	if d := s.rds[vni]; d != nil {
		return d, nil
	}
	taken := make(map[uint16]bool, len(s.rds))
	for _, d := range s.rds {
		taken[d.index] = true
	}
	i, ok := lowest(taken)
	if !ok {
		return nil, fmt.Errorf("network %d: %d networks are announced already, all that have room in a route distinguisher", vni, len(taken))
	}
	d := &distinguisher{index: i}
	s.rds[vni] = d
	return d, nil
}
