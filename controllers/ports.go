package controllers

import (
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
	// on is an attachment's port, on the network that it is on or goes to, left
	// those that it goes away from.
	on   map[types.NamespacedName]*port
	left map[types.NamespacedName][]types.NamespacedName
}

// networkPorts are the ports of one network. Thousands of networks have a port or
// two, so what is empty most of the time is nil then.
type networkPorts struct {
	key     types.NamespacedName
	desired []*port // in no order
	// changed attachments have to be written, or removed where their port is not
	// desired.
	changed map[types.NamespacedName]bool
	// leaving are attachments whose port another network takes over: it stays on
	// this one's switch until then.
	leaving map[types.NamespacedName]bool
	// whole says that the network has to be compared with the database as a whole,
	// written that it has been since the last connection.
	whole, written bool
	// version is that of the spec in force that was written last.
	version int64
	// last is how the last write went, nil before it.
	last *program
}

// port is an attachment's port, or, where the owner is what EdgeOf returns, the edge's
// of the network.
type port struct {
	owner  types.NamespacedName
	uid    types.UID
	packed ovn.PackedPort
	// committed says that the database has it as it is.
	committed bool
	network   *networkPorts
	place     int // among the network's ports
}

func (p *port) is(o port) bool { return p.uid == o.uid && p.packed == o.packed }

// row is the port as the database must hold it.
func (p *port) row() ovn.Port {
	row := p.packed.Port()
	row.Name, row.Owner = v1alpha1.PortOf(p.owner), string(p.uid)
	return row
}

func newPorts() *ports {
	return &ports{
		networks: map[types.NamespacedName]*networkPorts{},
		on:       map[types.NamespacedName]*port{}, left: map[types.NamespacedName][]types.NamespacedName{},
	}
}

func (p *ports) of(network types.NamespacedName) *networkPorts {
	n := p.networks[network]
	if n == nil {
		n = &networkPorts{key: network}
		p.networks[network] = n
	}
	return n
}

func (n *networkPorts) add(p *port) {
	p.network, p.place = n, len(n.desired)
	n.desired = append(n.desired, p)
}

// take takes out a port of the network. The last one gets its place.
func (n *networkPorts) take(p *port) {
	last := len(n.desired) - 1
	n.desired[p.place] = n.desired[last]
	n.desired[p.place].place = p.place
	n.desired[last] = nil
	if n.desired = n.desired[:last]; last == 0 {
		n.desired = nil
	}
}

// mark adds to one of a network's sets.
func mark(set *map[types.NamespacedName]bool, owner types.NamespacedName) {
	if *set == nil {
		*set = map[types.NamespacedName]bool{}
	}
	(*set)[owner] = true
}

func unmark(set *map[types.NamespacedName]bool, owner types.NamespacedName) {
	if delete(*set, owner); len(*set) == 0 {
		*set = nil
	}
}

// set says what the attachment's port is, on which network, whose spec is the
// one in force, and whether that is new.
func (p *ports) set(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) bool {
	owner, to := client.ObjectKeyFromObject(a), client.ObjectKeyFromObject(network)
	return p.put(to, port{owner: owner, uid: a.UID, packed: topology.Port(network, a).Pack()})
}

// setEdge says what the port is by which the network goes on in other clusters, if its
// status says that it does. The caller writes the network.
func (p *ports) setEdge(network *v1alpha1.L2Network) {
	owner := v1alpha1.EdgeOf(network.Key())
	row, goes := topology.Edge(network)
	if !goes {
		p.remove(owner)
		return
	}
	p.put(network.Key(), port{owner: owner, uid: network.UID, packed: row.Pack()})
}

// put has the network have the port, and says whether that is new.
func (p *ports) put(to types.NamespacedName, want port) bool {
	owner := want.owner
	p.mu.Lock()
	defer p.mu.Unlock()
	have := p.on[owner]
	if have != nil && have.network.key != to {
		p.leave(have)
		have = nil
	}
	n := p.of(to)
	unmark(&n.leaving, owner)
	if have != nil && have.is(want) {
		return false
	}
	if have != nil {
		n.take(have)
	}
	p.on[owner] = &want
	n.add(&want)
	mark(&n.changed, owner)
	return true
}

// leave has the port go away from the network that it is on, or goes to.
func (p *ports) leave(have *port) {
	n := have.network
	n.take(have)
	unmark(&n.changed, have.owner)
	mark(&n.leaving, have.owner)
	p.left[have.owner] = append(p.left[have.owner], n.key)
}

// follow says what the attachment's port is in its place, and returns the
// networks that have to be written for it. A port waits until it has a tunnel key, and
// the node has been told the MTU.
func (p *ports) follow(at place, a *v1alpha1.L2Attachment) []types.NamespacedName {
	switch {
	case !at.on() || !a.Bound() || !a.Complete() || at.keying == keyRefused:
		return p.remove(client.ObjectKeyFromObject(a))
	case at.keying == keyHeld && a.Status.MTU != 0 && p.set(at.Network, at.keyedAs(a)):
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
	if have := p.on[owner]; have != nil {
		delete(p.on, owner)
		n := have.network
		n.take(have)
		mark(&n.changed, owner)
		networks = append(networks, n.key)
	}
	for _, key := range p.left[owner] {
		if n := p.networks[key]; n != nil && n.leaving[owner] {
			unmark(&n.leaving, owner)
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
	var owners []types.NamespacedName
	for _, had := range n.desired {
		delete(p.on, had.owner)
		owners = append(owners, had.owner)
	}
	return owners
}

// has says whether the attachment's port is committed on the network's switch,
// as it is desired.
func (p *ports) has(network types.NamespacedName, a *v1alpha1.L2Attachment) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	have := p.on[client.ObjectKeyFromObject(a)]
	return have != nil && have.network.key == network && have.committed && have.uid == a.UID
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
