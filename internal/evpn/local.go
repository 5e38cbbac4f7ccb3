package evpn

import (
	"math"
	"net/netip"
	"slices"
)

// maxRaises is how often the sequence of one binding is raised above what others
// announce. Two sides that both have a MAC address would go on forever; RFC 7432
// section 15.1 stops there too.
const maxRaises = 5

// local is a MAC address that is bound here.
type local struct {
	addresses []netip.Addr
	sequence  uint32
	raises    int
}

// SetFloor says what sequences of ours start from, for what is bound from now on and
// before. An edge that takes over from another must be above it, and knows nothing of
// what that one announced.
func (t *Table) SetFloor(sequence uint32) {
	t.floor = sequence
	for vni, n := range t.networks {
		for m, e := range n.macs {
			if e.local != nil && e.local.sequence < sequence {
				e.local.sequence = sequence
				t.dirty.sequences[macKey{vni, m}] = struct{}{}
			}
		}
	}
}

// SetLocal says that a MAC address is bound here, and its addresses. It is ours until
// DeleteLocal, whatever others announce.
func (t *Table) SetLocal(vni uint32, m MAC, addresses []netip.Addr) {
	n := t.network(vni)
	e := n.entry(m)
	if e.local != nil {
		was := e.local.addresses
		e.local.addresses = slices.Clone(addresses)
		t.bind(n, e.local.addresses, 1)
		t.bind(n, was, -1)
		return
	}
	e.local = &local{addresses: slices.Clone(addresses), sequence: t.floor}
	t.dirty.sequences[macKey{vni, m}] = struct{}{}
	t.dirty.follows[macKey{vni, m}] = struct{}{}
	// Above where it moves from.
	for _, r := range e.all() {
		t.raise(n, m, e.local, r.Sequence)
		e.local.raises = 0
	}
	t.reuse(e.all())
	t.bind(n, e.local.addresses, 1)
}

// DeleteLocal says that a MAC address is bound here no longer.
func (t *Table) DeleteLocal(vni uint32, m MAC) {
	n := t.networks[vni]
	if n == nil || n.macs[m] == nil || n.macs[m].local == nil {
		return
	}
	e := n.macs[m]
	addresses := e.local.addresses
	e.local = nil
	delete(t.dirty.sequences, macKey{vni, m})
	t.dirty.follows[macKey{vni, m}] = struct{}{}
	t.reuse(e.all())
	t.bind(n, addresses, -1)
	n.forgetEntry(m)
	t.forget(n)
}

// bind counts addresses that are bound here. Routes that name one which begins or ends
// to be are decided on again.
func (t *Table) bind(n *network, addresses []netip.Addr, by int) {
	for _, a := range addresses {
		e := n.address(a)
		was := e.local > 0
		e.local += by
		if was != (e.local > 0) {
			t.reuse(slices.Clone(e.routes))
		}
		n.forgetAddress(a)
	}
}

// all are the routes of a MAC address that are in use.
func (e *entry) all() []*route {
	var routes []*route
	for _, h := range e.hosts {
		if h.taken {
			routes = append(routes, h.routes...)
		}
	}
	return routes
}

func (t *Table) reuse(routes []*route) {
	for _, r := range routes {
		h := t.networks[r.VNI].members[r.from.peer.Name].hosts[r.MAC]
		t.unuse(h, r)
		t.use(h, r)
	}
}

// raise brings the sequence of a MAC address of ours above one that is announced.
func (t *Table) raise(n *network, m MAC, l *local, above uint32) {
	if l.sequence > above || l.raises >= maxRaises || l.sequence == math.MaxUint32 {
		return
	}
	l.raises++
	l.sequence = above
	if above < math.MaxUint32 {
		l.sequence++
	}
	t.dirty.sequences[macKey{n.vni, m}] = struct{}{}
}
