package evpn

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
)

// PeerPolicy is what a peer may.
type PeerPolicy struct {
	Name      string
	Endpoints []netip.Addr
	// Fabric says that its endpoints announce VTEPs of VTEPs; else each announces
	// itself alone.
	Fabric bool
	VTEPs  []netip.Prefix
	// MaxMACs is how many MAC addresses it may have on one network: those that it
	// announced first. Further ones wait, and are taken when one of them goes.
	MaxMACs int
	// MaxRoutes is that of Peer: what an endpoint announces beyond is forgotten, since
	// its session is about to be closed for it.
	MaxRoutes int
}

func (p PeerPolicy) equal(q PeerPolicy) bool {
	return p.Fabric == q.Fabric && p.MaxMACs == q.MaxMACs && p.MaxRoutes == q.MaxRoutes &&
		slices.Equal(p.VTEPs, q.VTEPs) && slices.Equal(p.Endpoints, q.Endpoints)
}

func (p PeerPolicy) maxRoutes() int { return cmp.Or(p.MaxRoutes, DefaultMaxRoutes) }

// Reason is why a route is left out.
type Reason string

const (
	// Followed routes are left out for nothing but MaxMACs and conflicts.
	Followed Reason = ""
	// NotAgreed says that the peer is not in force on the network, or there is none.
	NotAgreed Reason = "NotAgreed"
	// ForeignVTEP says that next hop, originator and endpoint are not one address, or the next
	// hop is none of the fabric's declared VTEPs.
	ForeignVTEP Reason = "ForeignVTEP"
	// OwnVTEP says that it comes from an edge of ours, by way of a reflector.
	OwnVTEP Reason = "OwnVTEP"
	// TooManyRoutes says that the endpoint has MaxRoutes already.
	TooManyRoutes Reason = "TooManyRoutes"
)

// verdict says whether a route is followed as far as policy goes.
func (t *Table) verdict(r *route) Reason {
	p := r.from.peer
	if t.own[r.VTEP] {
		return OwnVTEP
	}
	if !p.mayBe(r.VTEP, r.from.address) || r.Kind == Multicast && r.Address != r.VTEP {
		return ForeignVTEP
	}
	n := t.networks[r.VNI]
	if n == nil || !n.inForce[p.Name] {
		return NotAgreed
	}
	return Followed
}

func (p *peer) mayBe(vtep, endpoint netip.Addr) bool {
	if !p.Fabric {
		return vtep == endpoint
	}
	return slices.ContainsFunc(p.VTEPs, func(r netip.Prefix) bool { return r.Contains(vtep) })
}

// SetPeers says which peers there are. What those that are gone had announced is
// dropped.
func (t *Table) SetPeers(policies []PeerPolicy) {
	wanted := map[string]PeerPolicy{}
	claimed := map[netip.Addr]bool{}
	for _, p := range slices.SortedFunc(slices.Values(policies), func(a, b PeerPolicy) int { return cmp.Compare(a.Name, b.Name) }) {
		// As the Speaker has it: an endpoint is the first's, by name, that names it. The
		// API server can't see that two objects do.
		p.Endpoints = slices.DeleteFunc(slices.Clone(p.Endpoints), func(a netip.Addr) bool { return claimed[a] })
		for _, a := range p.Endpoints {
			claimed[a] = true
		}
		wanted[p.Name] = p
	}
	for name, p := range t.peers {
		if w, ok := wanted[name]; !ok {
			t.dropPeer(p)
		} else if !p.equal(w) {
			t.changePeer(p, w)
		}
	}
	for name, w := range wanted {
		if t.peers[name] == nil {
			t.peers[name] = &peer{PeerPolicy: w, members: map[uint32]*member{}}
			t.addEndpoints(t.peers[name])
		}
	}
}

func (t *Table) dropPeer(p *peer) {
	for _, a := range p.Endpoints {
		t.dropEndpoint(p, a)
	}
	delete(t.peers, p.Name)
}

func (t *Table) dropEndpoint(p *peer, a netip.Addr) {
	if e := t.endpoints[a]; e != nil && e.peer == p {
		t.dropRoutes(e, func(*route) bool { return true })
		delete(t.endpoints, a)
	}
}

// addEndpoints gives a peer its endpoints. One that another peer had is taken from it.
func (t *Table) addEndpoints(p *peer) {
	for _, a := range p.Endpoints {
		e := t.endpoints[a]
		if e != nil && e.peer == p {
			continue
		}
		if e != nil {
			t.dropEndpoint(e.peer, a)
		}
		t.endpoints[a] = &endpoint{address: a, peer: p, routes: map[ID]*route{}, left: map[Reason]int{}}
	}
}

func (t *Table) changePeer(p *peer, to PeerPolicy) {
	for _, a := range p.Endpoints {
		if !slices.Contains(to.Endpoints, a) {
			t.dropEndpoint(p, a)
		}
	}
	p.PeerPolicy = to
	t.addEndpoints(p)
	var routes []*route
	for _, a := range p.Endpoints {
		if e := t.endpoints[a]; e.peer == p {
			for _, r := range e.routes {
				routes = append(routes, r)
			}
		}
	}
	t.judge(routes)
	for _, m := range p.members {
		t.fill(m)
	}
}

// SetOwn says which VTEPs are ours: this edge, and the others of the cluster.
func (t *Table) SetOwn(vteps []netip.Addr) {
	t.own = map[netip.Addr]bool{}
	for _, a := range vteps {
		t.own[a] = true
	}
	var routes []*route
	for _, e := range t.endpoints {
		for _, r := range e.routes {
			routes = append(routes, r)
		}
	}
	t.judge(routes)
}

// SetNetwork says which peers are in force on a network; without any it is not
// stretched.
func (t *Table) SetNetwork(vni uint32, peers []string) {
	n := t.network(vni)
	n.inForce = map[string]bool{}
	for _, p := range peers {
		n.inForce[p] = true
	}
	routes := make([]*route, 0, len(n.routes))
	for r := range n.routes {
		routes = append(routes, r)
	}
	t.judge(routes)
	t.dirty.floods[vni] = struct{}{} // each has another share of MaxVTEPs
	for _, m := range n.members {
		t.touch(m)
	}
	t.forget(n)
}

// judge decides on routes again, in the order of their arrival: the first of them are
// within MaxMACs. What is followed now comes before what is followed no longer, so that
// a MAC address which has one of each keeps its place.
func (t *Table) judge(routes []*route) {
	slices.SortFunc(routes, func(a, b *route) int { return cmp.Compare(a.stamp, b.stamp) })
	var out []*route
	for _, r := range routes {
		was, is := r.reason, t.verdict(r)
		if was == is {
			continue
		}
		r.setReason(is)
		switch Followed {
		case is:
			t.attach(r)
		case was:
			out = append(out, r)
		}
	}
	for _, r := range out {
		t.detach(r)
	}
}

func (id ID) compare(o ID) int {
	return cmp.Or(cmp.Compare(id.Kind, o.Kind), bytes.Compare(id.RD[:], o.RD[:]), cmp.Compare(id.Tag, o.Tag),
		bytes.Compare(id.MAC[:], o.MAC[:]), id.Address.Compare(o.Address))
}
