package evpn

import (
	"cmp"
	"net/netip"
	"slices"
)

// use makes a route a candidate, unless it is about what is bound here.
func (t *Table) use(h *host, r *route) {
	n := h.member.network
	e := n.macs[h.mac]
	if r.Address.IsValid() {
		a := n.address(r.Address)
		a.routes = append(a.routes, r)
	}
	if behind := t.behind[r.VTEP]; behind == nil {
		t.behind[r.VTEP] = map[*route]struct{}{r: {}}
	} else {
		behind[r] = struct{}{}
	}
	r.unreachable = t.unreachable[r.VTEP]
	r.conflict = conflict{}
	bound := e.local != nil
	switch {
	case bound:
		r.conflict.mac = h.mac
		t.raise(n, h.mac, e.local, r.Sequence)
	case r.Address.IsValid() && n.addresses[r.Address].local > 0:
		bound = true
		r.conflict.address = r.Address
	}
	if bound {
		h.member.conflicts.add(r.conflict)
	} else {
		i, _ := slices.BinarySearchFunc(e.candidates, r, better)
		e.candidates = slices.Insert(e.candidates, i, r)
		if h.usable++; h.usable == 1 {
			h.member.accepted++
		}
		if r.Address.IsValid() {
			h.addresses.add(r.Address)
		}
	}
	t.touchHost(h)
}

func (t *Table) unuse(h *host, r *route) {
	n := h.member.network
	e := n.macs[h.mac]
	if a := n.addresses[r.Address]; a != nil {
		a.routes = cut(a.routes, r)
		n.forgetAddress(r.Address)
	}
	if delete(t.behind[r.VTEP], r); len(t.behind[r.VTEP]) == 0 {
		delete(t.behind, r.VTEP)
	}
	if r.conflict != (conflict{}) {
		h.member.conflicts.remove(r.conflict)
		r.conflict = conflict{}
	} else {
		i := slices.Index(e.candidates, r)
		e.candidates = slices.Delete(e.candidates, i, i+1)
		if h.usable--; h.usable == 0 {
			h.member.accepted--
		}
		if r.Address.IsValid() {
			h.addresses.remove(r.Address)
		}
	}
	t.touchHost(h)
}

func (t *Table) touchHost(h *host) {
	k := memberKey{h.member.peer.Name, h.member.network.vni}
	t.dirty.statuses[k] = struct{}{}
	t.dirty.hosts[hostKey{k, h.mac}] = struct{}{}
	t.dirty.follows[macKey{k.vni, h.mac}] = struct{}{}
}

// better orders routes to one MAC address. Every side must come to the same, or frames
// go in circles: what can be reached, then the highest sequence, then the lowest VTEP
// (RFC 7432 section 7.7); what comes after is only to have an order.
func better(a, b *route) int {
	if a.unreachable != b.unreachable {
		if a.unreachable {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(b.Sequence, a.Sequence), a.VTEP.Compare(b.VTEP),
		cmp.Compare(a.from.peer.Name, b.from.peer.Name), a.from.address.Compare(b.from.address), a.compare(b.ID))
}

// SetReachable says what BFD sees of a VTEP. One of which nothing is said is reachable.
func (t *Table) SetReachable(vtep netip.Addr, reachable bool) {
	if t.unreachable[vtep] == !reachable {
		return
	}
	if reachable {
		delete(t.unreachable, vtep)
	} else {
		t.unreachable[vtep] = true
	}
	for r := range t.behind[vtep] {
		if r.conflict != (conflict{}) {
			r.unreachable = !reachable
			continue
		}
		e := t.networks[r.VNI].macs[r.MAC]
		i := slices.Index(e.candidates, r)
		e.candidates = slices.Delete(e.candidates, i, i+1)
		r.unreachable = !reachable
		i, _ = slices.BinarySearchFunc(e.candidates, r, better)
		e.candidates = slices.Insert(e.candidates, i, r)
		if len(e.candidates) > 1 {
			t.dirty.follows[macKey{r.VNI, r.MAC}] = struct{}{}
		}
	}
}

func (n *network) address(a netip.Addr) *address {
	e := n.addresses[a]
	if e == nil {
		e = &address{}
		n.addresses[a] = e
	}
	return e
}

func (n *network) forgetAddress(a netip.Addr) {
	if e := n.addresses[a]; e != nil && e.local == 0 && len(e.routes) == 0 {
		delete(n.addresses, a)
	}
}
