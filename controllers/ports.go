package controllers

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// ports are the logical switch ports that the northbound database must hold,
// kept in memory and changed by events: what has changed of a network since it
// was last written is what the next write costs. They are empty after a start:
// each network is then written as a whole, once.
type ports struct {
	mu       sync.Mutex
	networks map[types.NamespacedName]*networkPorts
	// on is the network that an attachment's port is on, or goes to, left those
	// that it goes away from.
	on   map[types.NamespacedName]types.NamespacedName
	left map[types.NamespacedName][]types.NamespacedName
}

// networkPorts are the ports of one network, by attachment.
type networkPorts struct {
	desired map[types.NamespacedName]port
	// changed have to be written, or removed where they are not desired.
	changed map[types.NamespacedName]bool
	// leaving are ports that another network takes over: they stay on this one's
	// switch until then.
	leaving map[types.NamespacedName]bool
	// whole says that the network has to be compared with the database as a whole,
	// written that it has been since the last connection.
	whole, written bool
	// version is that of the spec in force that was written last.
	version int64
}

type port struct {
	ovn.Port
	uid types.UID
	// committed says that the database has it as it is.
	committed bool
}

func (p port) is(o port) bool { return p.uid == o.uid && reflect.DeepEqual(p.Port, o.Port) }

func newPorts() *ports {
	return &ports{
		networks: map[types.NamespacedName]*networkPorts{},
		on:       map[types.NamespacedName]types.NamespacedName{}, left: map[types.NamespacedName][]types.NamespacedName{},
	}
}

func (p *ports) of(network types.NamespacedName) *networkPorts {
	n := p.networks[network]
	if n == nil {
		n = &networkPorts{}
		p.networks[network] = n
	}
	return n
}

// mark adds to one of a network's sets, which most of the time are empty, and nil.
func mark(set *map[types.NamespacedName]bool, owner types.NamespacedName) {
	if *set == nil {
		*set = map[types.NamespacedName]bool{}
	}
	(*set)[owner] = true
}

// set says what the attachment's port is, on which network, whose spec is the
// one in force, and whether that is new.
func (p *ports) set(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) bool {
	owner, to := client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(network)
	want := port{Port: topology.Port(network, a), uid: a.UID}
	p.mu.Lock()
	defer p.mu.Unlock()
	if from, has := p.on[owner]; has && from != to {
		n := p.of(from)
		delete(n.desired, owner)
		delete(n.changed, owner)
		mark(&n.leaving, owner)
		p.left[owner] = append(p.left[owner], from)
	}
	n := p.of(to)
	delete(n.leaving, owner)
	p.on[owner] = to
	if have, has := n.desired[owner]; has && have.is(want) {
		return false
	}
	if n.desired == nil {
		n.desired = map[types.NamespacedName]port{}
	}
	n.desired[owner] = want
	mark(&n.changed, owner)
	return true
}

// follow says what the attachment's port is in its place, and returns the
// networks that have to be written for it. A port waits until the node has been
// told the MTU.
func (p *ports) follow(at place, a *v1alpha1.L2Attachment) []types.NamespacedName {
	switch {
	case !at.on() || !a.Bound() || !a.Complete():
		return p.remove(client.ObjectKeyFromObject(a))
	case a.Status.MTU != 0 && p.set(at.Network, a):
		return []types.NamespacedName{client.ObjectKeyFromObject(at.Network)}
	default:
		return nil
	}
}

// remove says that the attachment has no port, and returns the networks that
// have to be written for it.
func (p *ports) remove(owner types.NamespacedName) []types.NamespacedName {
	p.mu.Lock()
	defer p.mu.Unlock()
	var networks []types.NamespacedName
	if on, has := p.on[owner]; has {
		delete(p.on, owner)
		n := p.of(on)
		delete(n.desired, owner)
		mark(&n.changed, owner)
		networks = append(networks, on)
	}
	for _, key := range p.left[owner] {
		if n := p.networks[key]; n != nil && n.leaving[owner] {
			delete(n.leaving, owner)
			mark(&n.changed, owner)
			networks = append(networks, key)
		}
	}
	delete(p.left, owner)
	return networks
}

// drop forgets the ports of a network that is gone, and returns the attachments
// that had one.
func (p *ports) drop(network types.NamespacedName) []types.NamespacedName {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.networks[network]
	if n == nil {
		return nil
	}
	delete(p.networks, network)
	for owner := range n.desired {
		delete(p.on, owner)
	}
	return slices.Collect(maps.Keys(n.desired))
}

// has says whether the attachment's port is committed on the network's switch,
// as it is desired.
func (p *ports) has(network types.NamespacedName, a *v1alpha1.L2Attachment) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.networks[network]
	if n == nil {
		return false
	}
	have := n.desired[client.ObjectKeyFromObject(a)]
	return have.committed && have.uid == a.UID
}

// count is how many ports the network has.
func (p *ports) count(network types.NamespacedName) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := p.networks[network]; n != nil {
		return len(n.desired)
	}
	return 0
}
