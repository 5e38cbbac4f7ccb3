package controllers

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/ovn"
)

// work is what a write of a network has to do: all of it, or what has changed.
type work struct {
	whole   bool
	version int64
	set     []*port
	remove  []types.NamespacedName
	leaving []types.NamespacedName
}

func (w work) empty() bool { return !w.whole && len(w.set)+len(w.remove) == 0 }

// compare has the network compared with the database as a whole by its next
// write.
func (p *ports) compare(network types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(network).whole = true
}

// stale says whether the network's next write is a whole one.
func (p *ports) stale(network types.NamespacedName, version int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.of(network)
	return n.whole || !n.written || n.version != version
}

// begin takes what there is to write of a network whose spec in force has the
// version. The caller tells how it went.
func (p *ports) begin(network types.NamespacedName, version int64) work {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.of(network)
	w := work{whole: n.whole || !n.written || n.version != version, version: version}
	if w.whole {
		w.set = slices.Clone(n.desired)
		w.leaving = slices.Collect(maps.Keys(n.leaving))
	}
	for owner := range n.changed {
		want := p.on[owner]
		switch {
		case want == nil || want.network != n:
			w.remove = append(w.remove, owner)
		case !w.whole:
			w.set = append(w.set, want)
		}
	}
	n.whole, n.changed = false, nil
	return w
}

// done says that the work is committed. It returns the attachments whose port
// is in the database now and was not before, and the networks to be written for
// those that moved on, or were removed, meanwhile.
func (p *ports) done(network types.NamespacedName, w work) (committed, again []types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.of(network)
	if w.whole {
		n.written, n.version = true, w.version
	}
	for _, written := range w.set {
		have := p.on[written.owner]
		if have == nil || have.network != n {
			again = append(again, p.strayed(n, written.owner))
			continue
		}
		p.arrived(written.owner)
		if have.committed || have != written {
			continue
		}
		have.committed = true
		committed = append(committed, written.owner)
	}
	return committed, again
}

// strayed says that the attachment's port may be on the network's switch, though
// it is to be on another's, or on none, by now: the write that put it there may
// have been the last. It returns the network to be written for it.
func (p *ports) strayed(n *networkPorts, owner types.NamespacedName) types.NamespacedName {
	have := p.on[owner]
	if have == nil {
		mark(&n.changed, owner)
		return n.key
	}
	mark(&n.leaving, owner)
	if !slices.Contains(p.left[owner], n.key) {
		p.left[owner] = append(p.left[owner], n.key)
	}
	have.committed = false
	mark(&have.network.changed, owner)
	return have.network.key
}

// arrived says that no other network has the attachment's port any more.
func (p *ports) arrived(owner types.NamespacedName) {
	for _, key := range p.left[owner] {
		if n := p.networks[key]; n != nil {
			unmark(&n.leaving, owner)
		}
	}
	delete(p.left, owner)
}

// failed says that the work has to be done again, and returns the networks to be
// written for those that moved on meanwhile: whether the work was done may be
// unknown.
func (p *ports) failed(network types.NamespacedName, w work) (again []types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.of(network)
	n.whole = n.whole || w.whole
	for _, written := range w.set {
		if have := p.on[written.owner]; have == nil || have.network != n {
			again = append(again, p.strayed(n, written.owner))
			continue
		}
		mark(&n.changed, written.owner)
	}
	for _, owner := range w.remove {
		mark(&n.changed, owner)
	}
	return again
}

// commit does the work: one transaction for a change, and none where nothing
// differs.
func (w work) commit(ctx context.Context, northbound Northbound, network ovn.Network) (ovn.Result, error) {
	ports := make([]ovn.Port, 0, len(w.set))
	for _, p := range w.set {
		ports = append(ports, p.row())
	}
	if w.whole {
		network.Ports, network.Leaving = ports, portNames(w.leaving)
		return northbound.Apply(ctx, network)
	}
	return northbound.ApplyPorts(ctx, ovn.PortChanges{Network: network, Set: ports, Remove: portNames(w.remove)})
}

func portNames(attachments []types.NamespacedName) []string {
	var names []string
	for _, key := range attachments {
		names = append(names, v1alpha1.PortOf(key))
	}
	return names
}
