package evpn

import (
	"cmp"
	"net/netip"
	"slices"
)

// Via is where frames go to: a VTEP, and the peer that announces it.
type Via struct {
	VTEP netip.Addr
	Peer string
}

func (v Via) compare(w Via) int {
	return cmp.Or(v.VTEP.Compare(w.VTEP), cmp.Compare(v.Peer, w.Peer))
}

// Flood is all VTEPs that take part in a network, each once, in order.
type Flood struct {
	VNI uint32
	To  []Via
}

// Follow is where a MAC address is. Via is zero where it is nowhere: what is sent to it
// is flooded, or goes to ourselves.
type Follow struct {
	VNI uint32
	MAC MAC
	Via Via
}

// Status is what a peer announces on a network.
type Status struct {
	Peer string
	VNI  uint32
	// Joined says that it takes part (a type-3 route of it is followed).
	Joined bool
	// MACs is how many of its MAC addresses are accepted, Refused how many were left
	// out for the peer's MaxMACs.
	MACs, Refused int
	// VTEPsRefused is how many of its VTEPs were left out, for MaxVTEPs.
	VTEPsRefused int
	// MTU is the smallest that it says, in bytes, 0 where it says none.
	MTU uint16
	// Conflict is the first MAC address or address, of all that there are, which it
	// announces and which is bound here.
	Conflict string
}

// Host is a MAC address that a peer announces on a network, with its addresses, in
// order, MaxAddresses at most. Gone says that it is announced no longer.
type Host struct {
	Peer      string
	VNI       uint32
	MAC       MAC
	Addresses []netip.Addr
	Gone      bool
}

// MaxAddresses is how many addresses of one MAC address are reported.
const MaxAddresses = 8

// Sequence is what a MAC address of ours must be announced with.
type Sequence struct {
	VNI      uint32
	MAC      MAC
	Sequence uint32
}

// Changes are what differs since they were asked for last. Each names a thing once, with
// what holds now.
type Changes struct {
	Floods    []Flood
	Follows   []Follow
	Statuses  []Status
	Hosts     []Host
	Sequences []Sequence
}

type macKey struct {
	vni uint32
	mac MAC
}

type memberKey struct {
	peer string
	vni  uint32
}

type hostKey struct {
	memberKey
	mac MAC
}

// dirty is what may differ, and reported what was said of it last.
type dirty struct {
	floods    map[uint32]struct{}
	follows   map[macKey]struct{}
	statuses  map[memberKey]struct{}
	hosts     map[hostKey]struct{}
	sequences map[macKey]struct{}

	reportedFloods   map[uint32][]Via
	reportedFollows  map[macKey]Via
	reportedStatuses map[memberKey]Status
}

func newDirty() dirty {
	return dirty{
		floods:    map[uint32]struct{}{},
		follows:   map[macKey]struct{}{},
		statuses:  map[memberKey]struct{}{},
		hosts:     map[hostKey]struct{}{},
		sequences: map[macKey]struct{}{},

		reportedFloods:   map[uint32][]Via{},
		reportedFollows:  map[macKey]Via{},
		reportedStatuses: map[memberKey]Status{},
	}
}

// Changes says what differs since the last call. It costs what changed.
func (t *Table) Changes() Changes {
	var c Changes
	for vni := range t.dirty.floods {
		to := t.Flood(vni)
		if !slices.Equal(to, t.dirty.reportedFloods[vni]) {
			report(t.dirty.reportedFloods, vni, to, len(to) == 0)
			c.Floods = append(c.Floods, Flood{VNI: vni, To: to})
		}
	}
	for k := range t.dirty.follows {
		via, ok := t.Follow(k.vni, k.mac)
		if via != t.dirty.reportedFollows[k] {
			report(t.dirty.reportedFollows, k, via, !ok)
			c.Follows = append(c.Follows, Follow{VNI: k.vni, MAC: k.mac, Via: via})
		}
	}
	for k := range t.dirty.statuses {
		s := t.Status(k.peer, k.vni)
		nothing := Status{Peer: k.peer, VNI: k.vni}
		was, ok := t.dirty.reportedStatuses[k]
		if !ok {
			was = nothing
		}
		if s != was {
			report(t.dirty.reportedStatuses, k, s, s == nothing)
			c.Statuses = append(c.Statuses, s)
		}
	}
	for k := range t.dirty.hosts {
		c.Hosts = append(c.Hosts, t.host(k))
	}
	for k := range t.dirty.sequences {
		if s, ok := t.Sequence(k.vni, k.mac); ok {
			c.Sequences = append(c.Sequences, Sequence{VNI: k.vni, MAC: k.mac, Sequence: s})
		}
	}
	t.dirty.floods = emptied(t.dirty.floods)
	t.dirty.follows = emptied(t.dirty.follows)
	t.dirty.statuses = emptied(t.dirty.statuses)
	t.dirty.hosts = emptied(t.dirty.hosts)
	t.dirty.sequences = emptied(t.dirty.sequences)
	return c
}

