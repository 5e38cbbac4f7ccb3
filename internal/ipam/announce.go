package ipam

import (
	"net/netip"
	"slices"
)

// What other sides may announce on a network at most: it is theirs to choose, and held
// in memory.
const (
	maxPeers     = 16 // as many as a network has (Stretch.Peers)
	maxMACs      = 65_536
	maxAddresses = 2 * maxMACs // one of each family
)

// Freed is what no peer announces any more.
type Freed struct {
	MACs      []MAC
	Addresses []netip.Addr
}

// Announce puts a part in the place of what it was before. As long as something is
// announced it is neither assigned nor granted; leases that have it stay. What is more
// than one peer, or one network, may announce is left out and counted. Beside a
// comparison of the two, the work is that of the difference.
func (p *Pool) Announce(part string, a Announced) (freed Freed, ignored int) {
	before := p.elsewhere.parts[part]
	if before.Peer != a.Peer || len(a.MACs)+len(a.Addresses) == 0 {
		freed, before = p.withdraw(part), Announced{}
	}
	if len(a.MACs)+len(a.Addresses) == 0 {
		return freed, 0
	}
	s := p.elsewhere.side(a.Peer)
	if s == nil {
		return freed, len(a.MACs) + len(a.Addresses)
	}

	had := before
	var more int
	a.MACs, ignored = come(s.macs, had.MACs, a.MACs, compareMACs, maxMACs)
	a.Addresses, more = come(s.addresses, had.Addresses, a.Addresses, netip.Addr.Compare, maxAddresses)
	for _, addr := range missing(a.Addresses, had.Addresses, netip.Addr.Compare) {
		if subnet := p.subnetOf(addr); subnet != nil {
			subnet.take(addr)
		}
	}
	freed.MACs = append(freed.MACs, p.freedMACs(s, missing(had.MACs, a.MACs, compareMACs))...)
	freed.Addresses = append(freed.Addresses, p.freedAddresses(s, missing(had.Addresses, a.Addresses, netip.Addr.Compare))...)
	if p.elsewhere.parts == nil {
		p.elsewhere.parts = map[string]Announced{}
	}
	p.elsewhere.parts[part] = a
	p.retrack()
	return freed, ignored + more
}

// withdraw takes back a part.
func (p *Pool) withdraw(part string) Freed {
	e := &p.elsewhere
	had, has := e.parts[part]
	if !has {
		return Freed{}
	}
	delete(e.parts, part)
	i := slices.IndexFunc(e.sides, func(s *side) bool { return s.peer == had.Peer })
	s := e.sides[i]
	freed := Freed{p.freedMACs(s, had.MACs), p.freedAddresses(s, had.Addresses)}
	if len(s.macs)+len(s.addresses) == 0 {
		e.sides = slices.Delete(e.sides, i, i+1) // a map keeps the size that it had
	}
	if len(e.parts) == 0 {
		*e = elsewhere{}
	}
	p.retrack()
	return freed
}

// side is that of a peer, nil where there are too many.
func (e *elsewhere) side(peer string) *side {
	if i := slices.IndexFunc(e.sides, func(s *side) bool { return s.peer == peer }); i >= 0 {
		return e.sides[i]
	}
	if len(e.sides) == maxPeers {
		return nil
	}
	s := &side{peer, map[MAC]int32{}, map[netip.Addr]int32{}}
	e.sides = append(e.sides, s)
	return s
}

// freedMACs takes back one announcement of each, and returns those that were the last.
func (p *Pool) freedMACs(s *side, macs []MAC) (freed []MAC) {
	for _, mac := range macs {
		lessen(s.macs, mac)
		if _, still := p.elsewhere.station(mac); !still {
			freed = append(freed, mac)
		}
	}
	return freed
}

func (p *Pool) freedAddresses(s *side, addresses []netip.Addr) (freed []netip.Addr) {
	for _, addr := range addresses {
		lessen(s.addresses, addr)
		if _, still := p.elsewhere.holder(addr); still {
			continue
		}
		freed = append(freed, addr)
		p.put(addr)
	}
	return freed
}

// come counts what is new in a part while there is room for it, and returns the part
// without what there is no room for.
func come[K comparable](counts map[K]int32, before, after []K, compare func(a, b K) int, most int) (kept []K, ignored int) {
	left := map[K]bool{}
	for _, k := range missing(after, before, compare) {
		if counts[k] == 0 && len(counts) >= most {
			left[k] = true
			continue
		}
		counts[k]++
	}
	if len(left) == 0 {
		return after, 0
	}
	return slices.DeleteFunc(slices.Clone(after), func(k K) bool { return left[k] }), len(left)
}

func lessen[K comparable](counts map[K]int32, k K) {
	if counts[k]--; counts[k] <= 0 {
		delete(counts, k)
	}
}

// missing are those of the first list that the second has not. Both are sorted.
func missing[K comparable](of, in []K, compare func(a, b K) int) (all []K) {
	for _, k := range of {
		for len(in) > 0 && compare(in[0], k) < 0 {
			in = in[1:]
		}
		if len(in) == 0 || in[0] != k {
			all = append(all, k)
		}
	}
	return all
}
