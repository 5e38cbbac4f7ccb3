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
	set     map[types.NamespacedName]port
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
	w := work{whole: n.whole || !n.written || n.version != version, version: version, set: map[types.NamespacedName]port{}}
	if w.whole {
		maps.Copy(w.set, n.desired)
		w.leaving = slices.Collect(maps.Keys(n.leaving))
	}
	for owner := range n.changed {
		if want, has := n.desired[owner]; has {
			w.set[owner] = want
			continue
		}
		w.remove = append(w.remove, owner)
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
	for owner, written := range w.set {
		if p.on[owner] != network {
			again = append(again, p.strayed(network, owner))
			continue
		}
		p.arrived(owner)
		have, has := n.desired[owner]
		if !has || have.committed || !have.is(written) {
			continue
		}
		have.committed = true
		n.desired[owner] = have
		committed = append(committed, owner)
	}
	return committed, again
}

// strayed says that the attachment's port may be on the network's switch, though
// it is to be on another's, or on none, by now: the write that put it there may
// have been the last. It returns the network to be written for it.
func (p *ports) strayed(network, owner types.NamespacedName) types.NamespacedName {
	n := p.of(network)
	on, has := p.on[owner]
	if !has {
		mark(&n.changed, owner)
		return network
	}
	mark(&n.leaving, owner)
	if !slices.Contains(p.left[owner], network) {
		p.left[owner] = append(p.left[owner], network)
	}
	to := p.of(on)
	have := to.desired[owner]
	have.committed = false
	to.desired[owner] = have
	mark(&to.changed, owner)
	return on
}

// arrived says that no other network has the attachment's port any more.
func (p *ports) arrived(owner types.NamespacedName) {
	for _, key := range p.left[owner] {
		if n := p.networks[key]; n != nil {
			delete(n.leaving, owner)
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
	for owner := range w.set {
		if p.on[owner] != network {
			again = append(again, p.strayed(network, owner))
			continue
		}
		mark(&n.changed, owner)
	}
	for _, owner := range w.remove {
		mark(&n.changed, owner)
	}
	return again
}

// commit does the work: one transaction for a change, and none where nothing
// differs.
func (w work) commit(ctx context.Context, northbound Northbound, network ovn.Network) (ovn.Result, error) {
	var ports []ovn.Port
	for _, p := range w.set {
		ports = append(ports, p.Port)
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
