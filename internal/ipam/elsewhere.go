package ipam

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
)

// Announced is a part of what one peer announces on a network. It is not changed once
// a Pool has it.
type Announced struct {
	Peer string
	// MACs and Addresses are sorted, each is there once: see NewAnnounced.
	MACs      []MAC
	Addresses []netip.Addr
}

// NewAnnounced sorts what a peer announces. It takes the slices over.
func NewAnnounced(peer string, macs []MAC, addresses []netip.Addr) Announced {
	slices.SortFunc(macs, compareMACs)
	slices.SortFunc(addresses, netip.Addr.Compare)
	return Announced{peer, slices.Compact(macs), slices.Compact(addresses)}
}

func compareMACs(a, b MAC) int { return bytes.Compare(a[:], b[:]) }

// ElsewhereError says that a peer announces an address, or a MAC address, that is
// asked for.
type ElsewhereError struct {
	Addr netip.Addr // invalid where it is the MAC address
	MAC  MAC
	Peer string
}

func (e *ElsewhereError) Error() string {
	what := "MAC address " + e.MAC.String()
	if e.Addr.IsValid() {
		what = "address " + e.Addr.String()
	}
	return fmt.Sprintf("%s is on another side of the network: peer %s announces it", what, e.Peer)
}

// elsewhere is what the network's other sides have. The zero value has nothing.
type elsewhere struct {
	parts map[string]Announced
	sides []*side
}

// side is what one peer announces: in how many parts.
type side struct {
	peer      string
	macs      map[MAC]int32
	addresses map[netip.Addr]int32
}

func (e *elsewhere) any() bool { return len(e.parts) > 0 }

// holder is the peer that announces the address.
func (e *elsewhere) holder(addr netip.Addr) (peer string, is bool) {
	for _, s := range e.sides {
		if s.addresses[addr] > 0 {
			return s.peer, true
		}
	}
	return "", false
}

// station is the peer that announces the MAC address.
func (e *elsewhere) station(mac MAC) (peer string, is bool) {
	for _, s := range e.sides {
		if s.macs[mac] > 0 {
			return s.peer, true
		}
	}
	return "", false
}

// Elsewhere says with an *ElsewhereError that a peer announces something of the lease
// that is not in but.
func (p *Pool) Elsewhere(lease, but Lease) error {
	for _, a := range lease.Addresses {
		same := func(o netip.Prefix) bool { return o.Addr() == a.Addr() }
		if peer, is := p.elsewhere.holder(a.Addr()); is && !slices.ContainsFunc(but.Addresses, same) {
			return &ElsewhereError{Addr: a.Addr(), Peer: peer}
		}
	}
	if peer, is := p.elsewhere.station(lease.MAC); is && lease.MAC != but.MAC {
		return &ElsewhereError{MAC: lease.MAC, Peer: peer}
	}
	return nil
}

// Announces says whether any peer announces anything.
func (p *Pool) Announces() bool { return p.elsewhere.any() }
