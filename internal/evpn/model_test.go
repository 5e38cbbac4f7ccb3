package evpn

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// model is a Table that decides on everything again whenever it is asked.
type model struct {
	peers       map[string]PeerPolicy
	inForce     map[uint32][]string
	own         []netip.Addr
	unreachable map[netip.Addr]bool
	locals      map[macKey][]netip.Addr
	endpoints   map[netip.Addr]*modelEndpoint
	// order is the one in which MAC addresses of a member came to be wanted.
	order map[memberKey][]MAC
	stamp int
}

type modelEndpoint struct {
	peer   string
	routes map[ID]*modelRoute
	up     bool
	until  time.Time
}

type modelRoute struct {
	Learned
	endpoint netip.Addr
	peer     string
	stale    bool
	stamp    int
}

func newModel() *model {
	return &model{
		peers: map[string]PeerPolicy{}, inForce: map[uint32][]string{}, unreachable: map[netip.Addr]bool{},
		locals: map[macKey][]netip.Addr{}, endpoints: map[netip.Addr]*modelEndpoint{}, order: map[memberKey][]MAC{},
	}
}

func (m *model) setPeers(policies []PeerPolicy) {
	m.peers = map[string]PeerPolicy{}
	claimed := map[netip.Addr]string{}
	for _, p := range policies {
		m.peers[p.Name] = p
		for _, a := range p.Endpoints {
			if claimed[a] == "" {
				claimed[a] = p.Name
			}
		}
	}
	// Policies are drawn in the order of names.
	for a, e := range m.endpoints {
		if claimed[a] != e.peer {
			delete(m.endpoints, a)
		}
	}
	for a, p := range claimed {
		if m.endpoints[a] == nil {
			m.endpoints[a] = &modelEndpoint{peer: p, routes: map[ID]*modelRoute{}}
		}
	}
}

func (m *model) received(a netip.Addr, l Learned, withdrawn bool) {
	e := m.endpoints[a]
	if e == nil {
		return
	}
	if withdrawn {
		delete(e.routes, l.ID)
		return
	}
	m.stamp++
	r := &modelRoute{Learned: l, endpoint: a, peer: e.peer, stamp: m.stamp}
	if was := e.routes[l.ID]; was != nil {
		r.stamp = was.stamp
	}
	e.routes[l.ID] = r
}

func (m *model) session(a netip.Addr, up, stale bool, now time.Time) {
	e := m.endpoints[a]
	if e == nil {
		return
	}
	wasUp := e.up
	e.up = up
	switch {
	case up && !e.until.IsZero():
		e.until = now.Add(RestartTime)
	case !up && !stale:
		e.routes, e.until = map[ID]*modelRoute{}, time.Time{}
	case !up && wasUp:
		e.sweep()
		for _, r := range e.routes {
			r.stale = true
		}
		e.until = now.Add(RestartTime)
	}
}

func (e *modelEndpoint) sweep() {
	maps.DeleteFunc(e.routes, func(_ ID, r *modelRoute) bool { return r.stale })
	e.until = time.Time{}
}

func (m *model) end(a netip.Addr) {
	if e := m.endpoints[a]; e != nil {
		e.sweep()
	}
}

func (m *model) expire(now time.Time) {
	for _, e := range m.endpoints {
		if !e.until.IsZero() && !now.Before(e.until) {
			e.sweep()
		}
	}
}

