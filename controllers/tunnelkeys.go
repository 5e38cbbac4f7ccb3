package controllers

import (
	"math/rand/v2"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/tunnelkey"
)

// tunnelKeys are the numbers that tell networks, and each network's ports, apart
// in tunnels. They are kept in statuses, and read from there at a start, so that they
// outlive OVN's databases: a node that has not heard of a new database yet would take a
// key that was given anew for another network's. A key is held here before the write that
// records it, and until a cache shows that none does:
//
//	Take ──> held ── status written, and seen ──> on record ── another, or none, on record, and seen ──> free
type tunnelKeys struct {
	// direct says that the controller itself writes the one northbound database, by what
	// is held. Else every node's agent writes one of its own, by what is on record: all
	// of them must ask for the same.
	direct bool
	keys   tunnelkey.Range // of networks
	most   int32           // what a network's key may be, whatever the range
	ports  tunnelkey.Range // of each network's ports
	wake   keyWake
	// from is the first key that is taken of a range.
	from func(tunnelkey.Range) int32

	mu       sync.Mutex
	pool     *tunnelkey.Pool // of networks
	networks map[types.NamespacedName]*networkKeys
	// holders are the networks that have a key, by it, and rivals those that have
	// one on record which another holds.
	holders map[int32]types.NamespacedName
	rivals  map[int32][]types.NamespacedName
	waiting line                               // networks without a key
	held    map[types.NamespacedName]*portKeys // by attachment
}

// keyWake has networks and attachments looked at again that waited for a key.
type keyWake struct{ networks, attachments func(...types.NamespacedName) }

// networkKeys are the key of one network, and those of its ports. Thousands of
// networks have a port or two, and many have none.
type networkKeys struct {
	name types.NamespacedName
	uid  types.UID
	key  int32 // 0 for none
	// taken is the key that the network has on record, where another holds it.
	taken   int32
	ports   *tunnelkey.Pool // nil while no port has a key
	waiting line            // attachments
}

func newTunnelKeys(fabric v1alpha1.Fabric, keys tunnelkey.Range, wake keyWake) *tunnelKeys {
	k := &tunnelKeys{direct: !fabric.Zoned(), keys: keys, most: tunnelkey.MaxNetwork, ports: tunnelkey.Ports, wake: wake, from: anyOf}
	if fabric == v1alpha1.FabricOVNKubernetes {
		k.most = tunnelkey.FirstOfOVNKubernetes - 1
	}
	k.reset()
	return k
}

// anyOf is any key of the range: what was freed last before a start, or before the
// last port went, is not known any more, and should not come first.
func anyOf(keys tunnelkey.Range) int32 { return keys.First + rand.Int32N(int32(keys.Size())) }

func (k *tunnelKeys) reset() {
	k.pool = tunnelkey.New(k.keys, k.from(k.keys))
	k.networks, k.held = map[types.NamespacedName]*networkKeys{}, map[types.NamespacedName]*portKeys{}
	k.holders, k.rivals, k.waiting = map[int32]types.NamespacedName{}, map[int32][]types.NamespacedName{}, line{}
}

func (k *tunnelKeys) of(name types.NamespacedName) *networkKeys {
	n := k.networks[name]
	if n == nil {
		n = &networkKeys{name: name}
		k.networks[name] = n
	}
	return n
}

// network has the network hold a key: the one that it has, the one that it has on
// record, or the next. One whose key another holds gets no other by itself: nodes
// may use the key for it. It says whether there is something else to tell the
// network's attachments.
func (k *tunnelKeys) network(network *v1alpha1.L2Network) (news bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.of(network.Key())
	before, had := k.problem(n), n.key
	k.assign(n, network)
	return (before == nil) != (k.problem(n) == nil) || k.direct && had != n.key
}

