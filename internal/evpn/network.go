package evpn

import (
	"bytes"
	"cmp"
	"container/list"
	"net/netip"
	"slices"
)

// network is one VNI: what is agreed on it, what is bound here, what others announce.
type network struct {
	vni     uint32
	inForce map[string]bool
	// routes are all that name it, followed or not.
	routes  map[*route]struct{}
	members map[string]*member
	floods  bag[Via]
	macs    map[MAC]*entry
	// addresses are what is bound here, and what others announce.
	addresses map[netip.Addr]*address
}

// member is a peer on a network.
type member struct {
	peer    *peer
	network *network
	floods  int
	mtus    bag[uint16] // those that it says
	hosts   map[MAC]*host
	// taken are its hosts within MaxMACs, left those beyond, both in the order of their
	// arrival.
	taken, left list.List
	// accepted is how many of the taken have a route that is no conflict.
	accepted  int
	conflicts bag[conflict]
}

// host is a MAC address of a member.
type host struct {
	mac     MAC
	member  *member
	routes  []*route
	taken   bool
	element *list.Element
	// Of the routes in use, where it is taken:
	usable    int
	addresses bag[netip.Addr]
}

// entry is a MAC address on a network, of whomever.
type entry struct {
	local *local
	// candidates are the routes that may be followed, the best first.
	candidates []*route
	// hosts are the members' entries for it, for what changes when it is bound here.
	hosts []*host
}

type address struct {
	local  int
	routes []*route
}

// conflict is an address or, where that is invalid, a MAC address that is bound here.
type conflict struct {
	mac     MAC
	address netip.Addr
}

func (c conflict) String() string {
	if c.address.IsValid() {
		return c.address.String()
	}
	return c.mac.String()
}

func (c conflict) compare(d conflict) int {
	return cmp.Or(c.address.Compare(d.address), bytes.Compare(c.mac[:], d.mac[:]))
}

func (t *Table) network(vni uint32) *network {
	n := t.networks[vni]
	if n == nil {
		n = &network{
			vni:       vni,
			routes:    map[*route]struct{}{},
			members:   map[string]*member{},
			floods:    bag[Via]{compare: Via.compare},
			macs:      map[MAC]*entry{},
			addresses: map[netip.Addr]*address{},
		}
		t.networks[vni] = n
	}
	return n
}

// forget drops a network that nothing names.
func (t *Table) forget(n *network) {
	if len(n.routes) == 0 && len(n.inForce) == 0 && len(n.macs) == 0 {
		delete(t.networks, n.vni)
	}
}

func (t *Table) attach(r *route) {
	n := t.networks[r.VNI]
	p := r.from.peer
	m := n.members[p.Name]
	if m == nil {
		m = &member{peer: p, network: n, hosts: map[MAC]*host{}, mtus: bag[uint16]{compare: cmp.Compare[uint16]}, conflicts: bag[conflict]{compare: conflict.compare}}
		n.members[p.Name] = m
		p.members[n.vni] = m
	}
	t.touch(m)
	if r.Kind == Multicast {
		m.floods++
		m.mtus.add(r.MTU)
		n.floods.add(r.via())
		t.dirty.floods[n.vni] = struct{}{}
		return
	}
	h := m.hosts[r.MAC]
	if h == nil {
		h = t.addHost(m, r.MAC)
	}
	h.routes = append(h.routes, r)
	if h.taken {
		t.use(h, r)
	}
}

func (t *Table) detach(r *route) {
	n := t.networks[r.VNI]
	m := n.members[r.from.peer.Name]
	t.touch(m)
	if r.Kind == Multicast {
		m.floods--
		m.mtus.remove(r.MTU)
		n.floods.remove(r.via())
		t.dirty.floods[n.vni] = struct{}{}
	} else {
		h := m.hosts[r.MAC]
		if h.taken {
			t.unuse(h, r)
		}
		h.routes = cut(h.routes, r)
		if len(h.routes) == 0 {
			t.dropHost(h)
		}
	}
	if m.floods == 0 && len(m.hosts) == 0 {
		delete(n.members, m.peer.Name)
		delete(m.peer.members, n.vni)
	}
}

func (t *Table) touch(m *member) {
	t.dirty.statuses[memberKey{m.peer.Name, m.network.vni}] = struct{}{}
}

func (t *Table) addHost(m *member, mac MAC) *host {
	h := &host{mac: mac, member: m, addresses: bag[netip.Addr]{compare: netip.Addr.Compare}}
	m.hosts[mac] = h
	e := m.network.entry(mac)
	e.hosts = append(e.hosts, h)
	if m.taken.Len() < m.peer.MaxMACs && m.left.Len() == 0 {
		h.taken, h.element = true, m.taken.PushBack(h)
	} else {
		h.element = m.left.PushBack(h)
	}
	return h
}

func (t *Table) dropHost(h *host) {
	m, n := h.member, h.member.network
	delete(m.hosts, h.mac)
	e := n.macs[h.mac]
	e.hosts = cut(e.hosts, h)
	n.forgetEntry(h.mac)
	if !h.taken {
		m.left.Remove(h.element)
		return
	}
	m.taken.Remove(h.element)
	t.fill(m)
}

// fill takes the next of those that were left out, for as long as there is room, and
// leaves out the last where there are too many.
func (t *Table) fill(m *member) {
	for m.taken.Len() > m.peer.MaxMACs {
		h := m.taken.Remove(m.taken.Back()).(*host)
		for _, r := range h.routes {
			t.unuse(h, r)
		}
		h.taken, h.element = false, m.left.PushFront(h)
		t.touch(m)
	}
	for m.taken.Len() < m.peer.MaxMACs && m.left.Len() > 0 {
		h := m.left.Remove(m.left.Front()).(*host)
		h.taken, h.element = true, m.taken.PushBack(h)
		for _, r := range h.routes {
			t.use(h, r)
		}
		t.touch(m)
	}
}

func (n *network) entry(m MAC) *entry {
	e := n.macs[m]
	if e == nil {
		e = &entry{}
		n.macs[m] = e
	}
	return e
}

func (n *network) forgetEntry(m MAC) {
	if e := n.macs[m]; e.local == nil && len(e.hosts) == 0 {
		delete(n.macs, m)
	}
}

// cut takes an element out of a slice whose order means nothing.
func cut[T comparable](s []T, v T) []T {
	i := slices.Index(s, v)
	if i < 0 {
		return s
	}
	var zero T
	last := len(s) - 1
	s[i], s[last] = s[last], zero
	return s[:last]
}