// wanted are the routes that policy lets in, by their order.
func (m *model) wanted() []*modelRoute {
	var all []*modelRoute
	for a, e := range m.endpoints {
		p := m.peers[e.peer]
		for _, r := range e.routes {
			allowed := r.VTEP == a
			if p.Fabric {
				allowed = slices.ContainsFunc(p.VTEPs, func(x netip.Prefix) bool { return x.Contains(r.VTEP) })
			}
			if allowed && !slices.Contains(m.own, r.VTEP) && slices.Contains(m.inForce[r.VNI], e.peer) && (r.Kind == MACIP || r.Address == r.VTEP) {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(a, b *modelRoute) int { return cmp.Compare(a.stamp, b.stamp) })
	return all
}

// settle brings the order of MAC addresses up to date after an event.
func (m *model) settle() {
	here := map[memberKey][]MAC{}
	for _, r := range m.wanted() {
		if k := (memberKey{r.peer, r.VNI}); r.Kind == MACIP && !slices.Contains(here[k], r.MAC) {
			here[k] = append(here[k], r.MAC)
		}
	}
	order := map[memberKey][]MAC{}
	for k, now := range here {
		for _, x := range m.order[k] {
			if slices.Contains(now, x) {
				order[k] = append(order[k], x)
			}
		}
		for _, x := range now {
			if !slices.Contains(order[k], x) {
				order[k] = append(order[k], x)
			}
		}
	}
	m.order = order
}

// outcome is what a Table says, all of it.
type outcome struct {
	Floods   map[uint32][]Via
	Follows  map[macKey]Via
	Statuses map[memberKey]Status
	Hosts    map[hostKey][]netip.Addr
}

func newOutcome() outcome {
	return outcome{map[uint32][]Via{}, map[macKey]Via{}, map[memberKey]Status{}, map[hostKey][]netip.Addr{}}
}

func (o outcome) take(c Changes) {
	for _, f := range c.Floods {
		report(o.Floods, f.VNI, f.To, len(f.To) == 0)
	}
	for _, f := range c.Follows {
		report(o.Follows, macKey{f.VNI, f.MAC}, f.Via, f.Via == Via{})
	}
	for _, s := range c.Statuses {
		report(o.Statuses, memberKey{s.Peer, s.VNI}, s, s == Status{Peer: s.Peer, VNI: s.VNI})
	}
	for _, h := range c.Hosts {
		report(o.Hosts, hostKey{memberKey{h.Peer, h.VNI}, h.MAC}, h.Addresses, h.Gone)
	}
}

func (m *model) outcome() outcome {
	o := newOutcome()
	statuses := map[memberKey]Status{}
	conflicts := map[memberKey][]conflict{}
	best := map[macKey]*modelRoute{}
	for _, r := range m.wanted() {
		k := memberKey{r.peer, r.VNI}
		s := statuses[k]
		s.Peer, s.VNI = r.peer, r.VNI
		if r.Kind == Multicast {
			s.Joined = true
			statuses[k] = s
			via := Via{r.VTEP, r.peer}
			to := o.Floods[r.VNI]
			if i := slices.IndexFunc(to, func(v Via) bool { return v.VTEP == via.VTEP }); i >= 0 {
				to[i].Peer = min(to[i].Peer, via.Peer)
			} else {
				to = append(to, via)
			}
			slices.SortFunc(to, Via.compare)
			o.Floods[r.VNI] = to
			continue
		}
		order := m.order[k]
		limit := min(m.peers[r.peer].MaxMACs, len(order))
		s.Refused = len(order) - limit
		statuses[k] = s
		if !slices.Contains(order[:limit], r.MAC) {
			continue
		}
		if _, bound := m.locals[macKey{r.VNI, r.MAC}]; bound {
			conflicts[k] = append(conflicts[k], conflict{mac: r.MAC})
			continue
		}
		if r.Address.IsValid() && m.bound(r.VNI, r.Address) {
			conflicts[k] = append(conflicts[k], conflict{address: r.Address})
			continue
		}
		h := hostKey{k, r.MAC}
		if _, ok := o.Hosts[h]; !ok {
			o.Hosts[h] = nil
			s.MACs++
			statuses[k] = s
		}
		if r.Address.IsValid() && !slices.Contains(o.Hosts[h], r.Address) {
			o.Hosts[h] = append(o.Hosts[h], r.Address)
			slices.SortFunc(o.Hosts[h], netip.Addr.Compare)
		}
		if b := best[macKey{r.VNI, r.MAC}]; b == nil || m.beats(r, b) {
			best[macKey{r.VNI, r.MAC}] = r
		}
	}
	for k, r := range best {
		o.Follows[k] = Via{r.VTEP, r.peer}
	}
	for k, s := range statuses {
		if c := conflicts[k]; len(c) > 0 {
			slices.SortFunc(c, conflict.compare)
			s.Conflict = c[0].String()
		}
		o.Statuses[k] = s
	}
	for k, all := range o.Hosts {
		o.Hosts[k] = all[:min(len(all), MaxAddresses)]
	}
	return o
}

func (m *model) bound(vni uint32, a netip.Addr) bool {
	for k, all := range m.locals {
		if k.vni == vni && slices.Contains(all, a) {
			return true
		}
	}
	return false
}

func (m *model) beats(a, b *modelRoute) bool {
	if x, y := m.unreachable[a.VTEP], m.unreachable[b.VTEP]; x != y {
		return y
	}
	if a.Sequence != b.Sequence {
		return a.Sequence > b.Sequence
	}
	return cmp.Or(a.VTEP.Compare(b.VTEP), cmp.Compare(a.peer, b.peer)) < 0
}