// ofNetwork is the key that the network holds, 0 for none.
func (k *tunnelKeys) ofNetwork(network *v1alpha1.L2Network) int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := k.networks[network.Key()]; n != nil && n.uid == network.UID {
		return n.key
	}
	return 0
}

func (k *tunnelKeys) assign(n *networkKeys, network *v1alpha1.L2Network) {
	recorded := network.Status.TunnelKey
	if n.uid != network.UID {
		k.leave(n) // a predecessor's of this name
		n.uid = network.UID
	}
	if n.key != 0 || n.taken != 0 && n.taken == recorded && k.pool.Has(recorded) {
		return
	}
	// What a rival had on record is not to be its own at once, when it is free.
	adopts := k.valid(recorded) && recorded != n.taken
	k.unrival(n)
	if adopts {
		k.adopt(n, recorded)
		return
	}
	key, ok := k.pool.Take()
	if !ok {
		k.waiting.join(n.name)
		return
	}
	k.hold(n, key)
}

// valid says whether a key on record may be a network's.
func (k *tunnelKeys) valid(key int32) bool { return key >= 1 && key <= k.most }

// adopt has the network hold the key that it has on record, unless another does.
func (k *tunnelKeys) adopt(n *networkKeys, recorded int32) {
	if k.pool.Hold(recorded) {
		k.hold(n, recorded)
		return
	}
	n.taken = recorded
	k.rivals[recorded] = append(k.rivals[recorded], n.name)
}

func (k *tunnelKeys) hold(n *networkKeys, key int32) {
	n.key = key
	k.holders[key] = n.name
	k.waiting.leave(n.name)
}

func (k *tunnelKeys) unrival(n *networkKeys) {
	if n.taken == 0 {
		return
	}
	left := slices.DeleteFunc(k.rivals[n.taken], func(name types.NamespacedName) bool { return name == n.name })
	if k.rivals[n.taken] = left; len(left) == 0 {
		delete(k.rivals, n.taken)
	}
	n.taken = 0
}

// leave takes back what the network has itself. Its ports keep theirs: they are on
// record.
func (k *tunnelKeys) leave(n *networkKeys) {
	k.unrival(n)
	unused := k.waiting.leave(n.name)
	if n.key != 0 {
		k.pool.Free(n.key)
		delete(k.holders, n.key)
		k.wake.networks(k.rivals[n.key]...)
		n.key, unused = 0, true
	}
	if next, waits := k.waiting.next(unused); waits {
		k.wake.networks(next)
	}
}

// networkGone takes back what a network had that the API does not have.
func (k *tunnelKeys) networkGone(name types.NamespacedName) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := k.networks[name]; n != nil {
		k.leave(n)
		n.uid = ""
		k.forget(n)
	}
}

// forget drops what is kept of a network that has nothing.
func (k *tunnelKeys) forget(n *networkKeys) {
	if n.ports != nil && n.ports.Empty() {
		n.ports = nil
	}
	if n.uid == "" && n.ports == nil && n.waiting.empty() {
		delete(k.networks, n.name)
	}
}

// status is what a network is to have on record, and why it has no key of its own.
func (k *tunnelKeys) status(network *v1alpha1.L2Network) (key int32, problem *metav1.Condition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.networks[network.Key()]
	if n == nil || n.uid != network.UID {
		return network.Status.TunnelKey, nil // nothing of it is in force
	}
	if n.key == 0 {
		return network.Status.TunnelKey, k.problem(n)
	}
	return n.key, nil
}

// problem is why the network has no key, nil where it has none to have.
func (k *tunnelKeys) problem(n *networkKeys) *metav1.Condition {
	var c metav1.Condition
	switch {
	case n.taken != 0 && k.pool.Has(n.taken):
		c = v1alpha1.TunnelKeyTaken(n.name, n.taken, k.holders[n.taken])
	case k.waiting.has(n.name):
		c = v1alpha1.NoTunnelKey(k.keys.String())
	default:
		return nil
	}
	return &c
}
