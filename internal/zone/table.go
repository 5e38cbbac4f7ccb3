package zone

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/topology"
	"l2sm.io/l2sm/ovn"
)

// table is which ports the database must hold, and what of that has changed since
// it was written. Events change it, each at the cost of what it tells.
type table struct {
	node string

	mu       sync.Mutex
	ports    map[types.NamespacedName]*port
	networks map[types.NamespacedName]*members
	// left are the networks from whose switches a port has to be taken by that of
	// another.
	left map[types.NamespacedName][]types.NamespacedName
	// nodes are how many ports each other node has. crossed is told when one gets
	// its first, or loses its last, and when a network gets a key.
	nodes   map[string]int
	crossed func()
}

// port is an attachment that has a port.
type port struct {
	attachment *v1alpha1.L2Attachment
	network    types.NamespacedName
	local      bool
}

// members are the ports of one network.
type members struct {
	ports map[types.NamespacedName]*port
	local int   // how many are of this node
	key   int32 // the tunnel key that was written
	// carried says that this node's edge carries the network, which then has a member
	// here; edge is another node whose edge does, empty for none.
	carried bool
	edge    string
	// changed have to be written, or removed where they are not among the ports.
	changed map[types.NamespacedName]bool
	// leaving are those that another network takes over.
	leaving map[types.NamespacedName]bool
	whole   bool // all of it has to be compared with the database
}

func newTable(node string, crossed func()) *table {
	return &table{
		node: node, crossed: crossed, ports: map[types.NamespacedName]*port{}, networks: map[types.NamespacedName]*members{},
		left: map[types.NamespacedName][]types.NamespacedName{}, nodes: map[string]int{},
	}
}

func (t *table) of(network types.NamespacedName) *members {
	m := t.networks[network]
	if m == nil {
		m = &members{
			ports: map[types.NamespacedName]*port{}, changed: map[types.NamespacedName]bool{}, leaving: map[types.NamespacedName]bool{}, whole: true,
		}
		t.networks[network] = m
	}
	return m
}

// source is the cache that tells of an attachment: that of a network, or zero for
// the node's.
type source struct{ network types.NamespacedName }

// see takes an attachment as a cache has it, and returns the networks that have to
// be written for it. Of this node's only the node's own cache tells: it shows a
// move in one event.
func (t *table) see(from source, a *v1alpha1.L2Attachment) []types.NamespacedName {
	local := from == source{}
	if !local && a.Spec.NodeName == t.node {
		return nil
	}
	key := a.Key()
	t.mu.Lock()
	defer t.mu.Unlock()
	have := t.ports[key]
	if have != nil && newer(have.attachment, a) {
		return nil
	}
	on, placed := topology.Placed(a)
	if !placed {
		return t.remove(key)
	}
	return t.set(key, &port{attachment: a, local: local, network: types.NamespacedName{Namespace: on.Namespace, Name: on.Name}})
}

// lose takes that a cache has an attachment no longer. Another one that has it
// since knows better.
func (t *table) lose(from source, a *v1alpha1.L2Attachment) []types.NamespacedName {
	t.mu.Lock()
	defer t.mu.Unlock()
	have := t.ports[a.Key()]
	if have == nil || have.from() != from || newer(have.attachment, a) {
		return nil
	}
	return t.remove(a.Key())
}

func (p *port) from() source {
	if p.local {
		return source{}
	}
	return source{p.network}
}

// newer says whether a is a later state than b.
func newer(a, b *v1alpha1.L2Attachment) bool {
	order, err := resourceversion.CompareResourceVersion(a.ResourceVersion, b.ResourceVersion)
	return err == nil && order > 0
}

func (t *table) set(key types.NamespacedName, want *port) []types.NamespacedName {
	networks := []types.NamespacedName{want.network}
	have := t.ports[key]
	if have != nil && have.network == want.network && have.local == want.local && same(have.attachment, want.attachment) {
		have.attachment = want.attachment
		return nil
	}
	if have != nil {
		t.take(key, have)
		if have.network != want.network {
			old := t.of(have.network)
			delete(old.changed, key)
			old.leaving[key] = true
			t.left[key] = append(t.left[key], have.network)
			networks = append(networks, have.network) // it may have no member left
		}
	}
	m := t.of(want.network)
	t.ports[key], m.ports[key] = want, want
	t.count(want, 1)
	delete(m.leaving, key)
	m.changed[key] = true
	return networks
}

// take takes a port out of its network.
func (t *table) take(key types.NamespacedName, p *port) {
	delete(t.ports, key)
	delete(t.of(p.network).ports, key)
	t.count(p, -1)
}