// emptied is a map without entries. One that was large stays slow to empty.
func emptied[K comparable](m map[K]struct{}) map[K]struct{} {
	if len(m) > 64 {
		return map[K]struct{}{}
	}
	clear(m)
	return m
}

// report remembers what was said, for as long as it is something.
func report[K comparable, V any](reported map[K]V, k K, v V, nothing bool) {
	if nothing {
		delete(reported, k)
		return
	}
	reported[k] = v
}

// Flood is where a network's flooded frames go to.
func (t *Table) Flood(vni uint32) []Via {
	n := t.networks[vni]
	if n == nil {
		return nil
	}
	// Two peers may announce one VTEP, as two reflectors of one fabric would: a frame
	// goes there once.
	to := slices.CompactFunc(slices.Clone(n.floods.keys), func(a, b Via) bool { return a.VTEP == b.VTEP })
	share, of := t.share(n), map[string]int{}
	return slices.DeleteFunc(to, func(v Via) bool { of[v.Peer]++; return of[v.Peer] > share })
}

// Follow is where frames to a MAC address go to.
func (t *Table) Follow(vni uint32, m MAC) (Via, bool) {
	n := t.networks[vni]
	if n == nil {
		return Via{}, false
	}
	e := n.macs[m]
	if e == nil || e.local != nil || len(e.candidates) == 0 {
		return Via{}, false
	}
	return e.candidates[0].via(), true
}

// Status is what a peer announces on a network.
func (t *Table) Status(peer string, vni uint32) Status {
	s := Status{Peer: peer, VNI: vni}
	n := t.networks[vni]
	if n == nil || n.members[peer] == nil {
		return s
	}
	m := n.members[peer]
	s.Joined, s.MACs, s.Refused, s.VTEPsRefused = m.floods > 0, m.accepted, m.left.Len(), t.vtepsRefused(m)
	for _, s.MTU = range m.mtus.keys {
		if s.MTU != 0 {
			break
		}
	}
	if len(m.conflicts.keys) > 0 {
		s.Conflict = m.conflicts.keys[0].String()
	}
	return s
}

// Sequence is what a MAC address that is bound here must be announced with.
func (t *Table) Sequence(vni uint32, m MAC) (uint32, bool) {
	n := t.networks[vni]
	if n == nil || n.macs[m] == nil || n.macs[m].local == nil {
		return 0, false
	}
	return n.macs[m].local.sequence, true
}

func (t *Table) host(k hostKey) Host {
	h := Host{Peer: k.peer, VNI: k.vni, MAC: k.mac, Gone: true}
	n := t.networks[k.vni]
	if n == nil || n.members[k.peer] == nil {
		return h
	}
	e := n.members[k.peer].hosts[k.mac]
	if e == nil || e.usable == 0 {
		return h
	}
	h.Gone = false
	h.Addresses = slices.Clone(e.addresses.keys[:min(MaxAddresses, len(e.addresses.keys))])
	return h
}

// Hosts are all that a peer announces on a network and that are accepted, in no order.
func (t *Table) Hosts(peer string, vni uint32) []Host {
	n := t.networks[vni]
	if n == nil || n.members[peer] == nil {
		return nil
	}
	var all []Host
	for m := range n.members[peer].hosts {
		if h := t.host(hostKey{memberKey{peer, vni}, m}); !h.Gone {
			all = append(all, h)
		}
	}
	return all
}
