package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"l2sm.io/l2sm/apis/v1alpha1"
	"l2sm.io/l2sm/internal/ipam"
)

// vlinkEndpoints is how many attachments a vlink has.
const vlinkEndpoints = 2

// errSettling says that an attachment's last change has not reached the cache
// yet. It is over in milliseconds.
var errSettling = errors.New("the attachment's last change has not reached the cache yet")

// Allocations are the MAC and IP addresses of all networks and who has them. A
// lease is reserved here before the API write that records it, so two
// reconciles never hand out one address:
//
//	Grant ──> pending ── Confirm ──> held ── Withdraw (the attachment is gone) ──> free
//	             └────── Cancel (the write was refused), Forget (its pod is gone) ──^
//
// An attachment that moves has its lease on both networks until its port is on
// the new one for certain: Adopt takes the new one, Settle gives back the others.
//
// What is held at start is read from the API itself, not from a cache that may
// lag behind the writes of the leader before.
type Allocations struct {
	live   client.Reader
	cached client.Reader

	mu       sync.Mutex
	networks map[types.NamespacedName]*networkPool // nil until loaded
	holders  map[types.NamespacedName]holder       // by attachment
}

type networkPool struct {
	*ipam.Pool
	// uid and generation are the network's, whose ipam was last looked at.
	uid        types.UID
	generation int64
	// notInForce is why the network's present ipam is not in force.
	notInForce error
}

// holder is where an attachment has its lease, and which attachment of that
// name it is: none yet while its write is pending.
type holder struct {
	// network is the one that the attachment is to be on.
	network types.NamespacedName
	// settled is the one that it was on last for certain.
	settled types.NamespacedName
	// others are those that it moves away from.
	others []types.NamespacedName
	pod    types.NamespacedName
	uid    types.UID
}

// on is the holder with its lease on the network, and on those before.
func (h holder) on(network types.NamespacedName) holder {
	if h.network != network && h.network != (types.NamespacedName{}) {
		h.others = append(slices.Clone(h.others), h.network)
	}
	h.others = slices.DeleteFunc(slices.Clone(h.others), func(o types.NamespacedName) bool { return o == network })
	h.network = network
	if h.settled == (types.NamespacedName{}) {
		h.settled = network
	}
	return h
}

// NewAllocations returns allocations that are loaded through live, an uncached
// reader, when they are first needed.
func NewAllocations(live, cached client.Reader) *Allocations {
	return &Allocations{live: live, cached: cached}
}

// Grant reserves what an attachment asks for. The attachment's UID is empty as
// long as it does not exist. A refusal says why nothing is granted. One that
// exists takes over what is pending under its name: the write that this was for
// can't succeed any more.
func (a *Allocations) Grant(ctx context.Context, network *v1alpha1.L2Network, owner, pod types.NamespacedName, uid types.UID, r ipam.Request) (ipam.Lease, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := client.ObjectKeyFromObject(network)
	pool, err := a.pool(ctx, network)
	if err != nil {
		return ipam.Lease{}, err
	}
	h, held := a.holders[owner]
	if held && h.uid != "" && h.uid != uid {
		return ipam.Lease{}, fmt.Errorf("grant addresses to %q: %w", owner, errSettling)
	}
	if pending, ok := pool.Lease(owner.String()); held && h.network == key && (!ok || !pending.Satisfies(r)) {
		a.release(owner) // it asks for something else by now
		h = holder{}
	}
	if held && h.uid == "" && h.network != key {
		a.release(owner)
		h = holder{}
	}
	if err := pool.room(network, owner); err != nil {
		return ipam.Lease{}, err
	}
	lease, err := pool.Allocate(owner.String(), r)
	if err != nil {
		return ipam.Lease{}, refuseLease(err)
	}
	h = h.on(key)
	h.pod, h.uid = pod, uid
	a.holders[owner] = h
	return lease, nil
}

// Confirm says that the attachment which a grant was for is written.
func (a *Allocations) Confirm(owner types.NamespacedName, uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h, held := a.holders[owner]; held && h.uid == "" {
		h.uid = uid
		a.holders[owner] = h
	}
}

// Cancel takes back a grant whose write was refused.
func (a *Allocations) Cancel(owner types.NamespacedName, uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h, held := a.holders[owner]; held && h.uid == uid {
		a.release(owner)
	}
}

// Withdraw takes back what an attachment had that is deleted or false, and says
// whether it had anything. A later attachment of the same name keeps its own.
func (a *Allocations) Withdraw(attachment *v1alpha1.L2Attachment) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	owner := client.ObjectKeyFromObject(attachment)
	h, held := a.holders[owner]
	another := h.uid != attachment.UID
	if h.uid == "" {
		another = !attachment.Complete() // a write that is pending is another's, unless this is what it wrote
	}
	if !held || another {
		return false
	}
	a.release(owner)
	return true
}