func (t *table) count(p *port, by int) {
	if p.local {
		t.of(p.network).local += by
		return
	}
	t.reach(p.attachment.Spec.NodeName, by)
}

// reach counts what another node has of this node's networks.
func (t *table) reach(node string, by int) {
	had := t.nodes[node]
	if t.nodes[node] = had + by; had+by == 0 {
		delete(t.nodes, node)
	}
	if had == 0 || had+by == 0 {
		t.crossed()
	}
}

func (t *table) remove(key types.NamespacedName) []types.NamespacedName {
	var networks []types.NamespacedName
	if have := t.ports[key]; have != nil {
		t.take(key, have)
		t.of(have.network).changed[key] = true
		networks = append(networks, have.network)
	}
	return append(networks, t.release(key)...)
}

// release has a port that goes nowhere taken from the networks that it was to leave
// for another, and returns these.
func (t *table) release(key types.NamespacedName) (networks []types.NamespacedName) {
	for _, network := range t.left[key] {
		if m := t.networks[network]; m != nil && m.leaving[key] {
			delete(m.leaving, key)
			m.changed[key] = true
			networks = append(networks, network)
		}
	}
	delete(t.left, key)
	return networks
}

// same says whether two states of an attachment make the same port.
func same(a, b *v1alpha1.L2Attachment) bool {
	return a.UID == b.UID && a.Status.TunnelKey == b.Status.TunnelKey && a.Spec.NodeName == b.Spec.NodeName && a.Spec.PodUID == b.Spec.PodUID &&
		a.Spec.MACAddress == b.Spec.MACAddress && slices.Equal(a.Spec.Addresses, b.Spec.Addresses) &&
		a.Spec.PortSecurity == b.Spec.PortSecurity && slices.Equal(a.Spec.Roles, b.Spec.Roles) &&
		meta.IsStatusConditionFalse(a.Status.Conditions, v1alpha1.ConditionLearning) == meta.IsStatusConditionFalse(b.Status.Conditions, v1alpha1.ConditionLearning)
}

// forget drops what a network's cache has told, once nobody keeps that cache, and
// returns the networks that have to be written for it.
func (t *table) forget(network types.NamespacedName) (others []types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.networks[network]
	if m == nil {
		return nil
	}
	for key, p := range m.ports {
		if !p.local {
			t.take(key, p)
			others = append(others, t.release(key)...)
		}
	}
	t.turn(m, "")
	m.whole = true
	if len(m.ports) == 0 && len(m.leaving) == 0 && !m.carried {
		delete(t.networks, network)
	}
	return others
}

// here says whether the network has a member on this node: a port, or the edge.
func (m *members) here() bool { return m.local > 0 || m.carried }

// member says whether the network has a member on this node.
func (t *table) member(network types.NamespacedName) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.networks[network]
	return m != nil && m.here()
}

// networksWithMembers are those that the database must hold.
func (t *table) networksWithMembers() []types.NamespacedName {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []types.NamespacedName
	for key, m := range t.networks {
		if m.here() {
			all = append(all, key)
		}
	}
	return all
}

// keyed notes with which key a network was written.
func (t *table) keyed(network types.NamespacedName, key int32) {
	t.mu.Lock()
	m := t.of(network)
	had := m.key
	m.key = key
	t.mu.Unlock()
	if had != key {
		t.crossed()
	}
}

// keys are those of the networks that were written.
func (t *table) keys() map[ovn.Key]int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[ovn.Key]int32{}
	for network, m := range t.networks {
		if m.key != 0 {
			all[ovn.Key(network)] = m.key
		}
	}
	return all
}

// knows says whether another node has ports on this node's networks.
func (t *table) knows(node string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.nodes[node] > 0
}

// otherNodes are those that have ports on this node's networks.
func (t *table) otherNodes() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for node := range t.nodes {
		all = append(all, node)
	}
	slices.Sort(all)
	return all
}

// carry takes that this node's edge carries the network, or no longer, and returns the
// network, which has to be written for it.
func (t *table) carry(network types.NamespacedName, carried bool) []types.NamespacedName {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.networks[network]
	if m == nil && !carried {
		return nil
	}
	t.of(network).carried = carried
	return []types.NamespacedName{network}
}

// turnTo takes which node's edge carries a network of this node, empty for none.
func (t *table) turnTo(network types.NamespacedName, node string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn(t.of(network), node)
}

func (t *table) turn(m *members, node string) {
	if node == t.node {
		node = ""
	}
	if m.edge == node {
		return
	}
	if m.edge != "" {
		t.reach(m.edge, -1)
	}
	if m.edge = node; node != "" {
		t.reach(node, 1)
	}
}
