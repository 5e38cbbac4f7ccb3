package edge

import (
	"cmp"
	"net/netip"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/evpn"
)

// parts are the hosts that peers announce, by the object that tells of them.
type parts map[part]map[evpn.MAC][]netip.Addr

// hostChanged follows what a peer announces of a MAC address. The caller holds mu.
func (e *Edge) hostChanged(h evpn.Host) {
	p := part{vni: h.VNI, peer: h.Peer, number: partOf(h.MAC, e.partsOfPeer(h.Peer))}
	if h.Gone {
		delete(e.parts[p], h.MAC)
		if len(e.parts[p]) == 0 {
			delete(e.parts, p)
		}
	} else {
		if e.parts[p] == nil {
			e.parts[p] = map[evpn.MAC][]netip.Addr{}
			if n := e.byVNI[h.VNI]; n != nil {
				e.partNames[n.remote(p)] = p
			}
		}
		e.parts[p][h.MAC] = h.Addresses
	}
	if n := e.byVNI[h.VNI]; n != nil {
		e.remotes.Queue.AddAfter(n.remote(p), remotesPace)
	}
}

func (e *Edge) partsOfPeer(name string) int {
	if p := e.cache.L2Peer(name); p != nil {
		return partsOf(p.Spec.MaxMACs)
	}
	return 1
}

// peerChanged has all that depends on a peer decided again.
func (e *Edge) peerChanged(before, after *v1alpha1.L2Peer) {
	e.mu.Lock()
	if before != nil && (after == nil || partsOf(before.Spec.MaxMACs) != partsOf(after.Spec.MaxMACs)) {
		e.regroup(before.Name)
	}
	switch {
	case before != nil && after != nil && before.Spec.FloodRate != after.Spec.FloodRate:
		e.touchAll()
	case before == nil, after != nil && before.Spec.Type != after.Spec.Type:
		e.touchBehind(after.Name) // by its type they tell their MTU
	}
	e.mu.Unlock()
	if before == nil || after == nil || before.Generation != after.Generation {
		e.settingsChanged()
	}
	e.reports.Queue.AddAfter(cmp.Or(after, before).Name, statusPace)
}

// regroup puts the hosts of a peer that may announce more now, or nothing, into parts again.
// The caller holds mu.
func (e *Edge) regroup(peer string) {
	for p := range e.parts {
		if p.peer == peer {
			delete(e.parts, p)
		}
	}
	for vni, n := range e.byVNI {
		for _, h := range e.table.Hosts(peer, vni) {
			e.hostChanged(h)
		}
		e.writeRemotesOf(n)
	}
}

// touchBehind has the networks that go on behind the peer looked at. The caller holds mu.
func (e *Edge) touchBehind(peer string) {
	for vni, n := range e.byVNI {
		if slices.Contains(n.peers, peer) {
			e.touch(vni)
		}
	}
}

// remoteChanged brings back what somebody else has changed.
func (e *Edge) remoteChanged(before, after *v1alpha1.L2Remote) {
	r := cmp.Or(after, before)
	e.remotes.Queue.AddAfter(types.NamespacedName{Namespace: r.Namespace, Name: r.Name}, remotesPace)
}

// writeRemotesOf looks at all objects of a network: those that there should be, and those
// that there are. The caller holds mu.
func (e *Edge) writeRemotesOf(n *network) {
	for p := range e.parts {
		if p.vni == n.vni {
			e.remotes.Queue.AddAfter(n.remote(p), remotesPace)
		}
	}
	for _, r := range e.cache.Remotes() {
		if r.Namespace == n.object.Namespace && r.Network == n.object.Name {
			e.remotes.Queue.AddAfter(types.NamespacedName{Namespace: r.Namespace, Name: r.Name}, remotesPace)
		}
	}
}

// wantedRemote is what an object should be, nil for none, and whether this edge is to say:
// it carries the network, and has heard the peer out.
func (e *Edge) wantedRemote(key types.NamespacedName) (want *v1alpha1.L2Remote, mine bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if p, known := e.partNames[key]; known {
		n, hosts := e.byVNI[p.vni], e.parts[p]
		if n != nil && len(hosts) > 0 {
			return remoteOf(n.object, p, hosts), e.portOf(n) != 0
		}
		delete(e.partNames, key)
	}
	have := e.cache.Remote(key)
	if have == nil {
		return nil, false
	}
	n := e.networks[types.NamespacedName{Namespace: have.Namespace, Name: have.Network}]
	if n == nil {
		return nil, false // the controller knows why it goes on no more, and whether that ends what is elsewhere
	}
	return nil, e.portOf(n) != 0 && e.heard(have.Peer)
}