// Forget takes back what was granted to a pod that is gone and never confirmed:
// the write's outcome was unknown, and nobody will try again.
func (a *Allocations) Forget(pod types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for owner, h := range a.holders {
		if h.pod == pod && h.uid == "" {
			a.release(owner)
		}
	}
}

// Adopt makes sure that an attachment has the lease that its spec records, and
// takes it where it is free: after a start, after a conflict, after a move. A
// refusal says why the attachment may not have it.
func (a *Allocations) Adopt(ctx context.Context, network *v1alpha1.L2Network, attachment *v1alpha1.L2Attachment) error {
	lease, err := leaseOf(attachment)
	if err != nil {
		return refuse(v1alpha1.AttachmentRefused(v1alpha1.ReasonInvalid, err.Error()))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	pool, err := a.pool(ctx, network)
	if err != nil {
		return err
	}
	key, owner := client.ObjectKeyFromObject(network), client.ObjectKeyFromObject(attachment)
	if err := pool.fits(lease); err != nil {
		return refuseLease(err)
	}
	h := a.holders[owner]
	if have, ok := pool.Lease(owner.String()); ok && same(have, lease) {
		a.holders[owner] = h.on(key)
		return nil
	}
	if err := a.stillThere(ctx, attachment); err != nil {
		return err
	}
	if err := pool.room(network, owner); err != nil {
		return err
	}
	if err := pool.Hold(owner.String(), lease); err != nil {
		return refuseLease(err)
	}
	h = h.on(key)
	h.pod, h.uid = attachment.PodKey(), attachment.UID
	a.holders[owner] = h
	return nil
}

// stillThere guards Adopt against an attachment that was deleted after its
// caller read it: under the lock, an attachment that is in the cache has its
// Withdraw still to come.
func (a *Allocations) stillThere(ctx context.Context, attachment *v1alpha1.L2Attachment) error {
	key, now := client.ObjectKeyFromObject(attachment), &v1alpha1.L2Attachment{}
	err := a.cached.Get(ctx, key, now)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read attachment %q again: %w", key, err)
	}
	if err != nil || now.UID != attachment.UID {
		return fmt.Errorf("adopt attachment %q: %w", key, errSettling)
	}
	return nil
}

// Holders are the attachments that have a lease on the network, written or
// about to be.
func (a *Allocations) Holders(ctx context.Context, network types.NamespacedName) ([]string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.load(ctx); err != nil {
		return nil, err
	}
	if pool := a.networks[network]; pool != nil {
		return pool.Owners(), nil
	}
	return nil, nil
}

// Prepare puts the network's ipam into force, where it can be: not if it can't
// be read or would leave addresses in use outside. The refusal then says so,
// and what was in force before stays.
func (a *Allocations) Prepare(ctx context.Context, network *v1alpha1.L2Network) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	pool, err := a.pool(ctx, network)
	if err != nil {
		return err
	}
	if pool.notInForce != nil {
		return refuse(v1alpha1.NetworkInvalid(pool.notInForce))
	}
	return nil
}

func (a *Allocations) release(owner types.NamespacedName) {
	h := a.holders[owner]
	a.releaseOn(owner, append(slices.Clone(h.others), h.network))
	delete(a.holders, owner)
}

func (a *Allocations) releaseOn(owner types.NamespacedName, networks []types.NamespacedName) {
	for _, network := range networks {
		if pool := a.networks[network]; pool != nil {
			pool.Release(owner.String())
		}
	}
}

// lease is Lease, also of a network that nobody has looked at.
func (p *networkPool) lease(owner types.NamespacedName) (ipam.Lease, bool) {
	if p == nil {
		return ipam.Lease{}, false
	}
	return p.Lease(owner.String())
}

// room says whether the network takes the owner as one more, or has it already.
func (p *networkPool) room(network *v1alpha1.L2Network, owner types.NamespacedName) error {
	if _, has := p.Lease(owner.String()); has {
		return nil
	}
	if network.Spec.Type == v1alpha1.VLink && p.Len() >= vlinkEndpoints {
		return refuse(v1alpha1.LinkFull(client.ObjectKeyFromObject(network), p.Owners()))
	}
	return nil
}

// fits says whether the network could have granted the lease, or grants it
// still: what is held stays valid whatever ipam becomes.
func (p *networkPool) fits(lease ipam.Lease) error {
	for _, address := range lease.Addresses {
		if err := p.Check(address); err != nil {
			return err
		}
	}
	return nil
}
