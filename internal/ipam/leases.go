package ipam

import (
	"iter"
	"net/netip"
	"slices"
)

// few is how many leases are searched one by one: maps of more pay.
const few = 8

// leases are who has what. Most networks have a few pods, and three maps of one
// entry each would weigh more than all else that is known of such a network.
type leases struct {
	list []held // while they are few
	// index has them while they are many, nil else.
	index *index
}

type held struct {
	owner string
	Lease
}

type index struct {
	owners    map[string]Lease
	addresses map[netip.Addr]string
	macs      map[MAC]string
}

// many says whether they are indexed.
func (l *leases) many() bool { return l.index != nil }

func (l *leases) len() int {
	if l.many() {
		return len(l.index.owners)
	}
	return len(l.list)
}

// all are the leases by owner, in no order.
func (l *leases) all() iter.Seq2[string, Lease] {
	return func(yield func(string, Lease) bool) {
		for _, h := range l.list {
			if !yield(h.owner, h.Lease) {
				return
			}
		}
		if !l.many() {
			return
		}
		for owner, lease := range l.index.owners {
			if !yield(owner, lease) {
				return
			}
		}
	}
}

func (l *leases) of(owner string) (Lease, bool) {
	if l.many() {
		lease, has := l.index.owners[owner]
		return lease, has
	}
	for _, h := range l.list {
		if h.owner == owner {
			return h.Lease, true
		}
	}
	return Lease{}, false
}

// holder is who has the address.
func (l *leases) holder(addr netip.Addr) (string, bool) {
	if l.many() {
		owner, taken := l.index.addresses[addr]
		return owner, taken
	}
	for _, h := range l.list {
		for _, a := range h.Addresses {
			if a.Addr() == addr {
				return h.owner, true
			}
		}
	}
	return "", false
}

// station is who has the MAC address.
func (l *leases) station(mac MAC) (string, bool) {
	if l.many() {
		owner, taken := l.index.macs[mac]
		return owner, taken
	}
	for _, h := range l.list {
		if h.MAC == mac {
			return h.owner, true
		}
	}
	return "", false
}

// add puts in the lease of an owner that has none.
func (l *leases) add(owner string, lease Lease) {
	if !l.many() && len(l.list) < few {
		l.list = append(l.list, held{owner, lease})
		return
	}
	if !l.many() {
		l.index = &index{map[string]Lease{}, map[netip.Addr]string{}, map[MAC]string{}}
		for _, h := range l.list {
			l.index.add(h.owner, h.Lease)
		}
		l.list = nil
	}
	l.index.add(owner, lease)
}

// remove takes the owner's lease out. A map keeps the size that it had, so it goes
// when they are few: at half of what makes one, since a pod that comes and goes
// must not cost a map each time.
func (l *leases) remove(owner string, lease Lease) {
	if !l.many() {
		l.list = slices.DeleteFunc(l.list, func(h held) bool { return h.owner == owner })
		if len(l.list) == 0 {
			l.list = nil
		}
		return
	}
	l.index.remove(owner, lease)
	if l.len() > few/2 {
		return
	}
	for owner, lease := range l.index.owners {
		l.list = append(l.list, held{owner, lease})
	}
	l.index = nil
}

func (x *index) add(owner string, lease Lease) {
	x.owners[owner], x.macs[lease.MAC] = lease, owner
	for _, a := range lease.Addresses {
		x.addresses[a.Addr()] = owner
	}
}

func (x *index) remove(owner string, lease Lease) {
	delete(x.owners, owner)
	delete(x.macs, lease.MAC)
	for _, a := range lease.Addresses {
		delete(x.addresses, a.Addr())
	}
}
