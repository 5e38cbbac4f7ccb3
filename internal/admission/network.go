package admission

import (
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// network is what the ledger has of one network. It may be one that the API
// does not have, or not yet.
type network struct {
	key  types.NamespacedName
	wake *Wake // the ledger's

	mu sync.Mutex
	// dropped says that the ledger has forgotten it.
	dropped bool
	pool    *ipam.Pool
	// guests counts members by namespace, but for the network's own: nil without any.
	guests map[string]int

	// resting are members that have no pod, or whose pod waits for a peer: nil
	// without any.
	resting map[string]bool

	// known says that the API has the network, uid and generation what was judged
	// of it last.
	known      bool
	uid        types.UID
	generation int64
	// inForce is what is in force of the network, nil for nothing; version changes
	// with it.
	inForce *terms
	version int64
	// opened says that what is on record of the network's attachments was taken:
	// only then may something new be given out.
	opened bool
	// refused is why the newest spec is not in force, stranded whose addresses it
	// waits for.
	refused  error
	stranded *ipam.StrandedError

	waiting waiting
}

func newNetwork(key types.NamespacedName, wake *Wake) *network {
	return &network{key: key, wake: wake, pool: ipam.NewPool()}
}

// take is Ledger.Take on this network, which is locked.
func (n *network) take(owner types.NamespacedName, ask Ask, cluster Cluster) (Taken, error) {
	taken, err := n.stay(owner, ask, cluster)
	if refusal, ok := AsRefusal(err); ok {
		n.pass(n.waiting.await(owner, refusal))
	}
	if err == nil {
		n.used(owner, taken.Lease)
	}
	return taken, err
}

// stay is Ledger.Hold on this network, which is locked.
func (n *network) stay(owner types.NamespacedName, ask Ask, cluster Cluster) (Taken, error) {
	n.judge(ask.Network, cluster)
	if n.inForce == nil {
		return Taken{}, Refuse(v1alpha1.NetworkNotAccepted(n.key, n.refused.Error()))
	}
	inForce := n.object()
	lease, err := n.decide(owner, ask, inForce)
	return Taken{lease, inForce}, err
}

func (n *network) decide(owner types.NamespacedName, ask Ask, inForce *v1alpha1.L2Network) (ipam.Lease, error) {
	if err := May(inForce, ask.Attachment, ask.Surroundings, members{n}); err != nil {
		return ipam.Lease{}, err
	}
	name := owner.String()
	had, has := n.pool.Lease(name)
	lease, err := n.lease(name, ask, inForce)
	switch holds := n.pool.Has(name); {
	case holds && !has:
		n.joined(owner)
	case has && !holds:
		n.left(owner, had)
	case has && err == nil && !same(had, lease):
		n.changed(name, had, lease)
	}
	if err != nil {
		return ipam.Lease{}, refuseLease(err)
	}
	return lease, n.attached(name, ask.Attachment, lease)
}

// lease takes what the attachment has on record, or asks for.
func (n *network) lease(name string, ask Ask, inForce *v1alpha1.L2Network) (ipam.Lease, error) {
	if recorded(inForce, ask.Attachment) {
		lease, err := leaseOf(ask.Attachment)
		if err != nil {
			return ipam.Lease{}, Refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
		}
		had, has := n.pool.Lease(name)
		if has && same(had, lease) {
			return had, nil
		}
		for _, address := range lease.Addresses {
			if err := n.pool.Check(address); err != nil {
				return ipam.Lease{}, err
			}
		}
		return lease, n.pool.Take(name, lease, had)
	}
	if !n.opened {
		return ipam.Lease{}, ErrBehind
	}
	if pending, has := n.pool.Lease(name); has && !pending.Satisfies(ask.Request) {
		n.pool.Release(name) // it asks for something else by now
	}
	return n.pool.Allocate(name, ask.Request)
}

// joined counts one member more.
func (n *network) joined(owner types.NamespacedName) {
	if owner.Namespace != n.key.Namespace {
		if n.guests == nil {
			n.guests = map[string]int{}
		}
		n.guests[owner.Namespace]++
	}
	n.wake.Members(n.key)
}

// left counts one member less, and has those woken that waited for what it had.
func (n *network) left(owner types.NamespacedName, had ipam.Lease) {
	if owner.Namespace != n.key.Namespace {
		if n.guests[owner.Namespace]--; n.guests[owner.Namespace] <= 0 {
			delete(n.guests, owner.Namespace)
		}
		if len(n.guests) == 0 {
			n.guests = nil
		}
	}
	n.rest(owner.String(), false)
	n.wake.Members(n.key)
	n.pass(n.waiting.freed(n.tokens(owner, had)))
	n.unstrand(owner.String())
	if !n.known || n.inForce != nil && !n.inForce.deleted.IsZero() {
		n.wake.Networks(n.key) // its deletion may have waited for this
	}
}

// changed has those woken that waited for what a member had and has no more.
func (n *network) changed(name string, had, has ipam.Lease) {
	kept := leaseTokens(has, n.pool.Config())
	n.pass(n.waiting.freed(slices.DeleteFunc(leaseTokens(had, n.pool.Config()), func(t token) bool { return slices.Contains(kept, t) })))
	n.unstrand(name)
}

// unstrand has the spec judged again when the last one has left that it waits
// for.
func (n *network) unstrand(name string) {
	if n.stranded != nil && n.stranded.Leaves(name) {
		n.generation, n.stranded = notSeen, nil
		n.wake.Networks(n.key)
	}
}

// used says that the owner waits for nothing any more, and has others woken for
// what it was woken for and did not take.
func (n *network) used(owner types.NamespacedName, lease ipam.Lease) {
	unused := n.waiting.forget(owner)
	if len(unused) == 0 {
		return
	}
	for _, t := range n.tokens(owner, lease) {
		delete(unused, t)
	}
	n.pass(n.waiting.freed(keys(unused)))
}

// release takes back what the owner has, and says whether nothing is left of
// a network that the API does not have.
func (n *network) release(owner types.NamespacedName) (idle bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if had, has := n.pool.Lease(owner.String()); has {
		n.pool.Release(owner.String())
		n.left(owner, had)
	}
	return n.idle()
}

// idle says that the API does not have the network, and that nothing is held there.
func (n *network) idle() bool { return !n.known && n.pool.Len() == 0 && !n.pool.Announces() }

func (n *network) pass(next []types.NamespacedName) {
	if len(next) > 0 {
		n.wake.Attachments(next...)
	}
}

// drop says that the ledger forgets the network, unless it is in use.
func (n *network) drop() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dropped = n.idle()
	return n.dropped
}

// recorded says whether the attachment's spec has all that the network gives.
func recorded(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) bool {
	return a.Complete() && (network.Spec.IPAM == nil || len(a.Spec.Addresses) > 0)
}

// Lacks says whether the attachment has yet to be given a MAC address, or
// addresses where its network, whose spec in force this is, assigns them.
func Lacks(network *v1alpha1.L2Network, a *v1alpha1.L2Attachment) bool {
	return !recorded(network, a)
}
